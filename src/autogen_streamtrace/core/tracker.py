"""Where every stream is noted: opened and ended by whoever reads it, judged and exported by one thread.

A reader, or a finaliser in the middle of a garbage collection, only puts a fact into a queue: it takes no lock
that the metrics SDK may hold. The queue's order is the order in which things happened.
"""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, get_current_span, set_span_in_context

from autogen_streamtrace.core.errors import contained, report
from autogen_streamtrace.core.evidence import causes, deadlines
from autogen_streamtrace.core.evidence.content import Content
from autogen_streamtrace.core.semconv import HTTP, MODEL, NONE, SERVER
from autogen_streamtrace.core.stream.scope import current, enclosing, get, parent_context
from autogen_streamtrace.core.stream.state import Ending, How, StreamInfo, StreamState, clock
from autogen_streamtrace.core.verdict import limits
from autogen_streamtrace.core.verdict.attribution import Attribution
from autogen_streamtrace.core.verdict.node import StreamNode, doing
from autogen_streamtrace.core.verdict.servers import Servers
from autogen_streamtrace.core.watching import loops
from autogen_streamtrace.core.watching.loops import Loops
from autogen_streamtrace.core.watching.recorder import NotRecording, Recorder
from autogen_streamtrace.core.watching.stalls import Stall
from autogen_streamtrace.core.watching.supervision import process as supervision
from autogen_streamtrace.core.watching.watcher import Watcher

_GATHER: Final = 0.02
"""Seconds in which the thread lets facts gather after a quiet time, so that a turn wakes it once."""
_GATHER_BUSY: Final = 0.1
"""The same where one turn follows the other: a batch costs less than its parts."""
_QUIET: Final = 0.5
"""Seconds without a fact that make a quiet time."""
_TICK: Final = 0.25
"""Seconds between two looks at the streams that wait."""
STALL_AFTER: Final = 10.0
"""Seconds of silence that count as a stall."""
_NOT_RECORDING: Final = NotRecording()


class Telemetry(Protocol):
    """What becomes of the facts."""

    def carried(self, info: StreamInfo, context: Context) -> StreamInfo:
        """What is known of a stream, with what its context carries."""

    def span(self, state: StreamState) -> Span:
        """The span of a stream, started where it has not been."""

    def started(self, state: StreamState, outermost: bool) -> None:
        """Counts and tells that a stream started."""

    def stalled(self, node: StreamNode, stall: Stall) -> None:
        """Tells that a stream is silent."""

    def ended(self, node: StreamNode) -> None:
        """Ends a stream's span, counts and tells how it ended."""

    def never_started(self, info: StreamInfo, parent: Context, outermost: bool) -> None:
        """Counts and tells that a stream was created and never read."""

    def reset_after_fork(self) -> None:
        """After a fork: what was counted is the parent's."""


@dataclass(frozen=True)
class OpenStream:
    """A stream that is open now."""

    layer: str
    name: str
    age: float
    """Seconds since its first read."""
    silent_for: float
    """Seconds since its last item."""
    chunks: int
    waiting_on: str
    trace_id: str
    span_id: str


