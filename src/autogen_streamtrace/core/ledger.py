"""Where every stream is noted: opened and ended by whoever reads it, judged and exported by one thread.

A reader, or a finaliser in the middle of a garbage collection, only puts a fact into a queue: it takes no lock
that the metrics SDK may hold. The queue's order is the order in which things happened.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, get_current_span, set_span_in_context

from . import causes, deadlines, limits, loops
from .case import Case, doing
from .contain import contained, report
from .content import Content
from .endings import How
from .lineage import Lineage
from .loops import Loops
from .names import HTTP, MODEL, NONE, SERVER
from .record import Ending, Opening, Record, clock
from .recording import NotRecording, Recorder
from .scope import current, enclosing, get, parent_context
from .stalls import Stall
from .supervision import process as supervision
from .watcher import Watcher

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

    def carried(self, opening: Opening, context: Context) -> Opening:
        """What is known of a stream, with what its context carries."""

    def span(self, record: Record) -> Span:
        """The span of a stream, started where it has not been."""

    def started(self, record: Record, outermost: bool) -> None:
        """Counts and tells that a stream started."""

    def stalled(self, case: Case, stall: Stall) -> None:
        """Tells that a stream is silent."""

    def ended(self, case: Case) -> None:
        """Ends a stream's span, counts and tells how it ended."""

    def never_started(self, opening: Opening, parent: Context, outermost: bool) -> None:
        """Counts and tells that a stream was created and never read."""

    def forget(self) -> None:
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


