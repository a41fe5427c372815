"""Whether an exception means that an end user left.

A lost connection raises the same types whatever its other end is. The place of the raise shows an end user: inside the
connection object of a server, in the ``send`` or ``receive`` that a server gave the application, or in an input
function. The innermost place counts: a connection that an input function opens itself is not an end user's.
"""

from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import Final

from autogen_streamtrace.core.evidence.exception_kinds import CLOSINGS, CONNECTIONS

inputs: Final[set[str]] = set()
"""Modules of agents that call an input function: a connection that closes there is the end user's."""
exchanges: Final[set[str]] = set()
"""Modules of the server layer: their ``self`` has the attribute ``end_user_gone``."""

_FRAMES: Final = 256
"""Frames of a traceback that are read, at most."""


def closes(error: BaseException) -> bool:
    """Whether an exception means that a connection is closed, of any party."""
    return any(name in CLOSINGS for name in _names(type(error)))


def left(chain: Iterable[BaseException]) -> bool:
    """Whether an exception of ``chain`` was raised because an end user left."""
    return any(_at_an_end_user(link, closing=closes(link)) for link in chain if isinstance(link, Exception))


def _at_an_end_user(error: Exception, *, closing: bool) -> bool:
    """Whether ``error`` concerns an end user's connection.

    If it means that a connection is closed: whether that is an end user's. Else: whether one had been lost before.
    """
    found = False
    for frame in _frames(error.__traceback__):
        module = frame.f_globals.get("__name__", "")
        if module in exchanges:
            found = closing or bool(getattr(frame.f_locals.get("self"), "end_user_gone", False))
        elif closing and module in inputs:
            found = True
        elif closing and module.partition(".")[0] in CONNECTIONS:
            found = _serves(frame, CONNECTIONS[module.partition(".")[0]], found)
    return found


def _serves(frame: FrameType, sides: dict[str, bool], otherwise: bool) -> bool:
    """Whether the connection object whose method this is belongs to a server."""
    names = _names(type(frame.f_locals.get("self")))
    return next((sides[name] for name in names if name in sides), otherwise)


def _frames(traceback: TracebackType | None) -> Iterator[FrameType]:
    for _ in range(_FRAMES):
        if traceback is None:
            return
        yield traceback.tb_frame
        traceback = traceback.tb_next


def _names(cls: type) -> Iterator[str]:
    return (f"{base.__module__}.{base.__qualname__}" for base in cls.__mro__)
