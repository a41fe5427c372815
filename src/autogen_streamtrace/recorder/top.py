"""Every open stream of every process that has a recorder, as it stands in its file now."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..core.case import doing
from ..core.lineage import Lineage
from . import books, directory
from .books import Book
from .layout import Unreadable
from .replay import replay


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
        if not books.alive(path):
            continue
        try:
            found += _of(books.read(path))
        except (OSError, Unreadable):
            continue  # it ends just now, or is of a newer version
    return sorted(found, key=lambda each: (not each.stalled, -each.silent_for))


def _of(book: Book) -> Iterator[Open]:
    now = time.time_ns()
    patience = book.settings.get("stall_after", float("inf"))
    service = str(book.described.get("resource", {}).get("service.name", ""))
    replayed = replay(book, Lineage(lambda case: None))
    for case, row in replayed.rows.items():
        if case.ending is not None:
            continue
        record = case.record
        silent = (now - record.nanoseconds(record.last)) / 1e9
        yield Open(
            age=(now - record.start_ns) / 1e9,
            layer=record.layer,
            name=record.name,
            chunks=record.chunks,
            silent_for=silent,
            stalled=silent >= patience,
            waiting_on=" ".join(filter(None, doing(case))),
            process=book.pid,
            service=service,
            trace_id=f"{row.ids.trace:032x}" if row.ids.trace else "",
            span_id=f"{row.ids.span:016x}" if row.ids.span else "",
        )
