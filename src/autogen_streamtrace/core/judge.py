"""The judge: one thread that takes the facts in their order, finds verdicts, and has them recorded and reported.

A reader, or a finaliser in the middle of a garbage collection, only puts a fact into a queue: it takes no lock that
the metrics SDK may hold, and it never judges or exports.
"""

import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from opentelemetry.context import Context

from autogen_streamtrace.core.errors import logger, safely
from autogen_streamtrace.core.evidence import causes
from autogen_streamtrace.core.evidence.body.finish_reasons import FinishReasons
from autogen_streamtrace.core.settled_streams import SettledStreams, Telemetry
from autogen_streamtrace.core.stream.facts import (
    ClientGone,
    Ended,
    Fact,
    Finished,
    Left,
    LoopClosed,
    NeverStarted,
    Stall,
    Stalled,
    Started,
)
from autogen_streamtrace.core.stream.scope import parent_context
from autogen_streamtrace.core.stream.state import Ending, StreamInfo, StreamState, clock
from autogen_streamtrace.core.verdict import limits
from autogen_streamtrace.core.verdict.attribution import Attribution
from autogen_streamtrace.core.watching import loops
from autogen_streamtrace.core.watching.loops import Loops
from autogen_streamtrace.core.watching.recorder import Recorder

MOST: Final = 100_000
"""Facts that wait at most before streams are left unwatched."""

_TOGETHER: Final = 128
"""Facts that are judged and reported together, at most."""
_CROWD: Final = 96
"""Facts for which a busy event loop gives way at once: it takes some 3 ms to judge them."""

_GATHER: Final = 0.02
"""Seconds for which the thread lets facts gather after a quiet time, so that a turn wakes it once."""
_GATHER_BUSY: Final = 0.25
"""The same, at most, where one turn follows another: a batch costs less than its parts. ``gathered`` ends it."""
_QUIET: Final = 0.5
"""Seconds without a fact that make a quiet time."""
_TICK: Final = 0.25
"""Seconds between two looks at the streams that wait."""


class _Asked(NamedTuple):
    """A call that waits until all facts before it are judged."""

    call: Callable[[], object]
    """The call."""
    done: threading.Event


