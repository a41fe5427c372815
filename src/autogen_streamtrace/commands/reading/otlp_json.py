"""Reads lines of OTLP JSON: one export request a line, as the Collector's and the SDK's file exporters write them.

Source: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson

from autogen_streamtrace.commands.reading.columns import AT, BESIDE, OF_ATTRIBUTE, Row, empty
from autogen_streamtrace.core import semconv as sc

_LAYER, _OUTCOME = AT["layer"], AT["outcome"]
_SERVICE, _TRACE, _SPAN, _PARENT, _START, _END = range(len(BESIDE))


class Group(NamedTuple):
    """Spans, or log records, of one resource and one scope."""

    resource: dict[str, Any]
    service: str
    scope: str
    items: list[Any]


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
        except ShapeError as error:
            bad.append(BadLine(number, str(error)))
    return Parsed(rows, starts, number, used, others, bad)


class ShapeError(Exception):
    """JSON that is no OTLP. The message says why."""


def spans(document: Any) -> Iterator[Group]:
    """The spans of an export request.

    Raises:
        ShapeError: it is no export request.
    """
    return _groups(document, "resourceSpans", "scopeSpans", "spans")


def log_records(document: Any) -> Iterator[Group]:
    """The log records of an export request.

    Raises:
        ShapeError: it is no export request.
    """
    return _groups(document, "resourceLogs", "scopeLogs", "logRecords")


def check(document: Any) -> None:
    """Raises ``ShapeError`` unless this is an export request of OTLP."""
    if not isinstance(document, dict):
        raise ShapeError(f"no OTLP: a JSON {type(document).__name__}, not an object")
    if not _SIGNALS & document.keys():
        raise ShapeError("no OTLP: neither resourceSpans nor resourceLogs nor resourceMetrics")


_SIGNALS: Final = {"resourceSpans", "resourceLogs", "resourceMetrics"}


def _request(document: Any, rows: list[Row], starts: dict[str, Any]) -> int:
    """Adds the streams of one export request; how much in it was of something else."""
    check(document)
    others = 0
    for group in spans(document):
        if group.scope == sc.SCOPE:
            others += sum(not _add_span(group.service, item, rows) for item in group.items)
        else:
            others += len(group.items)
    for group in log_records(document):
        others += sum(not _add_event(group.service, item, rows, starts) for item in group.items)
    return others


def _groups(document: Any, resources: str, scopes: str, items: str) -> Iterator[Group]:
    for each in _list(document.get(resources), resources):
        if not isinstance(each, dict):
            raise ShapeError(f"no OTLP: in {resources} something is no object")
        about = each.get("resource")
        resource = about if isinstance(about, dict) else {}
        service = _service(resource)
        for scope in _list(each.get(scopes), scopes):
            if not isinstance(scope, dict):
                raise ShapeError(f"no OTLP: in {scopes} something is no object")
            named = scope.get("scope")
            name = named.get("name") if isinstance(named, dict) else None
            yield Group(resource, service, name if isinstance(name, str) else "", _list(scope.get(items), items))


def _list(value: Any, what: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ShapeError(f"no OTLP: {what} is no list")
    return value


def _service(resource: dict[str, Any]) -> str:
    if isinstance(resource.get("attributes"), list):
        for pair in resource["attributes"]:
            if isinstance(pair, dict) and pair.get("key") == "service.name" and isinstance(pair.get("value"), dict):
                return str(pair["value"].get("stringValue", ""))
    return ""


def _fill(row: Row, attributes: Any) -> bool:
    """Puts the attributes into the row. False where they are none."""
    index = OF_ATTRIBUTE.get
    try:
        for pair in attributes:
            at = index(pair["key"])
            if at is not None:
                (row[at],) = pair["value"].values()
    except (TypeError, KeyError, ValueError, AttributeError):
        return False
    return True


def _add_span(service: str, span: Any, rows: list[Row]) -> bool:
    row = span_row(service, span)
    if row is None:
        return False
    rows.append(row)
    return True


def span_row(service: str, span: Any) -> Row | None:
    """A span of ours as a row; none where it is of no stream that ended."""
    row = empty()
    if not isinstance(span, dict) or not _fill(row, span.get("attributes")):
        return None
    if row[_LAYER] is None or row[_OUTCOME] is None:
        return None
    row[_SERVICE] = service
    row[_TRACE] = span.get("traceId")
    row[_SPAN] = span.get("spanId")
    row[_PARENT] = span.get("parentSpanId")
    row[_START] = span.get("startTimeUnixNano")
    row[_END] = span.get("endTimeUnixNano")
    return row


def _add_event(service: str, record: Any, rows: list[Row], starts: dict[str, Any]) -> bool:
    row = event_row(service, record)
    if row is None:
        return False
    if row[_OUTCOME] is not None:
        rows.append(row)
    elif record.get("eventName") in (None, sc.E_START) and isinstance(row[_SPAN], str):
        starts[row[_SPAN]] = row[_END]
    return True


def event_row(service: str, record: Any) -> Row | None:
    """A log record of ours as a row, whose end is the moment of the event; none where it is of no stream."""
    row = empty()
    if not isinstance(record, dict) or not _fill(row, record.get("attributes")) or row[_LAYER] is None:
        return None
    row[_SERVICE], row[_TRACE], row[_SPAN] = service, record.get("traceId"), record.get("spanId")
    row[_END] = record.get("timeUnixNano")
    return row
