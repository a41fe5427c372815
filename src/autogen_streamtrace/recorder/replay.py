"""The streams of a process as the judge sees them, built anew from what stands in its recorder."""

from dataclasses import dataclass, field

from ..core import names as n
from ..core.case import Case
from ..core.endings import Verdict
from ..core.lineage import Lineage
from ..core.record import Opening, Record
from .books import Book
from .layout import Row

_DONE = Verdict(n.COMPLETED, "agent", "none", "", "judged before")


@dataclass
class Replay:
    """A process's streams."""

    lineage: Lineage
    cases: dict[int, Case] = field(default_factory=dict)
    """By serial number; those with a verdict too."""
    rows: dict[Case, Row] = field(default_factory=dict)
    """Of the streams that are in the lineage."""
    now: float = 0.0
    """The last moment of which anything is known, on the records' clock."""


def replay(book: Book, lineage: Lineage) -> Replay:
    """Lets every stream of a recorder start and end once more, as far as it had come."""
    replayed = Replay(lineage)
    replayed.now = max([book.seen[0], *(max(r.record.last, r.record.start) for r in book.rows)])
    events = []
    for row in book.rows:
        record = row.record
        record.parent = _parent(replayed, row.parent)
        if row.judged is not None:
            replayed.cases[row.serial] = record.case = _over(lineage, record)
            continue
        case = replayed.cases[row.serial] = lineage.started(record)
        replayed.rows[case] = row
        if row.ending is not None:
            events.append((row.ending.at, case, row))
            replayed.now = max(replayed.now, row.ending.at)
    for _, case, row in sorted(events, key=lambda event: event[0]):
        assert row.ending is not None
        lineage.ended(case, row.ending)
        if row.over_at is not None:
            lineage.over(case, row.over_at)
            replayed.now = max(replayed.now, row.over_at)
    return replayed


def _parent(replayed: Replay, serial: int) -> Record | None:
    if not serial:
        return None
    case = replayed.cases.get(serial)
    if case is None:  # it has left, or never had a row
        unknown = Record(Opening(n.AGENT, ""), None, 0)
        case = replayed.cases[serial] = unknown.case = _over(replayed.lineage, unknown)
    return case.record


def _over(lineage: Lineage, record: Record) -> Case:
    """A stream that has its verdict: what starts under it is no outermost one, and judged alone."""
    case = Case(lineage, record, None)
    case.verdict = _DONE
    return case
