"""Every open stream of every process that has a recorder, as it stands in its file now."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from autogen_streamtrace.core.verdict.attribution import Attribution
from autogen_streamtrace.core.verdict.node import doing
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
    """Seconds since its last item."""
    stalled: bool
    waiting_on: str
    process: int
    service: str
    trace_id: str
    span_id: str


def open_streams(chosen: str | None = None) -> list[Open]:
    """What is open now: stalled ones first, then the longest silent.

    Args:
        chosen: the setting ``recorder_dir``.
    """
    found: list[Open] = []
    for path in directory.found(chosen):
        if not orphans.alive(path):
            continue
        try:
            found += _of(orphans.read(path))
        except (OSError, Unreadable):
            continue  # it ends just now, or is of a newer version
    return sorted(found, key=lambda each: (not each.stalled, -each.silent_for))


def _of(orphan: Orphan) -> Iterator[Open]:
    now = time.time_ns()
    patience = orphan.settings.get("stall_after", float("inf"))
    service = str(orphan.described.get("resource", {}).get("service.name", ""))
    replayed = replay(orphan, Attribution(lambda node: None))
    for node, row in replayed.rows.items():
        if node.ending is not None:
            continue
        state = node.state
        silent = (now - state.nanoseconds(state.last)) / 1e9
        yield Open(
            age=(now - state.start_ns) / 1e9,
            layer=state.layer,
            name=state.name,
            chunks=state.chunks,
            silent_for=silent,
            stalled=silent >= patience,
            waiting_on=" ".join(filter(None, doing(node))),
            process=orphan.pid,
            service=service,
            trace_id=f"{row.ids.trace:032x}" if row.ids.trace else "",
            span_id=f"{row.ids.span:016x}" if row.ids.span else "",
        )
