"""A thread that looks at the open streams from outside: which are silent, which event loop is blocked, and where.

How it works. The watcher is a thread and no task, since a blocked event loop would block its own watcher. It works in
rounds. Each round asks every event loop whether it runs (``Pulse``), lets the recorder copy the progress of the open
streams, and looks for stalled streams (``Stalls``). The pause between two rounds follows their cost, so that the
watcher uses at most a hundredth of a core in the long run. Without open streams it sleeps until ``wake``.

The interpreter may keep the watcher from running for long, because a busy event loop never releases it for long
enough. Each attempt to run that fails costs both threads time. So each reader compares its clock with ``overdue``, and
lets the watcher run (``give_way``), and behind it the judge, whose turn comes at the end of each round, and as soon as
a whole batch waits. The time for which the watcher could not run is noted as lateness of every event loop: nobody could
read items then.
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
"""Seconds, at least, between two rounds; less only where ``stall_after`` is shorter than eight of them."""
_IDLE: Final = 1.0
"""The same where no stream is open."""
_SHARE: Final = 0.008
"""Share of a core in the long run. With what is still owed, it is a hundredth at most in any ten seconds."""
_PAID_BACK: Final = 0.25
"""Share of the excess cost so far that one pause pays back, so that one costly round hardly delays the next."""
_LATE: Final = 0.0005
"""Seconds after which the readers of streams let this thread run."""
_AGAIN: Final = 0.005
"""Seconds between two attempts of the readers, as long as this thread does not run."""
_MOST: Final = 0.005
"""Seconds, at most, for which a reader lets these threads run."""
_UNANSWERED: Final = 1.0
"""Seconds without an answer after which an event loop counts as blocked; less where ``stall_after`` is short."""


class Watcher:
    """The watching thread of one process.

    Args:
        nodes: the open streams.
        waiting: the number of facts that wait for the judge; some may be about open streams.
        loops: the event loops that read streams.
        tell: called with each stalled stream; it must not block.
        recorder: copies the progress of the open streams.
        stall_after: seconds of silence that count as a stall.
        judge: called in each round: has the facts judged that wait, and calls what it is given.
    """

    def __init__(
        self,
        nodes: Callable[[], list[StreamNode]],
        waiting: Callable[[], int],
        loops: Callable[[], Iterable[Loop]],
        tell: Callable[[StreamState, Stall], None],
        recorder: Recorder,
        stall_after: float,
        judge: Callable[[Callable[[], object]], object],
    ) -> None:
        self._nodes = nodes
        self._waiting = waiting
        self._loops = loops
        self._tell = tell
        self._recorder = recorder
        self._judge = judge
        self._stalls = Stalls(stall_after)
        self._answer_within = min(_UNANSWERED, stall_after / 4)
        self._period = min(_PERIOD, stall_after / 8)
        self._pulses: dict[int, Pulse] = {}
        self._lateness = Lateness()
        self._due = 0.0
        self._awake = threading.Event()
        self._done = threading.Event()
        """A round has ended, and what waited by then is judged."""
        self._stopped = False
        self.overdue = math.inf
        """Time on ``clock`` from which readers have to let this thread run, or the judge."""
        self._overdue = math.inf
        """The same for this thread alone."""
        self._crowded = False
        self._expected = math.inf
        """Since when this thread wants to run; infinite while it runs."""

    def start(self) -> None:
        """Starts the thread."""
        threading.Thread(target=self._work, name="autogen-streamtrace-watcher", daemon=True).start()

    def wake(self) -> None:
        """Ends the sleep: a stream is open, or the recorder has work."""
        if not self._awake.is_set():
            self._expected = clock()
            self.overdue = self._overdue = self._expected + _LATE
            self._awake.set()

    def crowd(self) -> None:
        """Has the next reader let the judge run, which has a whole batch to judge. Safe in a finaliser."""
        self._crowded = True
        self.overdue = 0.0

    def give_way(self, now: float) -> None:
        """Lets this thread run, and the judge. A reader calls this when this thread is overdue.

        A busy event loop releases the interpreter often, but never for as long as another thread needs to wake up.
        Readers may still have a stopped watcher, whose last round may have set ``overdue`` again.
        """
        if self._stopped:
            self.overdue = math.inf
            return
        crowded, self._crowded = self._crowded, False
        starved = self._overdue < now
        if starved:
            if self._expected < now:
                self._lateness.note(self._expected, now)  # nothing in this process could run
                self._expected = now
            self._overdue = now + _AGAIN
        self.overdue = again = self._overdue
        if not (starved or crowded):
            return
        self._done.clear()
        if crowded:
            self._judge(self._done.set)
        if self.overdue == again:  # no round has begun or ended meanwhile
            self._done.wait(_MOST)

    def late(self, loop: int, since: float, until: float) -> float:
        """The longest lateness of an event loop in this time, in seconds; 0 where it is not worth reporting."""
        if not loop or until - since <= TOLD:
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
            self.overdue = self._overdue = now + _LATE  # each write lets others run, for as long as they like
            nodes = self._nodes()
            if nodes:
                self._ask()
            with contained("copying what is known of open streams"):
                self._recorder.copy(now)
            with contained("looking for stalled streams"):
                self._look(nodes, clock(), expected)
            self._judge(self._done.set)
            if not nodes and self._idle():
                self._awake.clear()
                if self._idle() and not self._stopped:
                    self.overdue = self._overdue = math.inf
                    self._awake.wait(_IDLE)
                expected = clock()
                continue
            before, taken = taken, time.thread_time()
            owed += (taken - before) / _SHARE
            pause = max(self._period, owed * _PAID_BACK)
            owed = max(0.0, owed - pause)
            expected = self._expected = clock() + pause
            self.overdue = self._overdue = expected + _LATE
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
        """A stall with what its event loop does meanwhile."""
        pulse = self._pulses.get(key)
        if pulse is None or pulse.unanswered() < self._answer_within:
            return stall._replace(loop_blocked=starved and key != 0)
        return stall._replace(loop_blocked=True, stack=pulse.stack())