class Ledger:
    """The streams of this process.

    Args:
        telemetry: what becomes of the facts.
        flush: sends off what was recorded.
        recorder: keeps what is known of each stream where it survives the process.
        stall_after: seconds of silence that count as a stall.
        captures: contents are recorded.
        suspect: finds the limit that would explain an ending.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        flush: Callable[[], None] = lambda: None,
        recorder: Recorder = _NOT_RECORDING,
        stall_after: float = STALL_AFTER,
        *,
        captures: bool = False,
        suspect: limits.Suspect = limits.no_suspicion,
    ) -> None:
        self._suspect = suspect
        self._telemetry = telemetry
        self._flush = flush
        self._recorder = recorder
        self._stall_after = stall_after
        self.captures = captures
        self.loops = Loops(self._loop_closed)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._facts: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._lineage = lineage = Lineage(self._settled, self._suspect)
        self.watcher = Watcher(
            lambda: list(lineage.open),
            self._facts.qsize,
            self.loops.find,
            self._stalled,
            self._recorder,
            self._stall_after,
        )
        self._judging = threading.RLock()
        self._thread: threading.Thread | None = None
        self._retired = False
        self._keyed: dict[str, Record] = {}

    # -- told by whoever reads a stream

    def begin(self, opening: Opening) -> Record | None:
        """Notes a stream's first read.

        None where nobody watches, where it is the stream around it, or where that failed: it is then read unwatched.
        """
        return self.open(opening, enclosing)

    def open(self, opening: Opening, parent: Callable[[], Record | None], start: float = 0.0) -> Record | None:
        """The same, for a stream that says itself in which other one it starts, and that may have started before.

        Args:
            opening: what is known of it.
            parent: finds the stream around it.
            start: when it started, in seconds on ``clock``; 0 is now.
        """
        if self._retired:
            return None
        try:
            above = parent()
            if above is not None and _same(above, opening):
                return None
            record = Record(self._telemetry.carried(opening, get()), above, self.loops.running())
            if self.captures and record.content is None:
                record.content = Content()
            if start:
                record.start_ns = record.nanoseconds(start)
                record.start = record.asked = record.last = start
            record.context = parent_context(above)
            if record.layer != HTTP or not _postponed(record):
                self._telemetry.span(record)
            self._recorder.started(record)
            if opening.key:
                self._keyed[opening.key] = record
            self._tell(("started", record))
            self.watcher.wake()
            return record
        except Exception as defect:
            report("opening a stream", defect)
            return None

    def keyed(self, key: str) -> Record | None:
        """The open stream whose ``Opening.key`` this is."""
        return self._keyed.get(key)

    def never(self, opening: Opening, context: Context) -> None:
        """Notes a stream that was created in ``context`` and dropped unread."""
        if not self._retired:
            self._tell(("never", opening, (context, current(context))))

    def end(
        self,
        record: Record,
        how: How,
        error: BaseException | None = None,
        *,
        thrown_in: bool = False,
        over: bool = True,
    ) -> None:
        """Notes a stream's end for its reader; only the first counts. Safe in a finaliser."""
        if record.closed:
            return
        record.closed = True
        at = clock()
        try:
            if record.content is not None and error is not None:
                record.content.error = str(error)
            cause = causes.CLOSED if how == "closed" else causes.read(error) if error is not None else None
            if record.failure is not None and error is None:
                how, cause = "raised", record.failure
            cancelled = cause is not None and cause.kind == "cancelled"
            stopped = cancelled or how == "closed"
            shutdown = (cancelled or record.layer == SERVER) and self.loops.shutting_down(record.loop)
            ending = Ending(
                how,
                at,
                held=record.held and how == "closed",
                cause=cause,
                thrown_in=thrown_in,
                by_token=cancelled and _by_token(record),
                shutdown=shutdown,
                parent_chunks=_delivered(record),
                deadline=deadlines.striking(error) if stopped else None,
                grace=self.loops.grace(record.loop, at) if shutdown else None,
                over=over,
            )
        except Exception as defect:
            report("reading an ending", defect)
            ending = Ending(how, at, over=over, cause=causes.CLOSED if how != "returned" else None)
        self._recorder.ended(record, ending)
        self._tell(("ended", record, ending))

    def left(self, record: Record, *, idle: bool, shutdown: bool = False) -> None:
        """Notes that the end user of a server layer's stream is gone, or was cut off by ``shutdown``.

        Only the first counts. It ends for its reader now, and really when ``end`` is told. Where ``idle``, only if
        some stream in it is open: a connection that may stay open between two answers is not cut between them.
        """
        at = clock()
        closed = Ending(
            "closed",
            at,
            held=record.held,
            cause=causes.CLOSED,
            gone=True,
            shutdown=shutdown,
            grace=self.loops.grace(record.loop, at) if shutdown else None,
            over=False,
        )
        self._tell(("left", record, (closed, idle)))

    def over(self, record: Record) -> None:
        """Notes that a stream which had ended for its reader really ended."""
        at = clock()
        self._recorder.over(record, at)
        self._tell(("over", record, at))

    def open_streams(self) -> list[OpenStream]:
        """What is open now, oldest first."""
        self.drain()
        with self._judging:
            now = clock()
            open_now = [case for case in self._lineage.open if case.ending is None]
            return [_open_stream(case, self._telemetry.span(case.record), now) for case in open_now]

    # -- judged and exported

    def drain(self) -> None:
        """Judges and exports all that was told so far."""
        with self._judging:
            for _ in range(self._facts.qsize()):
                self._take(self._facts.get_nowait())
            with contained("judging a stream that waited"):
                self._lineage.tick(clock())

    def flush(self) -> None:
        """Judges and exports all that was told so far, and sends it off."""
        self.drain()
        self._flush()

    def busy(self, loop: int) -> bool:
        """Streams of this event loop have not really ended."""
        self.drain()
        return any(case.record.loop == loop for case in list(self._lineage.open))

    @property
    def idle(self) -> bool:
        """Nothing is open, and nothing waits to be judged."""
        self.drain()
        return not self._lineage.open

    def finish(self) -> None:
        """The interpreter ends: what is still open was killed."""
        with self._judging:
            self.drain()
            self._lineage.killed(clock())

    @property
    def waiting(self) -> int:
        """Facts that wait for the thread."""
        return self._facts.qsize()

    def oldest(self) -> dict[str, float]:
        """Age in seconds of the oldest open stream of each layer."""
        now, ages = clock(), dict[str, float]()
        for case in list(self._lineage.open):
            ages.setdefault(case.record.layer, now - case.record.start)
        return ages

    def stalled(self) -> list[Case]:
        """The streams that are stalled now."""
        return self.watcher.stalled()

    def _loop_closed(self, loop: int, at: float) -> None:
        self._tell(("loop closed", loop, at))

    def _stalled(self, case: Case, stall: Stall) -> None:
        self._tell(("stalled", case, stall))

    def forget(self) -> None:
        """After a fork: the parent's streams are not this process's."""
        self.loops.forget()
        supervision.forget()
        self._telemetry.forget()
        self._recorder.forked()
        self._begin_anew()

    def start(self) -> None:
        """Starts the thread that judges and the one that watches; once a process."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="autogen-streamtrace", daemon=True)
            self._thread.start()
            self.watcher.start()

    def retire(self) -> None:
        """Lets the thread end as soon as the streams that are open now have ended."""
        self._retired = True
        self._tell(("retired", None))

    def _tell(self, fact: tuple[Any, ...]) -> None:
        self._facts.put(fact)
        self._wake.put(None)

    def _work(self) -> None:
        facts, wake, watcher = self._facts, self._wake, self.watcher
        checked = woken = clock()
        while not self._retired or self._lineage.open or facts.qsize():
            pause = _TICK if self._lineage.impatient else loops.CHECK if self._lineage.open else None
            with contextlib.suppress(Empty):
                wake.get(timeout=pause)
                quiet = clock() - woken > _QUIET
                time.sleep(_GATHER if quiet else _GATHER_BUSY)
                woken = clock()
                while wake.qsize():
                    wake.get_nowait()
            self.drain()
            if clock() - checked > loops.CHECK:
                checked = clock()
                self.loops.check()
        watcher.stop()

    def _take(self, fact: tuple[Any, ...]) -> None:
        try:
            self._apply(*fact)
        except Exception as defect:
            report("judging a stream", defect)

    def _apply(self, what: str, about: Any, more: Any = None) -> None:
        if what == "started":
            case = self._lineage.started(about)
            self._telemetry.started(about, case.outermost)
        elif what == "stalled":
            self._told_of_stall(about, more)
        elif what == "ended" and self._own(about):
            self._lineage.ended(about.case, more)
        elif what == "left" and self._own(about):
            self._lineage.left(about.case, *more)
        elif what == "over" and self._own(about):
            self._lineage.over(about.case, more)
        elif what == "never":
            context, parent = more
            opening = self._telemetry.carried(about, context)
            self._telemetry.never_started(opening, parent_context(parent, context), parent is None)
        elif what == "loop closed":
            self.loops.drop(about)
            self._lineage.stopped(about, Ending("closed", more, held=True, cause=causes.CLOSED))

    def _told_of_stall(self, case: Case, stall: Stall) -> None:
        if case.ending is None:
            case.stalls += stall.first
            case.loop_blocked |= stall.loop_blocked
            self._telemetry.stalled(case, stall)

    def _own(self, record: Record) -> bool:
        """It was opened in this process: in a forked child the parent's streams end too, with its memory."""
        return record.case is not None and record.case.lineage is self._lineage

    def _settled(self, case: Case) -> None:
        record = case.record
        record.tail = None
        if self._keyed.get(record.opening.key) is record:
            del self._keyed[record.opening.key]
        self._telemetry.ended(case)
        record.parent = case.parent = None  # contexts of tasks and kept connections may hold a record for long


