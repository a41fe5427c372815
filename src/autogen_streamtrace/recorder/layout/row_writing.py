"""Packs the parts of a row."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.causes import Cause
from autogen_streamtrace.core.stream.state import Ending, StreamInfo, StreamLabels, StreamState
from autogen_streamtrace.core.telemetry.counters import OF_VERDICT
from autogen_streamtrace.recorder.layout import places, row
from autogen_streamtrace.recorder.layout.attributes import packed
from autogen_streamtrace.recorder.layout.row import Ids, Judged, short

_OPTIONAL: Final = (sc.A_CAUSE_CHAIN, sc.A_LIMIT_VALUE, sc.A_LONGEST_GAP, sc.A_CALLER_TIME)
"""Attributes that are dropped first where a verdict does not fit, after the headers of the response."""
_ROOM_FOR_BIRTH: Final = places.END - row.CHECKSUM.size - row.BIRTH.size
_ROOM_FOR_END: Final = places.FINISHED - places.END - row.CHECKSUM.size - row.ENDED_AT.size
_LAYERS: Final = {layer: number for number, layer in enumerate(sc.LAYERS)}
_HOWS: Final = {how: number for number, how in enumerate(row.HOWS)}

Pairs = tuple[tuple[str, Any], ...]


def write_progress(into: bytearray, slot: int, serial: int, state: StreamState) -> None:
    """Copies a stream's progress into an image of that part of the file."""
    row.PROGRESS.pack_into(
        into,
        slot * places.PROGRESS_SIZE,
        serial,
        state.chunks,
        state.size,
        state.last,
        state.asked,
        state.first,
        state.longest_gap,
        state.status or 0,
    )


def birth(state: StreamState, serial: int, parent: int, ids: Ids) -> bytes:
    """The first part of a row: what is known when the stream starts.

    Raises:
        ValueError: it does not fit.
    """
    info = state.info
    text = info_text(info, state.labels)
    flags = (row.SAMPLED if ids.sampled else 0) | (row.STREAMED if info.streamed else 0)
    body = (
        row.BIRTH.pack(
            len(text),
            _LAYERS[info.layer],
            flags,
            serial,
            ids.trace.to_bytes(16, "big"),
            ids.span.to_bytes(8, "big"),
            ids.parent.to_bytes(8, "big"),
            parent,
            state.start_ns,
            state.start,
        )
        + text
    )
    return row.CHECKSUM.pack(zlib.crc32(body)) + body


def ended(serial: int, state: StreamState, ending: Ending) -> bytes:
    """The second part of a row whose stream has ended for its reader."""
    text = _ending_text(state, ending)
    body = (
        row.ENDED_AT.pack(
            len(text),
            row.ENDED,
            serial,
            _flags(state, ending),
            ending.at,
            ending.parent_chunks,
            state.chunks,
            state.size,
            state.last,
            state.asked,
            state.first,
            state.longest_gap,
            state.status or 0,
            row.NO_NUMBER if state.input_tokens is None else state.input_tokens & row.NO_NUMBER,
            row.NO_NUMBER if state.output_tokens is None else state.output_tokens & row.NO_NUMBER,
            state.caller_time,
        )
        + text
    )
    return row.CHECKSUM.pack(zlib.crc32(body)) + body


def _flags(state: StreamState, ending: Ending) -> int:
    return (
        _HOWS[ending.how]
        | (row.HELD if ending.held else 0)
        | (row.THROWN_IN if ending.thrown_in else 0)
        | (row.BY_TOKEN if ending.by_token else 0)
        | (row.GONE if ending.gone else 0)
        | (row.SHUTDOWN if ending.shutdown else 0)
        | (row.INSIDE if ending.inside else 0)
        | (row.ERROR if state.error else 0)
        | (row.DOCUMENT if state.document else 0)
        | (row.EMPTY if state.empty else 0)
        | (row.FINISHED_NOW if ending.finished else 0)
        | (row.TERMINAL if state.terminal else 0)
        | (row.TERMINATED if state.terminated else 0)
    )


