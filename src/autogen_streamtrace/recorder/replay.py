"""Rebuilds the streams of a process as its judge saw them, from its recorder."""

from dataclasses import dataclass, field

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.body import finish_reasons
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
    states: dict[int, StreamState] = field(default_factory=dict)
    """By serial number; also the judged ones."""
    rows: dict[StreamState, Row] = field(default_factory=dict)
    """The rows of the streams that were not judged yet."""
    settled: list[StreamNode] = field(default_factory=list)
    now: float = 0.0
    """The last known moment, in seconds on ``clock``."""


def replay(orphan: Orphan) -> Replay:
    """Repeats the facts of every stream of a recorder, as far as they are known."""
    reasons = finish_reasons.with_own(orphan.settings.get("finish_reasons", {}))
    replayed = Replay(Attribution(reasons=reasons))
    attribution = replayed.attribution
    replayed.now = max([orphan.seen[0], *(max(r.state.last, r.state.start) for r in orphan.rows)])
    endings = []
    for row in orphan.rows:
        state = replayed.states[row.serial] = row.state
        state.parent = _parent(replayed, row.parent)
        if row.judged is not None:
            attribution.adopt(state, _DONE)
            continue
        replayed.settled += attribution.started(state)
        replayed.rows[state] = row
        if row.ending is not None:
            endings.append((row.ending, row))
            replayed.now = max(replayed.now, row.ending.at)
    for ending, row in sorted(endings, key=lambda each: each[0].at):
        replayed.settled += attribution.ended(row.state, ending)
        if row.finished_at is not None:
            replayed.settled += attribution.finished(row.state, row.finished_at)
            replayed.now = max(replayed.now, row.finished_at)
    return replayed


def _parent(replayed: Replay, serial: int) -> StreamState | None:
    if not serial:
        return None
    if serial not in replayed.states:  # it is retired, or never had a row
        unknown = replayed.states[serial] = StreamState(StreamInfo(sc.AGENT, ""), None, 0)
        replayed.attribution.adopt(unknown, _DONE)
    return replayed.states[serial]