class StreamTracker:
    """The streams of this process.

    Args:
        telemetry: what becomes of the facts.
        begin: called at the first stream of a process that was forked: what it takes to watch streams is not there.
        leave: called by ``leave``.
        recorder: keeps what is known of each stream where it survives the process.
        stall_after: seconds of silence that count as a stall.
        captures: contents are recorded.
        suspect: finds the limit that would explain an ending.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        begin: Callable[[], object] | None = None,
        leave: Callable[[float], object] = lambda timeout: None,
        recorder: Recorder = _NOT_RECORDING,
        stall_after: float = STALL_AFTER,
        *,
        captures: bool = False,
        suspect: limits.Suspect = limits.no_suspicion,
    ) -> None:
        self._suspect = suspect
        self._telemetry = telemetry
        self._begin = begin or self.start
        self._leave = leave
        self._recorder = recorder
        self._stall_after = stall_after
        self.captures = captures
        self.retired = False
        """No stream is opened any more."""
        self._ended: Callable[[], object] = _nothing
        self.loops = Loops(self._loop_closed)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._facts: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._hurry = threading.Event()
        self._attribution = attribution = Attribution(self._settled, self._suspect)
        self.watcher = Watcher(
            lambda: list(attribution.open),
            self._facts.qsize,
            self.loops.find,
            self._stalled,
            self._recorder,
            self._stall_after,
        )
        self._judging = threading.RLock()
        self._thread: threading.Thread | None = None
        self._keyed: dict[str, StreamState] = {}
        self._servers = Servers()

    # -- told by whoever reads a stream

    def begin(self, info: StreamInfo) -> StreamState | None:
        """Notes a stream's first read.

        None where nobody watches, where it is the stream around it, or where that failed: it is then read unwatched.
        """
        return self.open(info, enclosing)

    def open(
        self, info: StreamInfo, parent: Callable[[], StreamState | None], start: float = 0.0
    ) -> StreamState | None:
        """The same, for a stream that says itself in which other one it starts, and that may have started before.

        Args:
            info: what is known of it.
            parent: finds the stream around it.
            start: when it started, in seconds on ``clock``; 0 is now.
        """
        if self.retired:
            return None
        try:
            if self._thread is None:
                self._begin()
            above = parent()
            if above is not None and _same(above, info):
                return None
            state = StreamState(self._telemetry.carried(info, get()), above, self.loops.running())
            if self.captures and state.content is None:
                state.content = Content()
            if start:
                state.start_ns = state.nanoseconds(start)
                state.start = state.asked = state.last = start
            state.context = parent_context(above)
            if state.layer != HTTP or not _postponed(state):
                self._telemetry.span(state)
            self._recorder.started(state)
            if info.key:
                self._keyed[info.key] = state
            self._tell(("started", state))
            self.watcher.wake()
            return state
        except Exception as defect:
            report("opening a stream", defect)
            return None

    def keyed(self, key: str) -> StreamState | None:
        """The open stream whose ``StreamInfo.key`` this is."""
        return self._keyed.get(key)

    def never(self, info: StreamInfo, context: Context) -> None:
        """Notes a stream that was created in ``context`` and dropped unread."""
        if not self.retired:
            self._tell(("never", info, (context, current(context))))

    def end(
        self,
        state: StreamState,
        how: How,
        error: BaseException | None = None,
        *,
        thrown_in: bool = False,
        over: bool = True,
    ) -> None:
        """Notes a stream's end for its reader; only the first counts. Safe in a finaliser."""
        if state.closed:
            return
        state.closed = True
        at = clock()
        try:
            if state.exchange is not None:
                state.exchange.over(how, error, state.status, at)
            if state.content is not None and error is not None:
                state.content.error = str(error)
            cause = causes.CLOSED if how == "closed" else causes.read(error) if error is not None else None
            if state.failure is not None and error is None:
                how, cause = "raised", state.failure
            cancelled = cause is not None and cause.kind == "cancelled"
            stopped = cancelled or how == "closed"
            shutdown = (cancelled or state.layer == SERVER) and self.loops.shutting_down(state.loop)
            ending = Ending(
                how,
                at,
                held=state.held and how == "closed",
                cause=cause,
                thrown_in=thrown_in,
                by_token=cancelled and _by_token(state),
                shutdown=shutdown,
                parent_chunks=_delivered(state),
                deadline=deadlines.striking(error) if stopped else None,
                grace=self.loops.grace(state.loop, at) if shutdown else None,
                over=over,
            )
        except Exception as defect:
            report("reading an ending", defect)
            ending = Ending(how, at, over=over, cause=causes.CLOSED if how != "returned" else None)
        self._recorder.ended(state, ending)
        self._tell(("ended", state, ending))

    def left(self, state: StreamState, *, idle: bool, shutdown: bool = False) -> None:
        """Notes that the end user of a server layer's stream is gone, or was cut off by ``shutdown``.

        Only the first counts. It ends for its reader now, and really when ``end`` is told. Where ``idle``, only if
        some stream in it is open: a connection that may stay open between two answers is not cut between them.
        """
        at = clock()
        closed = Ending(
            "closed",
            at,
            held=state.held,
            cause=causes.CLOSED,
            gone=True,
            shutdown=shutdown,
            grace=self.loops.grace(state.loop, at) if shutdown else None,
            over=False,
        )
        self._tell(("left", state, (closed, idle)))

    def over(self, state: StreamState) -> None:
        """Notes that a stream which had ended for its reader really ended."""
        at = clock()
        self._recorder.over(state, at)
        self._tell(("over", state, at))

    def open_streams(self) -> list[OpenStream]:
        """What is open now, oldest first."""
        self.drain()
        with self._judging:
            now = clock()
            open_now = [node for node in self._attribution.open if node.ending is None]
            return [_open_stream(node, self._telemetry.span(node.state), now) for node in open_now]

    # -- judged and exported

    def drain(self) -> None:
        """Judges and exports all that was told so far."""
        with self._judging:
            for _ in range(self._facts.qsize()):
                self._take(self._facts.get_nowait())
            with contained("judging a stream that waited"):
                self._attribution.tick(clock())

    def settle(self, timeout: float) -> bool:
        """Has the thread judge all that was told so far.

        Args:
            timeout: seconds to wait for it, at most.

        Returns:
            Whether that is done. Never, where the thread itself asks.
        """
        return self._ask(_nothing, timeout)

    def finish(self, timeout: float) -> bool:
        """The interpreter ends: what is still open was killed. Waits as ``settle``."""
        return self._ask(lambda: self._attribution.killed(clock()), timeout)

    def leave(self, timeout: float) -> None:
        """A server has shut down, and this process may end without another word: all of it is to be out by then.

        Waits up to ``timeout`` seconds, and never raises.
        """
        with contained("letting all go before a process ends"):
            self._leave(timeout)

    def busy(self, loop: int) -> bool:
        """Streams of this event loop have not really ended, or that is not yet known."""
        return bool(self.waiting) or any(node.state.loop == loop for node in list(self._attribution.open))

    @property
    def idle(self) -> bool:
        """Nothing is open, and nothing waits to be judged."""
        return not self.waiting and not self._attribution.open

    def _ask(self, call: Callable[[], object], timeout: float) -> bool:
        """Calls ``call`` on the thread, after all that was told so far; here, where there is no thread."""
        thread = self._thread
        if thread is threading.current_thread():
            return False
        if thread is None or not thread.is_alive():
            with self._judging:
                self.drain()
                call()
            return True
        done = threading.Event()
        self._tell(("asked", call, done))
        self._hurry.set()
        return done.wait(timeout)

    @property
    def waiting(self) -> int:
        """Facts that wait for the thread."""
        return self._facts.qsize()

    def oldest(self) -> dict[str, float]:
        """Age in seconds of the oldest open stream of each layer."""
        now, ages = clock(), dict[str, float]()
        for node in list(self._attribution.open):
            ages.setdefault(node.state.layer, now - node.state.start)
        return ages

    def stalled(self) -> list[StreamNode]:
        """The streams that are stalled now."""
        return self.watcher.stalled()

    def _loop_closed(self, loop: int, at: float) -> None:
        self._tell(("loop closed", loop, at))

    def _stalled(self, node: StreamNode, stall: Stall) -> None:
        self._tell(("stalled", node, stall))

    def reset_after_fork(self) -> None:
        """After a fork: the parent's streams are not this process's."""
        self.loops.reset_after_fork()
        supervision.reset_after_fork()
        self._telemetry.reset_after_fork()
        self._recorder.forked()
        self._begin_anew()

    def start(self) -> None:
        """Starts the thread that judges and the one that watches; once a process."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="autogen-streamtrace", daemon=True)
            self._thread.start()
            self.watcher.start()

    def retire(self, ended: Callable[[], object]) -> None:
        """Lets the thread end as soon as the streams that are open now have ended; then calls ``ended`` on it."""
        self._ended = ended
        self.retired = True
        if self._thread is None:
            ended()
        else:
            self._tell(("retired", None))

    def _tell(self, fact: tuple[Any, ...]) -> None:
        self._facts.put(fact)
        self._wake.put(None)

    def _work(self) -> None:
        facts, wake, watcher = self._facts, self._wake, self.watcher
        checked = woken = clock()
        while not self.retired or self._attribution.open or facts.qsize():
            pause = _TICK if self._attribution.impatient else loops.CHECK if self._attribution.open else None
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
                self.loops.check()
        watcher.stop()
        self._thread = None
        self._ended()

    def _take(self, fact: tuple[Any, ...]) -> None:
        try:
            self._apply(*fact)
        except Exception as defect:
            report("judging a stream", defect)

    def _apply(self, what: str, about: Any, more: Any = None) -> None:
        if what == "started":
            node = self._attribution.started(about)
            self._telemetry.started(about, node.outermost)
        elif what == "stalled":
            self._told_of_stall(about, more)
        elif what == "ended" and self._own(about):
            self._attribution.ended(about.node, more)
        elif what == "left" and self._own(about):
            self._attribution.left(about.node, *more)
        elif what == "over" and self._own(about):
            self._attribution.over(about.node, more)
        elif what == "never":
            context, parent = more
            info = self._telemetry.carried(about, context)
            self._telemetry.never_started(info, parent_context(parent, context), parent is None)
        elif what == "asked":
            try:
                about()
            finally:
                more.set()
        elif what == "loop closed":
            self.loops.drop(about)
            self._attribution.stopped(about, Ending("closed", more, held=True, cause=causes.CLOSED))

    def _told_of_stall(self, node: StreamNode, stall: Stall) -> None:
        if node.ending is None:
            node.stalls += stall.first
            node.loop_blocked |= stall.loop_blocked
            self._telemetry.stalled(node, stall)

    def _own(self, state: StreamState) -> bool:
        """It was opened in this process: in a forked child the parent's streams end too, with its memory."""
        return state.node is not None and state.node.attribution is self._attribution

    def _settled(self, node: StreamNode) -> None:
        state = node.state
        self._servers.settled(node)
        state.tail = None
        if self._keyed.get(state.info.key) is state:
            del self._keyed[state.info.key]
        self._telemetry.ended(node)
        state.parent = node.parent = None  # contexts of tasks and kept connections may hold a record for long


