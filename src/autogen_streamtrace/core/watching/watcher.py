"""A thread that looks at the open streams from outside: what is silent, which event loop is blocked, and where.

It is no task of an event loop, which a blocked loop would silence with all others. Its period follows its own cost,
so that in the long run it takes no more than a hundredth of a core.
"""

import math
import sys
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Final

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.stream.facts import Stall
from autogen_streamtrace.core.stream.state import StreamState, clock
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.watching.loops import Loop
from autogen_streamtrace.core.watching.recorder import Recorder
from autogen_streamtrace.core.watching.stalls import Stalls

_PERIOD: Final = 0.15
"""Seconds between two rounds, at least; fewer only where a stall is shorter than eight of them."""
_IDLE: Final = 1.0
"""The same where no stream is open."""
_SHARE: Final = 0.008
"""Of a core in the long run: so that with what is still owed it is a hundredth at most over any ten seconds."""
_PAID_BACK: Final = 0.25
"""Of what the rounds so far have taken too much, in one pause: a dear one now and then hardly holds up the next."""
_LATE: Final = 0.005
"""Seconds after which who reads streams lets this thread have its turn."""
_AGAIN: Final = 0.005
"""Seconds between two times that somebody does, as long as that does not help."""
_MOMENT: Final = 0.0005
"""Seconds in which a thread that waits for the interpreter wakes up."""
_UNANSWERED: Final = 1.0
"""Seconds without an answer after which an event loop counts as blocked, if the patience is not shorter."""
_STACK: Final = 8192
"""Characters of a stack at most."""


class _Pulse:
    """Whether one event loop answers."""

    __slots__ = ("_asked", "_loop")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._asked: float | None = None

    def ask(self) -> None:
        """Asks once until the answer comes."""
        if self._asked is None:
            self._asked = clock()
            try:
                self._loop.loop.call_soon_threadsafe(self._answer)
            except RuntimeError:  # it is closed: its streams end with it
                self._asked = None

    def unanswered(self) -> float:
        """Seconds since it was asked, if it has not answered."""
        asked = self._asked
        return clock() - asked if asked is not None else 0.0

    def stack(self) -> str:
        """Where its thread stands now."""
        return stack(sys._current_frames().get(self._loop.thread))

    def _answer(self) -> None:
        self._asked = None


class Watcher:
    """The watching thread of one process.

    Args:
        nodes: the open streams.
        waiting: how many facts wait for the judge, some of which may be of streams that are open.
        loop: the event loop of a record's ``loop``; None where it is not known any more.
        tell: takes what is stalled; it must not block.
        recorder: what survives this process.
        stall_after: seconds of silence that count as a stall.
    """

    def __init__(
        self,
        nodes: Callable[[], list[StreamNode]],
        waiting: Callable[[], int],
        loop: Callable[[int], Loop | None],
        tell: Callable[[StreamState, Stall], None],
        recorder: Recorder,
        stall_after: float,
    ) -> None:
        self._nodes = nodes
        self._waiting = waiting
        self._loop = loop
        self._tell = tell
        self._recorder = recorder
        self._stalls = Stalls(stall_after)
        self._answer_within = min(_UNANSWERED, stall_after / 4)
        self._period = min(_PERIOD, stall_after / 8)
        self._pulses: dict[int, _Pulse] = {}
        self._due = 0.0
        self._awake = threading.Event()
        self._stopped = False
        self.overdue = math.inf
        """When, on the records' clock, readers have to give way to this thread."""

    def start(self) -> None:
        """Starts the thread."""
        threading.Thread(target=self._work, name="autogen-streamtrace-watcher", daemon=True).start()

    def wake(self) -> None:
        """Something is open, or waits to leave the recorder."""
        if not self._awake.is_set():
            self.overdue = clock() + _LATE
            self._awake.set()

    def give_way(self, now: float) -> None:
        """Called by whoever reads a stream when this thread is overdue.

        A busy event loop lets go of the interpreter often, but never for as long as another thread needs to wake up.
        Readers keep a watcher that was stopped, of which the last round may have set the time again.
        """
        if self._stopped:
            self.overdue = math.inf
            return
        self.overdue = now + _AGAIN
        time.sleep(_MOMENT)

    def stop(self) -> None:
        """Lets the thread end."""
        self._stopped = True
        self.overdue = math.inf
        self._awake.set()

    def stalled(self) -> list[StreamNode]:
        """The streams that are stalled now."""
        now = clock()
        return [node for node in self._nodes() if self._stalls.stalled(node, now)]

    def _work(self) -> None:
        owed, taken, expected = 0.0, time.thread_time(), clock()
        while not self._stopped:
            now = clock()
            self.overdue = now + _LATE  # each write lets others run, for as long as they like
            nodes = self._nodes()
            with contained("copying what is known of open streams"):
                self._recorder.copy(now)
            with contained("looking for stalled streams"):
                self._look(nodes, clock(), expected)
            if not nodes and self._idle():
                self._awake.clear()
                if self._idle() and not self._stopped:
                    self._pulses.clear()
                    self.overdue = math.inf
                    self._awake.wait(_IDLE)
                expected = clock()
                continue
            before, taken = taken, time.thread_time()
            owed += (taken - before) / _SHARE
            pause = max(self._period, owed * _PAID_BACK)
            owed = max(0.0, owed - pause)
            expected = clock() + pause
            self.overdue = expected + _LATE
            time.sleep(pause)

    def _idle(self) -> bool:
        return not self._nodes() and not self._recorder.busy and not self._waiting()

    def _look(self, nodes: list[StreamNode], now: float, expected: float) -> None:
        starved = now - expected >= self._answer_within
        if now < self._due and not starved:
            return
        if now - expected >= self._stalls.after:
            for node, stall in self._stalls.held_up(nodes, expected, now):
                self._tell(node.state, stall)
        look = self._stalls.look(nodes, now)
        self._due = min(look.next, now + self._answer_within)
        for node, stall in look.stalled:
            self._tell(node.state, self._explained(node.state.loop, stall, starved))
        self._ask(look.silent)

    def _ask(self, silent: Iterable[int]) -> None:
        for key in set(self._pulses) - set(silent):
            del self._pulses[key]
        for key in silent:
            if key not in self._pulses:
                loop = self._loop(key)
                if loop is None:
                    continue
                self._pulses[key] = _Pulse(loop)
            self._pulses[key].ask()

    def _explained(self, key: int, stall: Stall, starved: bool) -> Stall:
        """With what the event loop does meanwhile."""
        pulse = self._pulses.get(key)
        if pulse is None or pulse.unanswered() < self._answer_within:
            return stall._replace(loop_blocked=starved and key != 0)
        return stall._replace(loop_blocked=True, stack=pulse.stack())


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
