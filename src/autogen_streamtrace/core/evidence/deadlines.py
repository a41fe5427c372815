"""Deadlines of the program: which one cancelled the running task, and after how long.

A task that ``asyncio.timeout`` cancels sees the same ``CancelledError`` as any other. So ``flow.deadline`` notes the
deadline here just before it cancels. anyio puts the deadline into the cancellation's message.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

ASYNCIO: Final = "asyncio.timeout"
ANYIO: Final = "anyio.cancel_scope"

_ANYIO_SAYS: Final = "reason: deadline exceeded"
"""https://github.com/agronholm/anyio: ``CancelScope`` gives its reason to ``Task.cancel``."""


class Deadline(NamedTuple):
    """A deadline that struck."""

    limit: str
    """The id of the limit."""
    seconds: float | None
    at: float = 0.0
    """When it struck, in seconds on ``time.perf_counter``; 0 where that is not known."""


class _Struck(NamedTuple):
    deadline: Deadline
    striking: Callable[[], bool]
    """Whether the deadline's block has not ended yet. A later cancellation has another cause."""
    late: float


_struck: Final[WeakKeyDictionary[Any, _Struck]] = WeakKeyDictionary()


def note(tasks: Iterable[Any], seconds: float | None, striking: Callable[[], bool], late: float = 0.0) -> None:
    """Notes that a deadline of ``asyncio``'s, of so many seconds, is about to cancel these tasks.

    Args:
        tasks: whose coroutines are cancelled.
        seconds: what the deadline was given.
        striking: whether its block has not ended yet.
        late: seconds since it was due, in which the event loop was held up.
    """
    _struck.update(dict.fromkeys(tasks, _Struck(Deadline(ASYNCIO, seconds, time.perf_counter()), striking, late)))


def pass_on(tasks: Iterable[Any]) -> None:
    """Notes that the running task is about to cancel these, where a deadline of ``asyncio``'s is cancelling it."""
    found = _of_running()
    if found is not None:
        _struck.update(dict.fromkeys(tasks, found))


def striking(error: BaseException | None) -> Deadline | None:
    """The deadline that is cancelling the running task; ``error`` is the exception that it sees, if any."""
    if error is not None and error.args and _ANYIO_SAYS in str(error.args[0]):
        return Deadline(ANYIO, None)
    found = _of_running()
    return found.deadline if found is not None else None


def late() -> float:
    """Seconds by which the deadline of ``asyncio``'s that is cancelling the running task was late; 0 where none is."""
    found = _of_running()
    return found.late if found is not None else 0.0


def _of_running() -> _Struck | None:
    """What struck the running task, where its block has not ended yet."""
    task = running() if _struck else None
    found = _struck.get(task) if task is not None else None
    return found if found is not None and found.striking() else None


def running() -> "asyncio.Task[Any] | None":
    """The running task; None where there is none, as in a finaliser during a callback of the loop."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def being_cancelled() -> bool:
    """Whether the running task is being cancelled. Before Python 3.11 a task does not show it, and this is True."""
    task = running()
    asked = getattr(task, "cancelling", None)
    return asked is None or bool(asked() > 0)
