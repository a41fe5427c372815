"""*One turn*: what the store and the recorders know of a trace."""

import zlib
from typing import Any, Final

from autogen_streamtrace.commands.store.reading import Reader
from autogen_streamtrace.commands.ui.live import Live
from autogen_streamtrace.commands.ui.views import trace as traces
from autogen_streamtrace.core import semconv as sc

Document = dict[str, Any]

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
    spans = [traces.span(found, reader.text(scope)) for _, scope, body in rows if (found := _unpacked(reader, body))]
    told = reader.rows(f"SELECT source, body FROM events WHERE trace = ? ORDER BY at LIMIT {_MOST}", (key,))
    records = [found for _, body in told if (found := _unpacked(reader, body))]
    events = [traces.event(found) for found in records]
    spans += _unsampled(records, {each["span"] for each in spans})
    spans += _open(live, trace, {each["span"] for each in spans})
    if not spans and not events:
        return None
    source = next((row[0] for row in (*rows, *told)), None)
    return traces.told(trace, spans, events, reader.resource(source))


def _unsampled(records: list[Document], stored: set[str]) -> list[Document]:
    """The streams of which only events are there: their span has not come yet, or was not sampled."""
    began = {each.get("spanId"): each.get("timeUnixNano") for each in records if each.get("eventName") == sc.E_START}
    found = []
    for each in records:
        if each.get("eventName") == sc.E_END and str(each.get("spanId")).lower() not in stored:
            span = {
                "spanId": each.get("spanId"),
                "name": each.get("eventName"),
                "startTimeUnixNano": began.get(each.get("spanId")),
                "endTimeUnixNano": each.get("timeUnixNano"),
                "attributes": each.get("attributes"),
            }
            found.append(traces.span(span, sc.SCOPE))
    return found


def _unpacked(reader: Reader, body: bytes | None) -> Any:
    """A stored item; none where it is absent or damaged."""
    if body is None:
        return None
    try:
        return reader.unpack(body)
    except (ValueError, zlib.error):
        return None


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
                            **traces.span({"spanId": own, "parentSpanId": parent, "name": each.layer}, sc.SCOPE),
                            **traces.attributes_of(attributes),
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
