"""The streams of a process as the judge sees them, built anew from what stands in its recorder."""

from dataclasses import dataclass, field

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState
from autogen_streamtrace.core.verdict.attribution import Attribution
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.verdict.rules import Verdict
from autogen_streamtrace.recorder.layout import Row
from autogen_streamtrace.recorder.orphans import Orphan

_DONE = Verdict(sc.COMPLETED, "agent", "none", "", "judged before")


@dataclass
class Replay:
    """A process's streams."""

    attribution: Attribution
    nodes: dict[int, StreamNode] = field(default_factory=dict)
    """By serial number; those with a verdict too."""
    rows: dict[StreamNode, Row] = field(default_factory=dict)
    """Of the streams that are in the attribution."""
    now: float = 0.0
    """The last moment of which anything is known, on the records' clock."""


def replay(orphan: Orphan, attribution: Attribution) -> Replay:
    """Lets every stream of a recorder start and end once more, as far as it had come."""
    replayed = Replay(attribution)
    replayed.now = max([orphan.seen[0], *(max(r.state.last, r.state.start) for r in orphan.rows)])
    events = []
    for row in orphan.rows:
        state = row.state
        state.parent = _parent(replayed, row.parent)
        if row.judged is not None:
            replayed.nodes[row.serial] = state.node = _over(attribution, state)
            continue
        node = replayed.nodes[row.serial] = attribution.started(state)
        replayed.rows[node] = row
        if row.ending is not None:
            events.append((row.ending.at, node, row))
            replayed.now = max(replayed.now, row.ending.at)
    for _, node, row in sorted(events, key=lambda event: event[0]):
        assert row.ending is not None
        attribution.ended(node, row.ending)
        if row.over_at is not None:
            attribution.over(node, row.over_at)
            replayed.now = max(replayed.now, row.over_at)
    return replayed


def _parent(replayed: Replay, serial: int) -> StreamState | None:
    if not serial:
        return None
    node = replayed.nodes.get(serial)
    if node is None:  # it has left, or never had a row
        unknown = StreamState(StreamInfo(sc.AGENT, ""), None, 0)
        node = replayed.nodes[serial] = unknown.node = _over(replayed.attribution, unknown)
    return node.state


def _over(attribution: Attribution, state: StreamState) -> StreamNode:
    """A stream that has its verdict: what starts under it is no outermost one, and judged alone."""
    node = StreamNode(attribution, state, None)
    node.verdict = _DONE
    return node