def _postponed(record: Record) -> bool:
    """An exchange has no children, so its span, which takes memory while it is open, is started at its end.

    Until then only the identity of the span above it is kept; where there is none, its trace would be unknown.
    """
    assert record.context is not None
    above = get_current_span(record.context).get_span_context()
    if above.is_valid:
        record.context = set_span_in_context(NonRecordingSpan(above), record.context)
    return above.is_valid


def _same(above: Record, opening: Opening) -> bool:
    """It is the stream around it, of which that one hands on what it reads: a client around another, a ``super()``."""
    if above.closed or above.layer != opening.layer:
        return False
    return above.layer == MODEL or (opening.subject != 0 and above.opening.subject == opening.subject)


def _delivered(record: Record) -> int:
    return record.parent.chunks if record.parent is not None else 0


def _by_token(record: Record) -> bool:
    """A ``CancellationToken`` of this stream or of one around it was cancelled.

    It is read without its lock, which ``cancel()`` holds while it calls back.
    """
    link: Record | None = record
    while link is not None and not getattr(link.opening.token(), "_cancelled", False):
        link = link.parent
    return link is not None


def _open_stream(case: Case, span: Span, now: float) -> OpenStream:
    record, context = case.record, span.get_span_context()
    return OpenStream(
        layer=record.layer,
        name=record.name,
        age=now - record.start,
        silent_for=now - record.last,
        chunks=record.chunks,
        waiting_on=" ".join(filter(None, doing(case))) or NONE,
        trace_id=format(context.trace_id, "032x"),
        span_id=format(context.span_id, "016x"),
    )
