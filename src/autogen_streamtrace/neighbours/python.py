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
