"""Reads lines of OTLP JSON: one export request a line, as the Collector's and the SDK's file exporters write them.

Source: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson

from autogen_streamtrace.commands.reading.columns import COLUMNS, Row
from autogen_streamtrace.core import semconv as sc

_BESIDE: Final = 6
_INDEX: Final = {column.attribute: _BESIDE + at for at, column in enumerate(COLUMNS)}
_EMPTY: Final[Row] = [None] * (_BESIDE + len(COLUMNS))
_LAYER: Final = _INDEX[sc.A_LAYER]
_OUTCOME: Final = _INDEX[sc.A_OUTCOME]
_SERVICE, _TRACE, _SPAN, _PARENT, _START, _END = range(_BESIDE)


class BadLine(NamedTuple):
    """A line, or something in it, that could not be used."""

    line: int
    """Counted from 1."""
    problem: str


class Parsed(NamedTuple):
    """What a piece of input contains."""

    rows: list[Row]
    starts: dict[str, Any]
    """Start times that log events show, by span id."""
    lines: int
    used: int
    """Lines that are OTLP."""
    others: int
    """Spans and log records that are not of a stream."""
    bad: list[BadLine]


def parse(data: bytes) -> Parsed:
    """Every ended stream in these lines. It raises no error, whatever the lines contain."""
    rows: list[Row] = []
    starts: dict[str, Any] = {}
    bad: list[BadLine] = []
    others = number = used = 0
    for number, line in enumerate(data.splitlines(), 1):
        if not line or line.isspace():
            continue
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            bad.append(BadLine(number, f"no JSON: {error}"))
            continue
        try:
            others += _request(document, rows, starts)
            used += 1
        except _ShapeError as error:
            bad.append(BadLine(number, str(error)))
    return Parsed(rows, starts, number, used, others, bad)


class _ShapeError(Exception):
    """JSON that is no OTLP."""


def _request(document: Any, rows: list[Row], starts: dict[str, Any]) -> int:
    """Adds the streams of one export request; how much in it was of something else."""
    if not isinstance(document, dict):
        raise _ShapeError(f"no OTLP: a JSON {type(document).__name__}, not an object")
    others = 0
    known = False
    if "resourceSpans" in document:
        known = True
        for service, ours, items in _scopes(document["resourceSpans"], "scopeSpans", "spans"):
            if ours:
                others += sum(not _add_span(service, item, rows) for item in items)
            else:
                others += len(items)
    if "resourceLogs" in document:
        known = True
        for service, _, items in _scopes(document["resourceLogs"], "scopeLogs", "logRecords"):
            others += sum(not _add_event(service, item, rows, starts) for item in items)
    if not known and "resourceMetrics" not in document:
        raise _ShapeError("no OTLP: neither resourceSpans nor resourceLogs nor resourceMetrics")
    return others


def _scopes(resources: Any, scopes: str, items: str) -> Iterator[tuple[str, bool, list[Any]]]:
    """The service, whether the scope is ours, and the scope's contents."""
    for resource in _list(resources, scopes.replace("scope", "resource")):
        if not isinstance(resource, dict):
            raise _ShapeError(f"no OTLP: in {scopes.replace('scope', 'resource')} something is no object")
        service = _service(resource.get("resource"))
        for scope in _list(resource.get(scopes), scopes):
            if not isinstance(scope, dict):
                raise _ShapeError(f"no OTLP: in {scopes} something is no object")
            about = scope.get("scope")
            ours = isinstance(about, dict) and about.get("name") == sc.SCOPE
            yield service, ours, _list(scope.get(items), items)


def _list(value: Any, what: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _ShapeError(f"no OTLP: {what} is no list")
    return value


def _service(resource: Any) -> str:
    if isinstance(resource, dict) and isinstance(resource.get("attributes"), list):
        for pair in resource["attributes"]:
            if isinstance(pair, dict) and pair.get("key") == "service.name" and isinstance(pair.get("value"), dict):
                return str(pair["value"].get("stringValue", ""))
    return ""


def _fill(row: Row, attributes: Any) -> bool:
    """Puts the attributes into the row. False where they are none."""
    index = _INDEX.get
    try:
        for pair in attributes:
            at = index(pair["key"])
            if at is not None:
                (row[at],) = pair["value"].values()
    except (TypeError, KeyError, ValueError, AttributeError):
        return False
    return True


def _add_span(service: str, span: Any, rows: list[Row]) -> bool:
    row = _EMPTY.copy()
    if not isinstance(span, dict) or not _fill(row, span.get("attributes")):
        return False
    if row[_LAYER] is None or row[_OUTCOME] is None:
        return False
    row[_SERVICE] = service
    row[_TRACE] = span.get("traceId")
    row[_SPAN] = span.get("spanId")
    row[_PARENT] = span.get("parentSpanId")
    row[_START] = span.get("startTimeUnixNano")
    row[_END] = span.get("endTimeUnixNano")
    rows.append(row)
    return True


def _add_event(service: str, record: Any, rows: list[Row], starts: dict[str, Any]) -> bool:
    row = _EMPTY.copy()
    if not isinstance(record, dict) or not _fill(row, record.get("attributes")) or row[_LAYER] is None:
        return False
    span, at = record.get("spanId"), record.get("timeUnixNano")
    if row[_OUTCOME] is None:
        if record.get("eventName") in (None, sc.E_START) and isinstance(span, str):
            starts[span] = at
        return True
    row[_SERVICE], row[_TRACE], row[_SPAN], row[_END] = service, record.get("traceId"), span, at
    rows.append(row)
    return True
