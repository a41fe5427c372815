"""The streams that are settled, and the reports of their ends.

Streams that settle together are reported together, one step for all of them after the other: what a step needs is then
still in the processor's caches, which halves its cost.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from opentelemetry.context import Context
from opentelemetry.trace import Span

from autogen_streamtrace.core.errors import safely
from autogen_streamtrace.core.stream.facts import Stall
from autogen_streamtrace.core.stream.state import StreamInfo, StreamLabels, StreamState
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.verdict.servers import Servers
from autogen_streamtrace.core.watching.recorder import CounterLabels, Recorder, Report

Reported = tuple[StreamNode, Report]
"""A settled stream, and what is reported of it."""


class Telemetry(Protocol):
    """Counts and reports streams."""

    def carried(self, info: StreamInfo, context: Context) -> StreamInfo:
        """A stream's ``info`` with the baggage of its context."""

    def labels(self, info: StreamInfo) -> StreamLabels:
        """The labels of a stream that opens now."""

    def span(self, state: StreamState) -> Span:
        """The span of a stream; starts it if needed."""

    def started(self, state: StreamState, outermost: bool) -> None:
        """Counts and reports a stream that started."""

    def stalled(self, node: StreamNode, stall: Stall) -> None:
        """Reports a silent stream."""

    def counted(self, node: StreamNode) -> Report:
        """Counts a settled stream; returns what is to be reported."""

    def ended(self, reported: Sequence[Reported]) -> None:
        """Ends the streams' spans and reports their ends."""

    def never_started(self, info: StreamInfo, above: Context, parent: StreamState | None) -> CounterLabels:
        """Counts and reports a stream that was created and never read."""

    def reset_after_fork(self) -> None:
        """In a forked child: drops the counts, which are the parent's."""


class SettledStreams:
    """The settled streams of one process whose ends are not reported yet.

    Args:
        telemetry: counts and reports streams.
        recorder: takes each verdict before its span ends.
        let_go: called for each stream that is reported.
        loop_late: returns how late an event loop was in a time, as ``Watcher.late``.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        recorder: Recorder,
        let_go: Callable[[StreamState], None],
        loop_late: Callable[[int, float, float], float],
    ) -> None:
        self._telemetry = telemetry
        self._recorder = recorder
        self._let_go = let_go
        self._loop_late = loop_late
        self._servers = Servers()
        self._nodes: list[StreamNode] = []

    def add(self, settled: Iterable[StreamNode]) -> None:
        """Takes streams that have settled."""
        self._nodes += settled

    def report(self) -> None:
        """Reports them. A failure in one does not affect the others."""
        nodes, self._nodes = self._nodes, []
        reported: list[Reported] = []
        for node in nodes:
            safely("reading what its server showed", self._learn, node)
        for node in nodes:
            safely("counting a stream", self._count, node, reported)
        for node, report in reported:
            safely("recording a verdict", self._recorder.judged, node.state, report)
        safely("reporting how streams ended", self._telemetry.ended, reported)
        for node in nodes:
            node.state.tail = None
            node.state.finished = True
            node.release()
            self._let_go(node.state)

    def _learn(self, node: StreamNode) -> None:
        state = node.state
        node.loop_late = self._loop_late(state.loop, state.start, node.ended_at)
        self._servers.settled(node)

    def _count(self, node: StreamNode, reported: list[Reported]) -> None:
        reported.append((node, self._telemetry.counted(node)))
