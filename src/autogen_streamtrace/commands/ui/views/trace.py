"""The spans and log events of one trace as the page draws them: a waterfall, with every attribute and its meaning."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from autogen_streamtrace.commands.store.numbers import plain, value
from autogen_streamtrace.commands.ui.words import sentences
from autogen_streamtrace.commands.ui.words.vocabulary import CONTENTS, meaning
from autogen_streamtrace.core import semconv as sc

Document = dict[str, Any]

_KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_CODES: Final = ("UNSET", "OK", "ERROR")


def told(trace: str, spans: list[Document], events: list[Document], resource: Mapping[str, Any]) -> Document:
    """One turn.

    Args:
        trace: its id in hexadecimal.
        spans: of ``span`` each, and those that are open.
        events: of ``event`` each, by time.
        resource: the attributes of the process.
    """
    _stalls(spans, events)
    ordered = _ordered(spans)
    head = _head(ordered)
    ids = {each["span"] for each in spans}
    running = any(each["open"] for each in spans)
    ends = [each["end"] for each in spans if each["end"] is not None]
    return {
        "trace": trace,
        "start": min((each["start"] for each in spans), default=None),
        "end": None if running else max(ends, default=None),
        "resource": dict(resource),
        "service": resource.get("service.name"),
        "outcome": head["outcome"] if head else None,
        "sentence": head["sentence"] if head else None,
        "spans": ordered,
        "events": events,
        "complete": not running and all(not each["parent"] or each["parent"] in ids for each in spans),
    }


def _head(ordered: Sequence[Document]) -> Document | None:
    """The outermost stream; else any, else any span."""
    outermost = (each for each in ordered if each["outermost"])
    streams = (each for each in ordered if each["stream"])
    return next(outermost, None) or next(streams, None) or next(iter(ordered), None)


def span(span: Document, scope: str) -> Document:
    """A span of OTLP JSON."""
    attributes = plain(span.get("attributes"))
    start, end = (_milliseconds(span.get(name)) for name in ("startTimeUnixNano", "endTimeUnixNano"))
    status = span.get("status") if isinstance(span.get("status"), dict) else {}
    code = status.get("code", 0) if status else 0
    links = span.get("links")
    kind = span.get("kind", 0)
    return {
        "span": str(span.get("spanId", "")).lower(),
        "parent": str(span.get("parentSpanId") or "").lower() or None,
        "scope": scope,
        "name": str(span.get("name", "")),
        "kind": _KINDS[kind] if isinstance(kind, int) and 0 <= kind < len(_KINDS) else str(kind),
        "start": start or end or 0,
        "end": end,
        "status": {
            "code": _CODES[code] if isinstance(code, int) and 0 <= code < len(_CODES) else str(code),
            "message": str(status.get("message", "")) if status else "",
        },
        "links": [
            {"trace": str(each.get("traceId", "")), "span": str(each.get("spanId", ""))}
            for each in (links if isinstance(links, list) else ())
            if isinstance(each, dict)
        ],
        **_stream(attributes, scope, start, end),
        **attributes_of(attributes),
    }


def _stream(attributes: Document, scope: str, start: float | None, end: float | None) -> Document:
    """What is known where it is a stream's span."""
    outcome = attributes.get(sc.A_OUTCOME)
    ours = scope == sc.SCOPE and outcome is not None
    overrun, silence, first = (_number(attributes.get(key)) for key in (sc.A_OVERRUN, sc.A_SILENCE, sc.A_FIRST_CHUNK))
    verdict_at = end - 1000 * (overrun or 0.0) if end is not None else None
    last_at = verdict_at - 1000 * silence if verdict_at is not None and silence is not None else None
    return {
        "stream": ours,
        "layer": attributes.get(sc.A_LAYER) if ours else None,
        "stream_name": attributes.get(sc.A_NAME) if ours else None,
        "outcome": outcome if ours else None,
        "sort": sentences.sort(str(outcome), fault=bool(attributes.get(sc.A_FAULT))) if ours else None,
        "ended_by": attributes.get(sc.A_ENDED_BY),
        "origin": bool(attributes.get(sc.A_ORIGIN)) and bool(attributes.get(sc.A_EARLY)),
        "outermost": bool(attributes.get(sc.A_OUTERMOST)),
        "fault": bool(attributes.get(sc.A_FAULT)),
        "open": False,
        "recovered": sc.A_LAST_SEEN in attributes,
        "first_chunk_at": start + 1000 * first if start is not None and first is not None else None,
        "last_at": last_at,
        "verdict_at": verdict_at,
        "longest_gap": attributes.get(sc.A_LONGEST_GAP),
        "caller_time": attributes.get(sc.A_CALLER_TIME),
        "sentence": sentences.of_span(attributes) if ours else None,
        "stalls": [],
    }


def attributes_of(attributes: Document) -> Document:
    """Attributes with their meanings, and contents apart."""
    return {
        "attributes": [
            {"key": key, "value": each, **meaning(key)}
            for key, each in sorted(attributes.items(), key=lambda pair: (not pair[0].startswith("streamtrace."), pair))
            if key not in CONTENTS
        ],
        "contents": {key: each for key, each in attributes.items() if key in CONTENTS},
    }


def event(record: Document) -> Document:
    """A log record of OTLP JSON."""
    attributes = plain(record.get("attributes"))
    return {
        "at": _milliseconds(record.get("timeUnixNano")),
        "span": str(record.get("spanId") or "").lower() or None,
        "name": record.get("eventName") or None,
        "severity": record.get("severityText") or None,
        "body": value(record.get("body")),
        **attributes_of(attributes),
    }


def _stalls(spans: list[Document], events: list[Document]) -> None:
    """Puts each stall to its span."""
    by_id = {each["span"]: each for each in spans}
    for event in events:
        if event["name"] == sc.E_STALL and event["span"] in by_id:
            told = {each["key"]: each["value"] for each in event["attributes"]}
            waiting = (told.get(sc.A_WAITING_ON_TYPE), told.get(sc.A_WAITING_ON_NAME))
            by_id[event["span"]]["stalls"].append(
                {
                    "at": event["at"],
                    "waiting_on": " ".join(str(each) for each in waiting if each),
                    "silent": told.get(sc.A_SILENCE),
                    "loop_blocked": bool(told.get(sc.A_LOOP_BLOCKED)),
                    "stack": told.get(sc.STACK_TRACE),
                }
            )


def _ordered(spans: list[Document]) -> list[Document]:
    """Depth first, by start, each with its depth; whatever the parents say, each span once."""
    ids = {each["span"] for each in spans}
    below: dict[str | None, list[Document]] = {}
    for each in sorted(spans, key=lambda one: one["start"]):
        below.setdefault(each["parent"] if each["parent"] in ids else None, []).append(each)
    ordered: list[Document] = []
    waiting = [(each, 0) for each in reversed(below.get(None, []))]
    seen: set[int] = set()
    while waiting:
        each, depth = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        ordered.append({**each, "depth": depth})
        waiting += [(one, depth + 1) for one in reversed(below.get(each["span"], []))]
    return ordered + [{**each, "depth": 0} for each in spans if id(each) not in seen]


def _milliseconds(given: Any) -> float | None:
    number = _number(given)
    return None if number is None else number / 1e6


def _number(given: Any) -> float | None:
    try:
        return None if given is None or isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        return None
