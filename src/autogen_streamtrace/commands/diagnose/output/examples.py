"""Some turns of each finding in full: out of the files, else what the table has of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import orjson
import polars as pl

from autogen_streamtrace.commands.diagnose.findings import Diagnosis
from autogen_streamtrace.commands.reading.columns import COLUMNS, Kind
from autogen_streamtrace.commands.reading.otlp_json import Group, ShapeError, log_records, spans
from autogen_streamtrace.commands.reading.pieces import STDIN, InputError, pieces
from autogen_streamtrace.commands.reading.remote import is_url
from autogen_streamtrace.commands.store.numbers import plain
from autogen_streamtrace.commands.ui.views import trace as traces
from autogen_streamtrace.core import semconv as sc

Document = dict[str, Any]

EACH: Final = 2
"""Turns of one finding."""
MOST: Final = 40
"""Turns in all."""
SPANS: Final = 400
"""Spans, and log events, of one turn."""


_VALUES: Final[dict[Kind, str]] = {
    "label": "stringValue",
    "labels": "stringValue",
    "number": "doubleValue",
    "truth": "boolValue",
}


class _Seen(NamedTuple):
    spans: dict[str, Document]
    events: list[Document]
    resource: dict[str, Any]


def examples(table: pl.DataFrame, diagnosis: Diagnosis, sources: Sequence[str]) -> list[Document]:
    """Turns, in the order of the findings.

    Args:
        table: a row per stream.
        diagnosis: whose findings name the turns.
        sources: the files that were read; none of a URL or of standard input is read again.
    """
    wanted = list(dict.fromkeys(trace for each in diagnosis.findings for trace in each.traces[:EACH]))[:MOST]
    seen = _of_files([each for each in sources if each != STDIN and not is_url(each)], wanted)
    return [_told(trace, seen[trace]) if trace in seen else _of_table(trace, table) for trace in wanted]


def _of_files(files: Iterable[str], wanted: Sequence[str]) -> dict[str, _Seen]:
    """What the lines that name a wanted trace have of it."""
    found: dict[str, _Seen] = defaultdict(lambda: _Seen({}, [], {}))
    keys = [trace.encode() for trace in wanted]
    for file in files:
        try:
            for piece in pieces(file):
                if any(key in piece.data for key in keys):
                    for line in piece.data.splitlines():
                        if any(key in line for key in keys):
                            _take(line, found, set(wanted))
        except InputError:
            continue  # it was there a moment ago
    return {trace: seen for trace, seen in found.items() if seen.spans}


def _take(line: bytes, found: dict[str, _Seen], wanted: set[str]) -> None:
    try:
        document = orjson.loads(line)
        groups = [(True, each) for each in spans(document)] + [(False, each) for each in log_records(document)]
    except (orjson.JSONDecodeError, ShapeError, AttributeError):
        return
    for of_spans, group in groups:
        for item in group.items:
            trace = item.get("traceId") if isinstance(item, dict) else None
            if trace in wanted:
                _add(found[trace], group, item, of_spans=of_spans)


def _add(seen: _Seen, group: Group, item: Document, *, of_spans: bool) -> None:
    seen.resource.update(plain(group.resource.get("attributes")))
    if of_spans and len(seen.spans) < SPANS:
        told = traces.span(item, group.scope)
        seen.spans[told["span"]] = told
    elif not of_spans and len(seen.events) < SPANS:
        seen.events.append(traces.event(item))


def _told(trace: str, seen: _Seen) -> Document:
    events = sorted(seen.events, key=lambda each: each["at"] or 0)
    return traces.told(trace, list(seen.spans.values()), events, seen.resource)


def _of_table(trace: str, table: pl.DataFrame) -> Document:
    """The streams of a trace with what a diagnosis reads of them."""
    high, low = int(trace[:16], 16), int(trace[16:], 16)
    rows = table.filter((pl.col("trace_high") == high) & (pl.col("trace_low") == low)).head(SPANS)
    found = [traces.span(_span(row, at), sc.SCOPE) for at, row in enumerate(rows.iter_rows(named=True))]
    service = next((name for name in rows["service"].cast(pl.String()) if name), "")
    return traces.told(trace, found, [], {"service.name": service})


def _span(row: dict[str, Any], at: int) -> Document:
    """A row as OTLP JSON has a span."""
    return {
        "spanId": f"{row['span']:016x}" if row["span"] is not None else f"row{at}",
        "parentSpanId": f"{row['parent']:016x}" if row["parent"] is not None else "",
        "name": f"{row['layer']} {row['name'] or ''}",
        "kind": 1,
        "startTimeUnixNano": row["start"],
        "endTimeUnixNano": row["end"],
        "attributes": [
            {"key": column.attribute, "value": {_VALUES[column.kind]: row[column.name]}}
            for column in COLUMNS
            if row[column.name] is not None
        ],
    }


def as_rows(turns: Iterable[Document]) -> list[Document]:
    """These turns as the list of turns shows them."""
    return [row for turn in turns if (row := _row(turn)) is not None]


def _row(turn: Document) -> Document | None:
    outer = next((each for each in turn["spans"] if each["outermost"]), None)
    origin = next((each for each in turn["spans"] if each["origin"]), outer)
    if outer is None or origin is None:
        return None
    told = {each["key"]: each["value"] for each in origin["attributes"]}
    waiting = (told.get(sc.A_WAITING_ON_TYPE), told.get(sc.A_WAITING_ON_NAME))
    return {
        "trace": turn["trace"],
        "service": turn["service"],
        "start": outer["start"],
        "end": outer["end"],
        "at": outer["end"],
        "layer": outer["layer"],
        "name": outer["stream_name"],
        "outcome": outer["outcome"],
        "ended_by": outer["ended_by"],
        "waiting_on": " ".join(str(each) for each in waiting if each),
        "silence": told.get(sc.A_SILENCE),
        "limit": told.get(sc.A_LIMIT_ID),
    }