def _nothing() -> None:
    pass


def _postponed(state: StreamState) -> bool:
    """An exchange has no children, so its span, which takes memory while it is open, is started at its end.

    Until then only the identity of the span above it is kept; where there is none, its trace would be unknown.
    """
    assert state.context is not None
    above = get_current_span(state.context).get_span_context()
    if above.is_valid:
        state.context = set_span_in_context(NonRecordingSpan(above), state.context)
    return above.is_valid


def _same(above: StreamState, info: StreamInfo) -> bool:
    """It is the stream around it, of which that one hands on what it reads: a client around another, a ``super()``."""
    if above.closed or above.layer != info.layer:
        return False
    return above.layer == MODEL or (info.subject != 0 and above.info.subject == info.subject)


def _delivered(state: StreamState) -> int:
    return state.parent.chunks if state.parent is not None else 0


def _by_token(state: StreamState) -> bool:
    """A ``CancellationToken`` of this stream or of one around it was cancelled.

    It is read without its lock, which ``cancel()`` holds while it calls back.
    """
    link: StreamState | None = state
    while link is not None and not getattr(link.info.token(), "_cancelled", False):
        link = link.parent
    return link is not None


def _open_stream(node: StreamNode, span: Span, now: float) -> OpenStream:
    state, context = node.state, span.get_span_context()
    return OpenStream(
        layer=state.layer,
        name=state.name,
        age=now - state.start,
        silent_for=now - state.last,
        chunks=state.chunks,
        waiting_on=" ".join(filter(None, doing(node))) or NONE,
        trace_id=format(context.trace_id, "032x"),
        span_id=format(context.span_id, "016x"),
    )
