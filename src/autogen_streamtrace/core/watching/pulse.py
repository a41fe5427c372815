"""Whether an event loop answers."""

import sys
from types import FrameType
from typing import Final

from autogen_streamtrace.core.stream.state import clock
from autogen_streamtrace.core.watching.lateness import Lateness
from autogen_streamtrace.core.watching.loops import Loop
from autogen_streamtrace.neighbours import python

_STACK: Final = 8192
"""Characters of a stack at most."""
_UNSEEN: Final = 0.15
"""Seconds, at most, for which the event loop may have stood still already when it is asked."""


class Pulse:
    """Asks one event loop again and again whether it runs.

    Args:
        loop: the event loop.
        lateness: takes the periods in which it did not answer.
    """

    __slots__ = ("_answered", "_asked", "_lateness", "loop")

    def __init__(self, loop: Loop, lateness: Lateness) -> None:
        self.loop = loop
        self._lateness = lateness
        self._answered = clock()
        self._asked: float | None = None

    def ask(self) -> None:
        """Asks, unless an answer is still missing."""
        if self._asked is None:
            self._asked = clock()
            try:
                self.loop.loop.call_soon_threadsafe(self._answer)
            except RuntimeError:  # the loop is closed, and its streams end with it
                self._asked = None

    def unanswered(self) -> float:
        """Seconds since it was asked; 0 if it has answered."""
        asked = self._asked
        return clock() - asked if asked is not None else 0.0

    @property
    def silent_since(self) -> float | None:
        """Since when, roughly, it does not run; None where it has answered."""
        asked = self._asked
        return None if asked is None else asked - min(asked - self._answered, _UNSEEN) / 2

    def stack(self) -> str:
        """The stack of its thread now; empty where that is not known."""
        frames = python.FRAMES.of(sys)
        return "" if frames is None else stack(frames().get(self.loop.thread))

    def _answer(self) -> None:
        now, since = clock(), self.silent_since
        if since is not None:
            self._lateness.note(since, now, id(self.loop.loop))
        self._answered, self._asked = now, None


def stack(frame: FrameType | None) -> str:
    """A stack as text, innermost frame first: file, line and function, no values."""
    lines: list[str] = []
    room = _STACK
    while frame is not None:
        code = frame.f_code
        line = f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
        frame = frame.f_back
    return "\n".join(lines)
