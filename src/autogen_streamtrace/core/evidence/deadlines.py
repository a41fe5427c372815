"""Deadlines of the program: which one cancelled the running task, and after how long.

A task that is cancelled by ``asyncio.timeout`` sees the same ``CancelledError`` as any other, so the deadline notes
itself just before it cancels. anyio says it in the cancellation's message.
"""

import asyncio
import time
from collections.abc import Callable
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
    """It has not been left yet: a later cancellation is another's."""


_struck: Final[WeakKeyDictionary[Any, _Struck]] = WeakKeyDictionary()


def note(task: Any, seconds: float | None, striking: Callable[[], bool]) -> None:
    """A deadline of ``asyncio``'s of so many seconds is about to cancel ``task``."""
    _struck[task] = _Struck(Deadline(ASYNCIO, seconds, time.perf_counter()), striking)


def striking(error: BaseException | None) -> Deadline | None:
    """The deadline by which the running task is being cancelled; ``error`` is what it sees, where it sees anything."""
    if error is not None and error.args and _ANYIO_SAYS in str(error.args[0]):
        return Deadline(ANYIO, None)
    if not _struck:
        return None
    task = running()
    found = _struck.get(task) if task is not None else None
    return found.deadline if found is not None and found.striking() else None


def running() -> "asyncio.Task[Any] | None":
    """The task that is running; None outside of any, as in a finaliser that a callback of the loop set off."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def being_cancelled() -> bool:
    """Whether somebody has asked the running task to end. Before Python 3.11 a task does not say: True."""
    task = running()
    asked = getattr(task, "cancelling", None)
    return asked is None or bool(asked() > 0)
