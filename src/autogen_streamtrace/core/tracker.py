"""The streams of this process. Whoever reads a stream opens and ends it here; the rest happens in other threads.

The reader's part is short and never waits: it fills in the stream's state, lets the recorder write its row, and puts a
fact into the judge's queue. The judge's thread judges and reports (``judge``). The watcher's thread looks for what is
silent (``watching.watcher``). So an end may come from a finaliser, in any thread, at any time.
"""

import threading
from collections.abc import Callable
from typing import Final

from opentelemetry.context import Context

from autogen_streamtrace.core import open_streams
from autogen_streamtrace.core.ending import follow, read_client_gone, read_ending, read_left
from autogen_streamtrace.core.errors import contained, report
from autogen_streamtrace.core.evidence import causes
from autogen_streamtrace.core.evidence.body.finish_reasons import FinishReasons
from autogen_streamtrace.core.judge import Judge
from autogen_streamtrace.core.open_streams import OpenStream
from autogen_streamtrace.core.opening import going_on, in_framework, is_same, new_state, postponed
from autogen_streamtrace.core.semconv import HTTP
from autogen_streamtrace.core.settled_streams import Telemetry
from autogen_streamtrace.core.stream import facts
from autogen_streamtrace.core.stream.scope import current, enclosing, get
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
        telemetry: counts and reports streams.
        begin: called at the first stream of a forked process, which has no threads yet.
        leave: called by ``leave``.
        recorder: records each stream where it survives the process.
        stall_after: seconds of silence that count as a stall.
        captures: whether contents are recorded.
        suspect: finds the limit that would explain an ending.
        reasons: the meanings of finish reasons; by default the built-in table.
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
        """Whether it opens no more streams."""
        self.loops = Loops(self._loop_closed)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.judge = judge = Judge(
            self._telemetry,
            self._recorder,
            self._suspect,
            self._reasons,
            self.loops,
            self._settled,
            lambda *period: self.watcher.late(*period),
            lambda: self.watcher.crowd(),
        )
        self.watcher = Watcher(
            lambda: judge.attribution.open,
            lambda: judge.waiting,
            self.loops.known,
            self._stalled,
            self._recorder,
            self._stall_after,
            judge.gathered,
        )
        self._keyed: dict[str, StreamState] = {}
        self._keying = threading.Lock()
        """A team may run again while its last run is being judged. No finaliser takes this lock."""
        self._open: dict[StreamState, None] = {}
        """Streams that have not finished, in the order in which they started."""

    # -- facts, from whoever reads a stream

    def begin(
        self, info: StreamInfo, parent: Callable[[], StreamState | None] = enclosing, start: float = 0.0
    ) -> StreamState | None:
        """Opens a stream at its first read.

        Args:
            info: what is known of the stream.
            parent: finds the stream around it; by default that of the running code.
            start: when it started, in seconds on ``clock``; 0 is now.

        Returns:
            None where the stream is not to be watched: the tracker is retired or full, the stream is the same as the
            one around it, or opening failed.
        """
        if self.retired or not self.judge.has_room():
            return None
        try:
            if self.judge.thread is None:
                self._begin()
            above = going_on(parent())
            if above is not None and is_same(above, info):
                return None
            carried = self._telemetry.carried(in_framework(info, above), get())
            state = new_state(carried, above, self.loops.running(), start=start, captures=self.captures)
            state.labels = self._telemetry.labels(carried)
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
        """Takes a stream that was created in ``context`` and dropped unread. Safe in a finaliser."""
        if not self.retired and self.judge.has_room():
            self.judge.tell(facts.NeverStarted(info, context, going_on(current(context))))

    def end(
        self,
        state: StreamState,
        how: How,
        error: BaseException | None = None,
        *,
        thrown_in: bool = False,
        finished: bool = True,
    ) -> None:
        """Ends a stream for its reader, as ``read_ending`` says; only the first call counts. Safe in a finaliser."""
        if state.closed:
            return
        state.closed = True
        state.left = how == "closed"
        if finished:
            state.finished = True
            self._open.pop(state, None)
        at = clock()
        try:
            ending = read_ending(state, how, error, at, self.loops, thrown_in=thrown_in, finished=finished)
        except Exception as defect:
            report("reading an ending", defect)
            ending = Ending(how, at, finished=finished, cause=causes.CLOSED if how != "returned" else None)
        try:
            self._recorder.ended(state, ending)
        except Exception as defect:
            report("recording an ending", defect)
        self.judge.tell(facts.Ended(state, ending))
        if (above := state.parent) is not None and above.follows and (its := follow(above, state, how)) is not None:
            self.end(above, its, error)

    def client_gone(self, state: StreamState, *, idle: bool, shutdown: bool = False) -> None:
        """Ends a server layer's stream whose end user is gone, or was cut off by ``shutdown``; the first call counts.

        The stream finishes when ``end`` is called. Where ``idle``, it ends only if a stream inside it is open: a
        connection may stay open between two answers, and nothing is cut then.
        """
        ending = read_client_gone(state, clock(), self.loops, shutdown=shutdown)
        self.judge.tell(facts.ClientGone(state, ending, idle))

    def left(self, state: StreamState) -> None:
        """Takes that a stream's reader left its loop with an item in hand. Safe in a finaliser."""
        self.judge.tell(facts.Left(state, read_left(state, clock())))

    def finished(self, state: StreamState) -> None:
        """Takes the finish of a stream that had ended for its reader."""
        at = clock()
        state.finished = True
        self._open.pop(state, None)
        with contained("recording an ending"):
            self._recorder.finished(state, at)
        self.judge.tell(facts.Finished(state, at))

    def open_streams(self) -> list[OpenStream]:
        """What is open now, oldest first. It judges and exports nothing."""
        return open_streams.listed(list(self._open))

    def busy(self, loop: int) -> bool:
        """Whether a stream of this event loop has not finished."""
        return any(state.loop == loop for state in list(self._open))

    @property
    def idle(self) -> bool:
        """Whether nothing is open and nothing waits to be judged."""
        return not self.waiting and not self.judge.attribution.nodes

    @property
    def waiting(self) -> int:
        """The number of facts that wait for the judge."""
        return self.judge.waiting

    @property
    def dropped(self) -> int:
        """The number of facts that were dropped because too many waited."""
        return self.judge.dropped

    def oldest(self) -> dict[str, float]:
        """Age in seconds of the oldest open stream of each layer."""
        return open_streams.oldest(node.state for node in self.judge.attribution.open)

    def stalled(self) -> list[StreamNode]:
        """The streams that are stalled now."""
        return self.watcher.stalled()

    def settle(self, timeout: float) -> bool:
        """Waits until the judge's thread has judged everything so far.

        Args:
            timeout: seconds, at most.

        Returns:
            Whether that is done; always False on the judge's own thread.
        """
        return self.judge.settle(timeout)

    def finish(self, timeout: float) -> bool:
        """Ends every open stream as killed, since the interpreter ends. Waits as ``settle``."""
        return self.judge.finish(timeout)

    def leave(self, timeout: float) -> None:
        """Exports everything, since a server has shut down and this process may end without ``atexit``.

        Waits up to ``timeout`` seconds, and never raises.
        """
        with contained("letting all go before a process ends"):
            self._leave(timeout)

    def reset_after_fork(self) -> None:
        """In a forked child: drops the parent's streams."""
        self.loops.reset_after_fork()
        supervision.reset_after_fork()
        self._telemetry.reset_after_fork()
        self._recorder.reset_after_fork()
        self._begin_anew()

    def start(self) -> None:
        """Starts the judge's and the watcher's threads, unless they run."""
        if self.judge.thread is None:
            self.judge.start()
            self.watcher.start()

    def retire(self, ended: Callable[[], object]) -> None:
        """Lets the threads end once all streams that are open now have finished, and calls ``ended`` then."""
        self.retired = True
        self.judge.retire(self.watcher.stop, ended)

    def _loop_closed(self, loop: int, at: float) -> None:
        self.judge.tell(facts.LoopClosed(loop, at))

    def _stalled(self, state: StreamState, stall: facts.Stall) -> None:
        if self.judge.has_room():
            self.judge.tell(facts.Stalled(state, stall))

    def _settled(self, state: StreamState) -> None:
        self._open.pop(state, None)
        if state.info.key:
            with self._keying:
                if self._keyed.get(state.info.key) is state:
                    del self._keyed[state.info.key]
