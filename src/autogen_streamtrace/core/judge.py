"""The judge: one thread takes the facts in their order, finds verdicts, and has them recorded and told.

A reader, or a finaliser in the middle of a garbage collection, only puts a fact into a queue: it takes no lock that
the metrics SDK may hold, and it never judges or exports.
"""

import contextlib
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import Span

from autogen_streamtrace.core.errors import contained, logger
from autogen_streamtrace.core.evidence import causes
from autogen_streamtrace.core.evidence.body.finish_reasons import FinishReasons
from autogen_streamtrace.core.semconv import HTTP
from autogen_streamtrace.core.stream.facts import (
    ClientGone,
    Ended,
    Fact,
    Finished,
    LoopClosed,
    NeverStarted,
    Stall,
    Stalled,
    Started,
)
from autogen_streamtrace.core.stream.scope import parent_context
from autogen_streamtrace.core.stream.state import Ending, StreamInfo, StreamLabels, StreamState, clock
from autogen_streamtrace.core.verdict import limits
from autogen_streamtrace.core.verdict.attribution import Attribution, Settled
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.verdict.servers import Servers
from autogen_streamtrace.core.watching import loops
from autogen_streamtrace.core.watching.loops import Loops
from autogen_streamtrace.core.watching.recorder import CounterLabels, Recorder, Report

MOST: Final = 100_000
"""Facts that wait at most before streams are left unwatched."""

_GATHER: Final = 0.02
"""Seconds in which the thread lets facts gather after a quiet time, so that a turn wakes it once."""
_GATHER_BUSY: Final = 0.1
"""The same where one turn follows the other: a batch costs less than its parts."""
_QUIET: Final = 0.5
"""Seconds without a fact that make a quiet time."""
_TICK: Final = 0.25
"""Seconds between two looks at the streams that wait."""


class Telemetry(Protocol):
    """What becomes of the facts."""

    def carried(self, info: StreamInfo, context: Context) -> StreamInfo:
        """What is known of a stream, with what its context carries."""

    def labels(self, info: StreamInfo) -> StreamLabels:
        """Under which a stream is counted from its opening on."""

    def span(self, state: StreamState) -> Span:
        """The span of a stream, started where it has not been."""

    def started(self, state: StreamState, outermost: bool) -> None:
        """Counts and tells that a stream started."""

    def stalled(self, node: StreamNode, stall: Stall) -> None:
        """Tells that a stream is silent."""

    def counted(self, node: StreamNode) -> Report:
        """Counts a stream that is over, and says what is to be told of it."""

    def ended(self, node: StreamNode, report: Report) -> None:
        """Ends a stream's span and tells how it ended."""

    def never_started(self, info: StreamInfo, parent: Context, outermost: bool) -> CounterLabels:
        """Counts and tells that a stream was created and never read."""

    def reset_after_fork(self) -> None:
        """After a fork: what was counted is the parent's."""


class _Asked(NamedTuple):
    """Somebody waits until all that was told before is judged."""

    call: Callable[[], object]
    """What is to be done then."""
    done: threading.Event


