"""Where every stream is noted: opened and ended by whoever reads it. ``judge`` does the rest in a thread of its own."""

import threading
from collections.abc import Callable
from typing import Final

from opentelemetry.context import Context

from autogen_streamtrace.core import open_streams
from autogen_streamtrace.core.ending import read_client_gone, read_ending
from autogen_streamtrace.core.errors import contained, report
from autogen_streamtrace.core.evidence import causes
from autogen_streamtrace.core.evidence.body.finish_reasons import FinishReasons
from autogen_streamtrace.core.evidence.content import Content
from autogen_streamtrace.core.judge import Judge, Telemetry
from autogen_streamtrace.core.open_streams import OpenStream
from autogen_streamtrace.core.opening import going_on, is_same, postponed
from autogen_streamtrace.core.semconv import HTTP
from autogen_streamtrace.core.stream import facts
from autogen_streamtrace.core.stream.scope import current, enclosing, get, parent_context
from autogen_streamtrace.core.stream.state import Ending, How, StreamInfo, StreamState, clock
from autogen_streamtrace.core.verdict import limits
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.watching.loops import Loops
from autogen_streamtrace.core.watching.recorder import NotRecording, Recorder
from autogen_streamtrace.core.watching.supervision import process as supervision
from autogen_streamtrace.core.watching.watcher import Watcher

