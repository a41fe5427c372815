"""Whether an event loop answers."""

import sys
from types import FrameType
from typing import Final

from autogen_streamtrace.core.stream.state import clock
from autogen_streamtrace.core.watching.lateness import Lateness
from autogen_streamtrace.core.watching.loops import Loop

_STACK: Final = 8192
"""Characters of a stack at most."""
_UNSEEN: Final = 0.15
"""Seconds before a question in which the event loop may have stopped already, at most."""


class Pulse:
    """Asks one event loop, over and over.

    Args:
        loop: the event loop.
        lateness: is told when it answered late.
    """

    __slots__ = ("_answered", "_asked", "_lateness", "loop")

    def __init__(self, loop: Loop, lateness: Lateness) -> None:
        self.loop = loop
        self._lateness = lateness
        self._answered = clock()
        self._asked: float | None = None

    def ask(self) -> None:
        """Asks once until the answer comes."""
        if self._asked is None:
            self._asked = clock()
            try:
                self.loop.loop.call_soon_threadsafe(self._answer)
            except RuntimeError:  # it is closed: its streams end with it
                self._asked = None

    def unanswered(self) -> float:
        """Seconds since it was asked, if it has not answered."""
        asked = self._asked
        return clock() - asked if asked is not None else 0.0

    @property
    def silent_since(self) -> float | None:
        """Since when it does not run, as near as can be told; None where it has answered."""
        asked = self._asked
        return None if asked is None else asked - min(asked - self._answered, _UNSEEN) / 2

    def stack(self) -> str:
        """Where its thread stands now."""
        return stack(sys._current_frames().get(self.loop.thread))

    def _answer(self) -> None:
        now, since = clock(), self.silent_since
        if since is not None:
            self._lateness.note(since, now, id(self.loop.loop))
        self._answered, self._asked = now, None


def stack(frame: FrameType | None) -> str:
    """A stack as text, innermost first: file, line and function of each frame, nothing of what they hold."""
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
