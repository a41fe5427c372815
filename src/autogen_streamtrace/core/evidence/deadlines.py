"""Deadlines of the program: which one cancelled the running task, and after how long.

A task that is cancelled by ``asyncio.timeout`` sees the same ``CancelledError`` as any other, so the deadline notes
itself just before it cancels. anyio says it in the cancellation's message.
"""

import asyncio
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


class _Struck(NamedTuple):
    deadline: Deadline
    striking: Callable[[], bool]
    """It has not been left yet: a later cancellation is another's."""


_struck: Final[WeakKeyDictionary[Any, _Struck]] = WeakKeyDictionary()


def note(task: Any, seconds: float | None, striking: Callable[[], bool]) -> None:
    """A deadline of ``asyncio``'s of so many seconds is about to cancel ``task``."""
    _struck[task] = _Struck(Deadline(ASYNCIO, seconds), striking)


def striking(error: BaseException | None) -> Deadline | None:
    """The deadline by which the running task is being cancelled; ``error`` is what it sees, where it sees anything."""
    if error is not None and error.args and _ANYIO_SAYS in str(error.args[0]):
        return Deadline(ANYIO, None)
    if not _struck:
        return None
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop runs here
        return None
    found = _struck.get(task) if task is not None else None  # none in a callback, where the collector may run
    return found.deadline if found is not None and found.striking() else None
