"""What the recorders of this machine show: what is open, what has just ended, and what died."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from autogen_streamtrace.commands.reading import otlp_protobuf
from autogen_streamtrace.commands.store.writing import Batch
from autogen_streamtrace.commands.top.streams import Open, turns_of
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.otlp.encoding.log_records import log_record
from autogen_streamtrace.otlp.encoding.requests import request
from autogen_streamtrace.otlp.encoding.spans import span
from autogen_streamtrace.recorder import directory, orphans
from autogen_streamtrace.recorder.layout import Row, Unreadable
from autogen_streamtrace.recorder.recovery import Recovered, recover

_RECENT: Final = 60.0
"""Seconds for which an ending of a living process is shown from its recorder."""


@dataclass
class Program:
    """A process of this machine that has a recorder."""

    process: int
    resource: dict[str, Any]
    open: list[list[Open]] = field(default_factory=list)
    """Its open streams: each outermost one with those inside it."""
    ended: list[Row] = field(default_factory=list)
    """Streams that it has judged, and maybe not exported yet."""
    at: float = 0.0
    """Milliseconds since the epoch at which this was read."""


def programs(chosen: directory.Chosen) -> list[Program]:
    """The living processes.

    Args:
        chosen: the setting ``recorder_dir``.
    """
    found = []
    for path in directory.found(chosen):
        if not orphans.alive(path):
            continue
        try:
            orphan = orphans.read(path)
        except (OSError, Unreadable):
            continue  # it is just ending, or has a newer version
        program = Program(orphan.pid, orphan.described.get("resource", {}))
        program.at = time.time() * 1000
        program.open = turns_of(orphan)
        since = time.time_ns() - round(_RECENT * 1e9)
        program.ended = [row for row in orphan.rows if row.judged is not None and row.judged.end_ns >= since]
        found.append(program)
    return found


class Dead:
    """Reads the recorders of processes that have died, each once. It changes none of them.

    Args:
        chosen: the setting ``recorder_dir``.
    """

    def __init__(self, chosen: directory.Chosen) -> None:
        self._chosen = chosen
        self._known: set[tuple[Path, int]] = set()

    def new(self) -> Iterator[Batch]:
        """What those hold that were not read before."""
        for path in directory.found(self._chosen):
            try:
                key = (path, path.stat().st_mtime_ns)
                if key in self._known or orphans.alive(path):
                    continue
                with orphans.orphaned(path) as descriptor:
                    if descriptor is not None:
                        self._known.add(key)
                        yield _batch(recover(orphans.read(path, descriptor)))
            except (OSError, Unreadable):
                continue


def _batch(found: Recovered) -> Batch:
    spans = Batch.of(otlp_protobuf.document("traces", request(found.spans, span)))
    records = Batch.of(otlp_protobuf.document("logs", request(found.events, log_record)))
    return Batch(spans.spans, records.records)


def is_outermost(row: Row) -> bool:
    """Whether a judged stream is a turn."""
    return row.judged is not None and bool(row.judged.attributes.get(sc.A_OUTERMOST))