class Judge:
    """Takes the facts of one process.

    The queue is bounded. Where ``MOST`` facts wait, facts are dropped if nothing depends on them: a new stream is not
    watched at all, and an unread stream or a stall is not reported. The end of a watched stream is never dropped, since
    ``open`` would stay wrong. So the queue may grow by two facts for each stream that is open then.

    Args:
        telemetry: counts and reports streams.
        recorder: takes each verdict before its span ends.
        suspect: finds the limit that would explain an ending.
        reasons: what finish reasons mean; by default those of the table that ships.
        event_loops: finds loops that were closed, and drops them.
        settled: called for each stream that is settled and reported.
        loop_late: returns how late an event loop was in a time, as ``Watcher.late``.
        crowd: called where many facts wait; it must not block, nor take a lock.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        recorder: Recorder,
        suspect: limits.Suspect,
        reasons: FinishReasons | None,
        event_loops: Loops,
        settled: Callable[[StreamState], None],
        loop_late: Callable[[int, float, float], float],
        crowd: Callable[[], object],
    ) -> None:
        self._telemetry = telemetry
        self._recorder = recorder
        self._loops = event_loops
        self._crowd = crowd
        self._settled = SettledStreams(telemetry, recorder, settled, loop_late)
        self._facts: SimpleQueue[Fact | _Asked] = SimpleQueue()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._hurry = threading.Event()
        self._rests = True
        """The thread waits for facts, or lets them gather."""
        self._then: Callable[[], object] | None = None
        self._judging = threading.RLock()
        self._retired: tuple[Callable[[], object], ...] = ()
        """The calls to make when the thread ends; none unless it is retired."""
        self.thread: threading.Thread | None = None
        self.attribution = Attribution(suspect, reasons)
        self.dropped = 0
        """Facts that were dropped."""

    # -- facts

    def has_room(self) -> bool:
        """Whether there is room for a fact that may be dropped. If not, counts it as dropped; the first one warns."""
        if self._facts.qsize() < MOST:
            return True
        if not self.dropped:
            logger.warning(
                "%d facts about streams wait to be judged, as many as there is room for: new streams are not watched"
                " until there is room again. Something that exports spans or logs is too slow, such as a"
                " SimpleSpanProcessor; a BatchSpanProcessor is not. This warning appears once.",
                MOST,
            )
        self.dropped += 1
        return False

    def tell(self, fact: Fact | _Asked) -> None:
        """Takes a fact. Safe in a finaliser."""
        self._facts.put(fact)
        if not self._wake.qsize():
            self._wake.put(None)
        if self._facts.qsize() >= _CROWD and self._rests:
            self._crowd()

    @property
    def waiting(self) -> int:
        """The number of facts that wait."""
        return self._facts.qsize()

    def gathered(self, then: Callable[[], object]) -> None:
        """Has the facts judged that have gathered, and calls ``then``. A busy event loop gives way meanwhile.

        It does not give way to a thread that is judging already: an exporter may hold that up.
        """
        if self._facts.qsize() and self._rests:
            self._then = then
            self._hurry.set()
        else:
            then()

    # -- judged and exported

    def drain(self) -> None:
        """Judges and reports all facts so far."""
        with self._judging:
            waiting = self._facts.qsize()
            while waiting > 0:
                facts = [self._facts.get_nowait() for _ in range(min(waiting, _TOGETHER))]
                waiting -= len(facts)
                self._judge(facts)
            safely("judging a stream that waited", self._tick)
            safely("reporting settled streams", self._settled.report)

    def _judge(self, facts: Iterable[Fact | _Asked]) -> None:
        """One step for all facts after the other, as in ``settled_streams``."""
        for fact in facts:
            if isinstance(fact, Ended):
                safely("reading a body", fact.state.look_ahead)
        for fact in facts:
            safely("judging a stream", self._take, fact)
        safely("reporting settled streams", self._settled.report)

    def _tick(self) -> None:
        self._settled.add(self.attribution.tick(clock()))

    def settle(self, timeout: float) -> bool:
        """Waits up to ``timeout`` seconds until all facts so far are judged; returns whether they are."""
        return self._ask(lambda: None, timeout)

    def finish(self, timeout: float) -> bool:
        """Ends every open stream as killed, since the interpreter ends. Waits as ``settle``."""
        return self._ask(lambda: self._settled.add(self.attribution.killed(clock())), timeout)

    def _ask(self, call: Callable[[], object], timeout: float) -> bool:
        """Calls ``call`` on the thread, after all facts so far; without a thread, here."""
        thread = self.thread
        if thread is threading.current_thread():
            return False
        if thread is None or not thread.is_alive():
            with self._judging:
                self.drain()
                call()
                self._settled.report()
            return True
        done = threading.Event()
        self.tell(_Asked(call, done))
        self._hurry.set()
        return done.wait(timeout)

    # -- the thread

    def start(self) -> None:
        """Starts it."""
        self.thread = threading.Thread(target=self._work, name="autogen-streamtrace", daemon=True)
        self.thread.start()

    def retire(self, *ended: Callable[[], object]) -> None:
        """Lets the thread end once all streams that are open now are settled, and makes these calls then."""
        self._retired = ended
        if self.thread is None:
            self._end()
        else:
            self._wake.put(None)

    def _end(self) -> None:
        for call in self._retired:
            call()

    def _work(self) -> None:
        checked = judged = clock()
        busy = False
        while not self._retired or self.attribution.nodes or self._facts.qsize():
            if busy or self._woken():
                self._hurry.wait(_GATHER if clock() - judged > _QUIET else _GATHER_BUSY)
                self._hurry.clear()
            came = self._facts.qsize() > 0
            busy = came and clock() - judged < _QUIET
            if came:
                judged = clock()
            self._rests = False
            then, self._then = self._then, None  # before the facts are counted: it waits for those so far
            self.drain()
            self._rests = True
            if then is not None:
                then()
            if clock() - checked > loops.CHECK:
                checked = clock()
                self._loops.check()
        self.thread = None
        self._end()

    def _woken(self) -> bool:
        """Sleeps until a fact comes, or until a stream that waits has to be looked at; returns whether one came."""
        attribution = self.attribution
        pause = _TICK if attribution.impatient else loops.CHECK if attribution.nodes else None
        try:
            self._wake.get(timeout=pause)
        except Empty:
            return False
        while self._wake.qsize():
            self._wake.get_nowait()
        return True

    def _take(self, fact: Fact | _Asked) -> None:
        attribution = self.attribution
        match fact:
            case Started(state):
                self._settled.add(attribution.started(state))
                self._telemetry.started(state, attribution.nodes[state].outermost)
            case Ended(state, ending):
                self._settled.add(attribution.ended(state, ending))
            case Finished(state, at):
                self._settled.add(attribution.finished(state, at))
            case ClientGone(state, ending, idle):
                self._settled.add(attribution.client_gone(state, ending, idle))
            case NeverStarted(info, context, parent):
                self._tell_never_started(info, context, parent)
            case Stalled(state, stall):
                self._tell_stalled(state, stall)
            case Left(state, ending):
                attribution.left(state, ending)
            case LoopClosed(loop, at):
                self._loops.drop(loop)
                ending = Ending("closed", at, held=True, cause=causes.CLOSED)
                self._settled.add(attribution.stopped(loop, ending))
            case _Asked(call, done):
                try:
                    call()
                    self._settled.report()
                finally:
                    done.set()

    # -- reports

    def _tell_never_started(self, info: StreamInfo, context: Context, parent: StreamState | None) -> None:
        info = self._telemetry.carried(info, context)
        above = parent_context(parent, context)
        self._recorder.counted(self._telemetry.never_started(info, above, parent))

    def _tell_stalled(self, state: StreamState, stall: Stall) -> None:
        node = self.attribution.nodes.get(state)
        if node is not None and node.ending is None:
            node.stalls += stall.first
            node.loop_blocked |= stall.loop_blocked
            self._telemetry.stalled(node, stall)