def judged(serial: int, verdict: Judged) -> bytes:
    """The second part of a row whose stream has its verdict."""
    text = _judged_text(verdict, verdict.attributes)
    if len(text) > _ROOM_FOR_END:
        text = _shortened(verdict)
    body = row.JUDGED_AT.pack(len(text), row.JUDGED, serial, verdict.span, verdict.end_ns) + text
    return row.CHECKSUM.pack(zlib.crc32(body)) + body


def finished(serial: int, at: float) -> bytes:
    """The part of a row that says when its stream finished."""
    return row.FINISHED.pack(serial, at)


def write_mark(into: bytearray, slot: int, serial: int, number: int) -> None:
    """Writes a number that belongs to a row's stream into an image of a part of the file that has one for each row."""
    row.MARK.pack_into(into, slot * places.MARK_SIZE, serial, number)


def info_text(info: StreamInfo, labels: StreamLabels) -> bytes:
    """What is known of a stream before its first read, as it stands in a row.

    Where that is too long, the attributes are dropped. The labels are never dropped.

    Raises:
        ValueError: the labels alone are too long.
    """
    try:
        return _info_text(info.name, info.span_name, info.framework, info.attributes, labels)
    except TypeError:  # an attribute cannot be hashed, or is no JSON: the span drops it too
        plain = tuple((key, value) for key, value in info.attributes if isinstance(value, (str, bool, int, float)))
        return _info_text(info.name, info.span_name, info.framework, plain, labels)


@lru_cache(maxsize=1024)
def _info_text(name: str, span_name: str, framework: str, attributes: Pairs, labels: StreamLabels) -> bytes:
    """Cached, since most streams of a process start alike."""
    counted = {short(key): value for key, value in labels.started.items()}
    for fields_kept in ([name, span_name, attributes], [name, span_name, []], [name[:40], span_name[:60], []]):
        text = json.dumps([*fields_kept, framework, counted]).encode()
        if len(text) <= _ROOM_FOR_BIRTH:
            return text
    raise ValueError(f"the labels of {name[:40]!r} do not fit into a row")


def _judged_text(verdict: Judged, attributes: Mapping[str, Any]) -> bytes:
    """The attributes, and behind them the labels that differ from them."""
    if not verdict.ended and not verdict.cut:
        return packed(attributes)
    ended = {row.OF_ENDED + key: value for key, value in verdict.ended.items()}
    return packed({**attributes, **ended, **{row.OF_CUT + key: value for key, value in verdict.cut.items()}})


def _shortened(verdict: Judged) -> bytes:
    """A verdict without the attributes that do not fit.

    Headers of the response are dropped first, then optional attributes, then the longest. The attributes that make the
    counters' labels are dropped last.
    """
    attributes = dict(verdict.attributes)
    optional = [key for key in attributes if key.startswith(sc.HTTP_RESPONSE_HEADER)]
    optional += _OPTIONAL
    while True:
        text = _judged_text(verdict, attributes)
        if len(text) <= _ROOM_FOR_END:
            return text
        free = [key for key in attributes if key not in OF_VERDICT] or list(attributes)
        longest = max(free, key=lambda key: len(json.dumps(attributes[key])))
        attributes.pop(optional.pop(0) if optional else longest, None)


def _ending_text(state: StreamState, ending: Ending) -> bytes:
    """What is known of an ending beside its flags and numbers, each under its name."""
    if ending.cause is None and ending.deadline is None and ending.grace is None:
        return _text_of_finish(state.finish) if state.finish else b""
    cause = _by_name(ending.cause) if ending.cause is not None else None
    whole = {"finish": state.finish, "cause": cause, "deadline": ending.deadline, "grace": ending.grace}
    known = {key: value for key, value in whole.items() if value is not None}
    text = json.dumps(known).encode()
    return text if len(text) <= _ROOM_FOR_END else json.dumps({**known, "cause": None, "finish": None}).encode()


@lru_cache(maxsize=256)
def _text_of_finish(finish: str) -> bytes:
    """Cached, since most streams end alike."""
    text = json.dumps({"finish": finish}).encode()
    return text if len(text) <= _ROOM_FOR_END else b""


def _by_name(cause: Cause) -> dict[str, Any]:
    values = {field.name: getattr(cause, field.name) for field in fields(cause)}
    return {**values, "types": cause.types[:8], "links": [list(link) for link in list(cause.links)[:8]]}