class Judge:
    """Takes the facts of one process.

    The queue is bounded. Where ``MOST`` facts wait, what can be left out without a trace is left out: a stream is not
    watched from its start, so that nothing of it is told later; an unread stream or a stall is not told. The end of a
    stream whose start was taken is never left out, since ``open`` would be wrong for ever: the queue may grow by the
    two ends of each stream that is open then.

    Args:
        telemetry: what becomes of the facts.
        recorder: learns of each verdict before its span ends.
        suspect: finds the limit that would explain an ending.
        reasons: what finish reasons mean; by default those of the table that ships.
        event_loops: learns that a loop was closed, and looks for such loops now and then.
        settled: is called for each stream that is over and told.
        loop_late: says for how long an event loop was late in a time, as ``Watcher.late``.
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
    ) -> None:
        self._telemetry = telemetry
        self._recorder = recorder
        self._loops = event_loops
        self._let_go = settled
        self._loop_late = loop_late
        self._facts: SimpleQueue[Fact | _Asked] = SimpleQueue()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._hurry = threading.Event()
        self._judging = threading.RLock()
        self._over: Callable[[], object] | None = None
        """Called by the thread when it ends; None where it is not to end."""
        self.thread: threading.Thread | None = None
        self._servers = Servers()
        self.attribution = Attribution(suspect, reasons)
        self.dropped = 0
        """Facts that were left out."""

    # -- told by whoever knows a fact

    def has_room(self) -> bool:
        """A fact may be told that could also be left out; else it is counted as left out, and that is said once."""
        if self._facts.qsize() < MOST:
            return True
        if not self.dropped:
            logger.warning(
                "%d facts about streams wait to be told, as many as there is room for: new streams are not watched"
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

    @property
    def waiting(self) -> int:
        """Facts that wait."""
        return self._facts.qsize()

    # -- judged and exported

    def drain(self) -> None:
        """Judges and exports all that was told so far."""
        with self._judging:
            for _ in range(self._facts.qsize()):
                fact = self._facts.get_nowait()
                with contained("judging a stream"):
                    self._take(fact)
            with contained("judging a stream that waited"):
                self._tell_settled(self.attribution.tick(clock()))

    def settle(self, timeout: float) -> bool:
        """Has the thread judge all that was told so far; whether that is done ``timeout`` seconds later."""
        return self._ask(lambda: None, timeout)

    def finish(self, timeout: float) -> bool:
        """The interpreter ends: what is still open was killed. Waits as ``settle``."""
        return self._ask(lambda: self._tell_settled(self.attribution.killed(clock())), timeout)

    def _ask(self, call: Callable[[], object], timeout: float) -> bool:
        """Calls ``call`` on the thread, after all that was told so far; here, where there is no thread."""
        thread = self.thread
        if thread is threading.current_thread():
            return False
        if thread is None or not thread.is_alive():
            with self._judging:
                self.drain()
                call()
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

    def retire(self, over: Callable[[], object]) -> None:
        """Lets it end as soon as the streams that are open now have ended; then ``over`` is called."""
        self._over = over
        if self.thread is None:
            over()
        else:
            self._wake.put(None)

    def _work(self) -> None:
        facts, wake, nodes = self._facts, self._wake, self.attribution.nodes
        checked = woken = clock()
        while self._over is None or nodes or facts.qsize():
            pause = _TICK if self.attribution.impatient else loops.CHECK if nodes else None
            with contextlib.suppress(Empty):
                wake.get(timeout=pause)
                quiet = clock() - woken > _QUIET
                self._hurry.wait(_GATHER if quiet else _GATHER_BUSY)
                self._hurry.clear()
                woken = clock()
                while wake.qsize():
                    wake.get_nowait()
            self.drain()
            if clock() - checked > loops.CHECK:
                checked = clock()
                self._loops.check()
        self.thread = None
        self._over()

    def _take(self, fact: Fact | _Asked) -> None:
        attribution = self.attribution
        match fact:
            case Started(state):
                self._tell_settled(attribution.started(state))
                self._telemetry.started(state, attribution.nodes[state].outermost)
            case Ended(state, ending):
                self._tell_settled(attribution.ended(state, ending))
            case Finished(state, at):
                self._tell_settled(attribution.finished(state, at))
            case ClientGone(state, ending, idle):
                self._tell_settled(attribution.client_gone(state, ending, idle))
            case NeverStarted(info, context, parent):
                self._tell_never_started(info, context, parent)
            case Stalled(state, stall):
                self._tell_stalled(state, stall)
            case LoopClosed(loop, at):
                self._loops.drop(loop)
                ending = Ending("closed", at, held=True, cause=causes.CLOSED)
                self._tell_settled(attribution.stopped(loop, ending))
            case _Asked(call, done):
                try:
                    call()
                finally:
                    done.set()

    # -- told

    def _tell_settled(self, settled: Settled) -> None:
        """Each in a containment of its own: what fails in one costs the others nothing."""
        for node in settled:
            state = node.state
            with contained("reading what its server showed"):
                node.loop_late = self._loop_late(state.loop, state.start, node.ended_at)
                self._servers.settled(node)
            with contained("telling how a stream ended"):
                report = self._telemetry.counted(node)
                with contained("recording a verdict"):
                    self._recorder.judged(state, report)
                self._telemetry.ended(node, report)
            state.tail = None
            state.over = True
            node.release()
            self._let_go(state)

    def _tell_never_started(self, info: StreamInfo, context: Context, parent: StreamState | None) -> None:
        info = self._telemetry.carried(info, context)
        above = parent_context(parent, context)
        self._recorder.counted(self._telemetry.never_started(info, above, parent is None and info.layer != HTTP))

    def _tell_stalled(self, state: StreamState, stall: Stall) -> None:
        node = self.attribution.nodes.get(state)
        if node is not None and node.ending is None:
            node.stalls += stall.first
            node.loop_blocked |= stall.loop_blocked
            self._telemetry.stalled(node, stall)
