"""Every open stream of every process that has a recorder, as its file shows it now."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.verdict.node import StreamNode, doing
from autogen_streamtrace.recorder import directory, orphans
from autogen_streamtrace.recorder.layout import Unreadable
from autogen_streamtrace.recorder.orphans import Orphan
from autogen_streamtrace.recorder.replay import replay


@dataclass(frozen=True)
class Open:
    """A stream that is open in some process."""

    age: float
    """Seconds since its first read."""
    layer: str
    name: str
    chunks: int
    silent_for: float
    """Seconds since its last item, or since the last item of a stalled stream inside it."""
    stalled: bool
    """It, or a stream inside it, is silent for longer than its process's setting ``stall_after``."""
    waiting_on: str
    process: int
    service: str
    trace_id: str
    span_id: str
    depth: int = 0
    """How many open streams enclose it."""


def open_streams(chosen: str | None = None, *, layers: bool = False) -> list[Open]:
    """The streams that are open now: stalled ones first, then the longest silent.

    Args:
        chosen: the setting ``recorder_dir``.
        layers: also lists the streams inside each outermost one.
    """
    found: list[list[Open]] = []
    for path in directory.found(chosen):
        if not orphans.alive(path):
            continue
        try:
            found += turns_of(orphans.read(path))
        except (OSError, Unreadable):
            continue  # it is just ending, or has a newer version
    found.sort(key=lambda turn: (not turn[0].stalled, -turn[0].silent_for))
    return [each for turn in found for each in (turn if layers else turn[:1]) if layers or each.layer != sc.HTTP]


def turns_of(orphan: Orphan) -> list[list[Open]]:
    """The open streams of a process: each outermost one with those inside it, in the order of their start."""
    now = time.time_ns()
    patience = orphan.settings.get("stall_after", float("inf"))
    service = str(orphan.described.get("resource", {}).get("service.name", ""))
    replayed = replay(orphan)
    open_now = [node for node in replayed.attribution.open if node.ending is None]
    silences = {node: (now - node.state.nanoseconds(node.state.last)) / 1e9 for node in open_now}
    longest = _longest(silences)
    turns: dict[StreamNode, list[Open]] = {}
    for node, worst in longest.items():
        above = [each for each in _enclosing(node) if each in silences]
        told = worst if silences[worst] >= patience > silences[node] else node
        ids = replayed.rows[node.state].ids
        turns.setdefault(above[-1] if above else node, []).append(
            Open(
                age=(now - node.state.start_ns) / 1e9,
                layer=node.state.layer,
                name=node.state.name,
                chunks=node.state.chunks,
                silent_for=silences[told],
                stalled=silences[told] >= patience,
                waiting_on=" ".join(filter(None, doing(told))),
                process=orphan.pid,
                service=service,
                trace_id=f"{ids.trace:032x}" if ids.trace else "",
                span_id=f"{ids.span:016x}" if ids.span else "",
                depth=len(above),
            )
        )
    return list(turns.values())


def _longest(silences: dict[StreamNode, float]) -> dict[StreamNode, StreamNode]:
    """For each stream the longest silent one, among itself and those inside it."""
    found = {node: node for node in silences}
    for node, silence in silences.items():
        for above in _enclosing(node):
            if above in found and silence > silences[found[above]]:
                found[above] = node
    return found


def _enclosing(node: StreamNode) -> Iterator[StreamNode]:
    """The streams around one, from the inside out."""
    above = node.parent
    while above is not None:
        yield above
        above = above.parent
