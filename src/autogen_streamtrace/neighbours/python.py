"""Private names of the standard library."""

from typing import Final

from autogen_streamtrace.neighbours import PYTHON, Private

ON_TIMEOUT: Final = Private(
    PYTHON,
    "Timeout",
    "_on_timeout",
    "a stream that asyncio.timeout() ends is reported as cancelled, without the deadline",
)
TIMED_TASK: Final = Private(PYTHON, "Timeout", "_task", "a deadline of asyncio.timeout() is not reported")
TIMEOUT_STATE: Final = Private(PYTHON, "Timeout", "_state", "a deadline of asyncio.timeout() is not reported")
AWAITED: Final = Private(
    PYTHON,
    "Task",
    "_fut_waiter",
    "a stream in a task of its own that a deadline's task awaits is reported as cancelled, without the deadline",
)
GATHERED: Final = Private(
    PYTHON,
    "_GatheringFuture",
    "_children",
    "a stream in asyncio.gather() that a deadline ends is reported as cancelled, without the deadline",
)
ABORT: Final = Private(
    PYTHON,
    "TaskGroup",
    "_abort",
    "a stream in an asyncio.TaskGroup that a deadline ends is reported as cancelled, without the deadline",
)
GROUPED: Final = Private(PYTHON, "TaskGroup", "_tasks", ABORT.without)
CALLERS_FRAME: Final = Private(
    PYTHON, "sys", "_getframe", "how long a deadline of asyncio.wait_for() was is not reported"
)
FRAMES: Final = Private(
    PYTHON, "sys", "_current_frames", "where an event loop stands that does not answer is not reported"
)
CANCEL_AND_WAIT: Final = Private(
    PYTHON,
    "asyncio.tasks",
    "_cancel_and_wait",
    "a stream that asyncio.wait_for() ends is reported as cancelled, without the deadline",
)
