"""*One turn*: its spans as a waterfall, with every attribute and its meaning, its log events and its contents."""

import zlib
from typing import Any, Final

from autogen_streamtrace.commands.store.numbers import plain, value
from autogen_streamtrace.commands.store.reading import Reader
from autogen_streamtrace.commands.ui.live import Live
from autogen_streamtrace.commands.ui.views import sentences
from autogen_streamtrace.commands.ui.views.words import CONTENTS, meaning
from autogen_streamtrace.core import semconv as sc

Document = dict[str, Any]

_KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_CODES: Final = ("UNSET", "OK", "ERROR")
_MOST: Final = 2000
"""Spans, and events, of one turn that are shown."""


def one_turn(reader: Reader, live: Live, trace: str) -> Document | None:
    """A trace; none where nothing of it is known.

    Args:
        reader: of the store.
        live: what is open now.
        trace: its id in hexadecimal.
    """
    try:
        key = bytes.fromhex(trace)
    except ValueError:
        return None
    rows = reader.rows(f"SELECT source, scope, body FROM spans WHERE trace = ? LIMIT {_MOST}", (key,))
    spans = [_span(found, reader.text(scope)) for _, scope, body in rows if (found := _unpacked(reader, body))]
    told = reader.rows(f"SELECT source, body FROM events WHERE trace = ? ORDER BY at LIMIT {_MOST}", (key,))
    events = [_event(found) for _, body in told if (found := _unpacked(reader, body))]
    running = _open(live, trace, {each["span"] for each in spans})
    spans += running
    if not spans and not events:
        return None
    _stalls(spans, events)
    source = next((row[0] for row in (*rows, *told)), None)
    ordered = _ordered(spans)
    head = next((each for each in ordered if each["outermost"]), None) or next(
        (each for each in ordered if each["stream"]), ordered[0] if ordered else None
    )
    ids = {each["span"] for each in spans}
    complete = not running and all(not each["parent"] or each["parent"] in ids for each in spans)
    ends = [each["end"] for each in spans if each["end"] is not None]
    return {
        "trace": trace,
        "start": min((each["start"] for each in spans), default=None),
        "end": None if running else max(ends, default=None),
        "resource": reader.resource(source),
        "service": reader.resource(source).get("service.name"),
        "outcome": head["outcome"] if head else None,
        "sentence": head["sentence"] if head else None,
        "spans": ordered,
        "events": events,
        "complete": complete,
    }


def _unpacked(reader: Reader, body: bytes | None) -> Any:
    """A stored item; none where it is absent or damaged."""
    if body is None:
        return None
    try:
        return reader.unpack(body)
    except (ValueError, zlib.error):
        return None


def _span(span: Document, scope: str) -> Document:
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
        **_told(attributes),
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


def _told(attributes: Document) -> Document:
    """Attributes with their meanings, and contents apart."""
    return {
        "attributes": [
            {"key": key, "value": each, **meaning(key)}
            for key, each in sorted(attributes.items(), key=lambda pair: (not pair[0].startswith("streamtrace."), pair))
            if key not in CONTENTS
        ],
        "contents": {key: each for key, each in attributes.items() if key in CONTENTS},
    }


def _event(record: Document) -> Document:
    attributes = plain(record.get("attributes"))
    return {
        "at": _milliseconds(record.get("timeUnixNano")),
        "span": str(record.get("spanId") or "").lower() or None,
        "name": record.get("eventName") or None,
        "severity": record.get("severityText") or None,
        "body": value(record.get("body")),
        **_told(attributes),
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


def _open(live: Live, trace: str, stored: set[str]) -> list[Document]:
    """The spans of a trace that are open in some process."""
    found = []
    for program in live.programs():
        for turn in program.open:
            above: list[str] = []
            for at, each in enumerate(turn):
                own = each.span_id or f"open{at}"  # the span of some layers starts at their end
                del above[each.depth :]
                above.append(own)
                if each.trace_id == trace and own not in stored:
                    parent = above[each.depth - 1] if each.depth else None
                    attributes = {sc.A_LAYER: each.layer, sc.A_NAME: each.name, sc.A_CHUNKS: each.chunks}
                    found.append(
                        {
                            **_span({"spanId": own, "parentSpanId": parent, "name": each.layer}, sc.SCOPE),
                            **_told(attributes),
                            "start": program.at - 1000 * each.age,
                            "last_at": program.at - 1000 * each.silent_for,
                            "end": None,
                            "stream": True,
                            "open": True,
                            "layer": each.layer,
                            "stream_name": each.name,
                            "outermost": not each.depth,
                            "stalled": each.stalled,
                            "waiting_on": each.waiting_on,
                            "sentence": f"{each.layer} {each.name} is open, waiting on {each.waiting_on or 'none'}",
                        }
                    )
    return found


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
