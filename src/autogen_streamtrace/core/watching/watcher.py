"""A thread that looks at the open streams from outside: what is silent, which event loop is blocked, and where.

It is no task of an event loop, which a blocked loop would silence with all others. Its period follows its own cost,
so that in the long run it takes no more than a hundredth of a core.
"""

import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.stream.facts import Stall
from autogen_streamtrace.core.stream.state import StreamState, clock
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.watching.lateness import TOLD, Lateness
from autogen_streamtrace.core.watching.loops import Loop
from autogen_streamtrace.core.watching.pulse import Pulse
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


class Watcher:
    """The watching thread of one process.

    Args:
        nodes: the open streams.
        waiting: how many facts wait for the judge, some of which may be of streams that are open.
        loops: the event loops that read streams.
        tell: takes what is stalled; it must not block.
        recorder: what survives this process.
        stall_after: seconds of silence that count as a stall.
    """

    def __init__(
        self,
        nodes: Callable[[], list[StreamNode]],
        waiting: Callable[[], int],
        loops: Callable[[], Iterable[Loop]],
        tell: Callable[[StreamState, Stall], None],
        recorder: Recorder,
        stall_after: float,
    ) -> None:
        self._nodes = nodes
        self._waiting = waiting
        self._loops = loops
        self._tell = tell
        self._recorder = recorder
        self._stalls = Stalls(stall_after)
        self._answer_within = min(_UNANSWERED, stall_after / 4)
        self._period = min(_PERIOD, stall_after / 8)
        self._pulses: dict[int, Pulse] = {}
        self._lateness = Lateness()
        self._due = 0.0
        self._awake = threading.Event()
        self._stopped = False
        self.overdue = math.inf
        """When, on the records' clock, readers have to give way to this thread."""
        self._expected = math.inf
        """Since when this thread would run, if it could; infinite while it does."""

    def start(self) -> None:
        """Starts the thread."""
        threading.Thread(target=self._work, name="autogen-streamtrace-watcher", daemon=True).start()

    def wake(self) -> None:
        """Something is open, or waits to leave the recorder."""
        if not self._awake.is_set():
            self._expected = clock()
            self.overdue = self._expected + _LATE
            self._awake.set()

    def give_way(self, now: float) -> None:
        """Called by whoever reads a stream when this thread is overdue.

        A busy event loop lets go of the interpreter often, but never for as long as another thread needs to wake up.
        Readers keep a watcher that was stopped, of which the last round may have set the time again.
        """
        if self._stopped:
            self.overdue = math.inf
            return
        if self._expected < now:
            self._lateness.note(self._expected, now)  # nothing in this process could run
            self._expected = now
        self.overdue = now + _AGAIN
        time.sleep(_MOMENT)

    def late(self, loop: int, since: float, until: float) -> float:
        """Seconds: the longest that an event loop was late in this time, where that is worth telling; else 0."""
        if not loop:
            return 0.0
        pulse = self._pulses.get(loop)
        silent = pulse.silent_since if pulse is not None else None
        still = min(self._expected, math.inf if silent is None else silent)
        longest = max(self._lateness.longest(loop, since, until), until - max(still, since))
        return longest if longest > TOLD else 0.0

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
            self._lateness.note(self._expected, now)
            self._expected = math.inf
            self.overdue = now + _LATE  # each write lets others run, for as long as they like
            nodes = self._nodes()
            if nodes:
                self._ask()
            with contained("copying what is known of open streams"):
                self._recorder.copy(now)
            with contained("looking for stalled streams"):
                self._look(nodes, clock(), expected)
            if not nodes and self._idle():
                self._awake.clear()
                if self._idle() and not self._stopped:
                    self.overdue = math.inf
                    self._awake.wait(_IDLE)
                expected = clock()
                continue
            before, taken = taken, time.thread_time()
            owed += (taken - before) / _SHARE
            pause = max(self._period, owed * _PAID_BACK)
            owed = max(0.0, owed - pause)
            expected = self._expected = clock() + pause
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

    def _ask(self) -> None:
        pulses = {}
        for each in self._loops():
            known = self._pulses.get(id(each.loop))
            pulse = known if known is not None and known.loop is each else Pulse(each, self._lateness)
            pulses[id(each.loop)] = pulse
            pulse.ask()
        self._pulses = pulses

    def _explained(self, key: int, stall: Stall, starved: bool) -> Stall:
        """With what the event loop does meanwhile."""
        pulse = self._pulses.get(key)
        if pulse is None or pulse.unanswered() < self._answer_within:
            return stall._replace(loop_blocked=starved and key != 0)
        return stall._replace(loop_blocked=True, stack=pulse.stack())