STALL_AFTER: Final = 10.0
"""Seconds of silence that count as a stall."""
_NOT_RECORDING: Final = NotRecording()


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
        reasons: what finish reasons mean; by default those of the table that ships.
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
        reasons: FinishReasons | None = None,
    ) -> None:
        self._suspect = suspect
        self._reasons = reasons
        self._telemetry = telemetry
        self._begin = begin or self.start
        self._leave = leave
        self._recorder = recorder
        self._stall_after = stall_after
        self.captures = captures
        self.retired = False
        """No stream is opened any more."""
        self.loops = Loops(self._loop_closed)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.judge = judge = Judge(
            self._telemetry, self._recorder, self._suspect, self._reasons, self.loops, self._settled, self._loop_late
        )
        self.watcher = Watcher(
            lambda: judge.attribution.open,
            lambda: judge.waiting,
            self.loops.known,
            self._stalled,
            self._recorder,
            self._stall_after,
        )
        self._keyed: dict[str, StreamState] = {}
        self._keying = threading.Lock()
        """A team may run again while its last run is settled. No finaliser takes it."""
        self._open: dict[StreamState, None] = {}
        """Streams that have not really ended, in the order in which they started."""

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
        if self.retired or not self.judge.has_room():
            return None
        try:
            if self.judge.thread is None:
                self._begin()
            above = going_on(parent())
            if above is not None and is_same(above, info):
                return None
            state = StreamState(self._telemetry.carried(info, get()), above, self.loops.running())
            state.labels = self._telemetry.labels(state.info)
            if self.captures and state.content is None:
                state.content = Content()
            if start:
                state.start_ns = state.nanoseconds(start)
                state.start = state.asked = state.last = start
            state.context = parent_context(above)
            if state.layer != HTTP or not postponed(state):
                self._telemetry.span(state)
        except Exception as defect:
            report("opening a stream", defect)
            return None
        try:
            self._recorder.started(state)
        except Exception as defect:
            report("recording a stream", defect)
        if info.key:
            with self._keying:
                self._keyed[info.key] = state
        self._open[state] = None
        self.judge.tell(facts.Started(state))
        self.watcher.wake()
        return state

    def keyed(self, key: str) -> StreamState | None:
        """The open stream whose ``StreamInfo.key`` this is."""
        return self._keyed.get(key)

    def never_started(self, info: StreamInfo, context: Context) -> None:
        """Notes a stream that was created in ``context`` and dropped unread. Safe in a finaliser."""
        if not self.retired and self.judge.has_room():
            self.judge.tell(facts.NeverStarted(info, context, going_on(current(context))))

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
        if over:
            state.over = True
            self._open.pop(state, None)
        at = clock()
        try:
            ending = read_ending(state, how, error, at, self.loops, thrown_in=thrown_in, over=over)
        except Exception as defect:
            report("reading an ending", defect)
            ending = Ending(how, at, over=over, cause=causes.CLOSED if how != "returned" else None)
        try:
            self._recorder.ended(state, ending)
        except Exception as defect:
            report("recording an ending", defect)
        self.judge.tell(facts.Ended(state, ending))

    def client_gone(self, state: StreamState, *, idle: bool, shutdown: bool = False) -> None:
        """Notes that the end user of a server layer's stream is gone, or was cut off by ``shutdown``.

        Only the first counts. It ends for its reader now, and really when ``end`` is told. Where ``idle``, only if
        some stream in it is open: a connection that may stay open between two answers is not cut between them.
        """
        ending = read_client_gone(state, clock(), self.loops, shutdown=shutdown)
        self.judge.tell(facts.ClientGone(state, ending, idle))

    def finished(self, state: StreamState) -> None:
        """Notes that a stream which had ended for its reader really ended."""
        at = clock()
        state.over = True
        self._open.pop(state, None)
        with contained("recording an ending"):
            self._recorder.finished(state, at)
        self.judge.tell(facts.Finished(state, at))

    # -- asked

    def open_streams(self) -> list[OpenStream]:
        """What is open now, oldest first. Nothing is judged or exported for it."""
        return open_streams.listed(list(self._open))

    def busy(self, loop: int) -> bool:
        """Streams of this event loop have not really ended."""
        return any(state.loop == loop for state in list(self._open))

    @property
    def idle(self) -> bool:
        """Nothing is open, and nothing waits to be judged."""
        return not self.waiting and not self.judge.attribution.nodes

    @property
    def waiting(self) -> int:
        """Facts that wait for the thread."""
        return self.judge.waiting

    @property
    def dropped(self) -> int:
        """Facts that were left out because too many waited."""
        return self.judge.dropped

    def oldest(self) -> dict[str, float]:
        """Age in seconds of the oldest open stream of each layer."""
        now, ages = clock(), dict[str, float]()
        for node in self.judge.attribution.open:
            ages.setdefault(node.state.layer, now - node.state.start)
        return ages

    def stalled(self) -> list[StreamNode]:
        """The streams that are stalled now."""
        return self.watcher.stalled()

    # -- judged and exported

    def drain(self) -> None:
        """Judges and exports all that was told so far, on the thread that calls it."""
        self.judge.drain()

    def settle(self, timeout: float) -> bool:
        """Has the thread judge all that was told so far.

        Args:
            timeout: seconds to wait for it, at most.

        Returns:
            Whether that is done. Never, where the thread itself asks.
        """
        return self.judge.settle(timeout)

    def finish(self, timeout: float) -> bool:
        """The interpreter ends: what is still open was killed. Waits as ``settle``."""
        return self.judge.finish(timeout)

    def leave(self, timeout: float) -> None:
        """A server has shut down, and this process may end without another word: all of it is to be out by then.

        Waits up to ``timeout`` seconds, and never raises.
        """
        with contained("letting all go before a process ends"):
            self._leave(timeout)

    def reset_after_fork(self) -> None:
        """After a fork: the parent's streams are not this process's."""
        self.loops.reset_after_fork()
        supervision.reset_after_fork()
        self._telemetry.reset_after_fork()
        self._recorder.reset_after_fork()
        self._begin_anew()

    def start(self) -> None:
        """Starts the thread that judges and the one that watches; once a process."""
        if self.judge.thread is None:
            self.judge.start()
            self.watcher.start()

    def retire(self, ended: Callable[[], object]) -> None:
        """Lets the threads end as soon as the streams that are open now have ended; then calls ``ended``."""
        self.retired = True
        watcher = self.watcher

        def over() -> None:
            watcher.stop()
            ended()

        self.judge.retire(over)

    def _loop_closed(self, loop: int, at: float) -> None:
        self.judge.tell(facts.LoopClosed(loop, at))

    def _stalled(self, state: StreamState, stall: facts.Stall) -> None:
        if self.judge.has_room():
            self.judge.tell(facts.Stalled(state, stall))

    def _loop_late(self, loop: int, since: float, until: float) -> float:
        return self.watcher.late(loop, since, until)

    def _settled(self, state: StreamState) -> None:
        self._open.pop(state, None)
        if state.info.key:
            with self._keying:
                if self._keyed.get(state.info.key) is state:
                    del self._keyed[state.info.key]
