"""Reads rows back."""

import json
import zlib
from dataclasses import fields
from struct import Struct
from typing import Any

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.causes import Cause
from autogen_streamtrace.core.evidence.deadlines import Deadline
from autogen_streamtrace.core.stream.state import Ending, StreamInfo, StreamLabels, StreamState
from autogen_streamtrace.recorder.layout import places, row
from autogen_streamtrace.recorder.layout.attributes import unpacked
from autogen_streamtrace.recorder.layout.header import Unreadable
from autogen_streamtrace.recorder.layout.row import Ids, Judged, Row, long


def read_row(data: bytes, slot: int) -> Row | None:
    """The stream in a row; None where there is none.

    Args:
        data: the file's content.
        slot: the row's number.

    Raises:
        Unreadable: the row is damaged.
    """
    at = places.row_at(slot)
    written = data[at : at + places.ROW_SIZE].ljust(places.ROW_SIZE, b"\0")
    if not any(written[: row.CHECKSUM.size + row.BIRTH.size]):
        return None
    serial, parent, ids, state = _read_birth(written, slot)
    _read_progress(data, slot, serial, state)
    ending, verdict = _read_end(written, serial, state)
    finished_serial, finished_at = row.FINISHED.unpack_from(written, places.FINISHED)
    return Row(
        serial,
        parent,
        ids,
        state,
        ending,
        finished_at if finished_serial == serial else None,
        verdict,
        _mark(data, places.RETIRED_AT, slot, serial),
        _mark(data, places.TOLD_AT, slot, serial) > 0,
    )


def _mark(data: bytes, part: int, slot: int, serial: int) -> int:
    """The number for a row's stream in a part of the file that has one for each row; 0 where it has none."""
    at = part + slot * places.MARK_SIZE
    of, number = row.MARK.unpack_from(data, at) if len(data) >= at + places.MARK_SIZE else (0, 0)
    return int(number) if of == serial else 0


def _checked(written: bytes, begin: int, layout: Struct) -> tuple[tuple[Any, ...], bytes] | None:
    """A part that begins with its checksum and the length of its text: its numbers and its text; None where damaged."""
    (checksum,) = row.CHECKSUM.unpack_from(written, begin)
    begin += row.CHECKSUM.size
    length, *numbers = layout.unpack_from(written, begin)
    end = begin + layout.size + length
    if zlib.crc32(written[begin:end]) != checksum:
        return None
    return tuple(numbers), written[begin + layout.size : end]


def _read_birth(written: bytes, slot: int) -> tuple[int, int, Ids, StreamState]:
    """Its serial number, its parent's, its ids, and the stream."""
    found = _checked(written, 0, row.BIRTH)
    if found is None or found[0][0] >= len(sc.LAYERS):
        raise Unreadable(f"row {slot} is damaged")
    (layer, flags, serial, trace, span, above, parent, start_ns, start), text = found
    name, span_name, attributes, framework, labels = json.loads(text)
    info = StreamInfo(
        sc.LAYERS[layer],
        name,
        span_name=span_name,
        attributes=tuple(map(tuple, attributes)),
        framework=framework,
        streamed=bool(flags & row.STREAMED),
    )
    state = StreamState(info, None, 0)
    state.labels = StreamLabels({long(key): value for key, value in labels.items()})
    state.start_ns = start_ns
    state.start = state.last = state.asked = start
    trace_id, span_id, parent_id = (int.from_bytes(each, "big") for each in (trace, span, above))
    return serial, parent, Ids(trace_id, span_id, parent_id, bool(flags & row.SAMPLED)), state


def _read_progress(data: bytes, slot: int, serial: int, state: StreamState) -> None:
    at = places.PROGRESS_AT + slot * places.PROGRESS_SIZE
    if len(data) < at + row.PROGRESS.size:
        return
    of, chunks, size, last, asked, first, gap, status = row.PROGRESS.unpack_from(data, at)
    if of == serial:
        state.chunks, state.size, state.last, state.asked = chunks, size, last, asked
        state.first, state.longest_gap, state.status = first, gap, status or None


def _read_end(written: bytes, serial: int, state: StreamState) -> tuple[Ending | None, Judged | None]:
    """How the stream ended for its reader, or its verdict; neither where it is open."""
    _, stage, of = row.STAGE.unpack_from(written, places.END + row.CHECKSUM.size)
    if of != serial or stage not in (row.ENDED, row.JUDGED):
        return None, None
    found = _checked(written, places.END, row.JUDGED_AT if stage == row.JUDGED else row.ENDED_AT)
    if found is None:
        raise Unreadable("an end is damaged")
    (_, _, *numbers), text = found
    if stage == row.JUDGED:
        span, end_ns = numbers
        return None, _judged(span, end_ns, text)
    flags, at, delivered, *counts = numbers
    _restore_counts(state, *counts)
    state.terminal, state.terminated = bool(flags & row.TERMINAL), bool(flags & row.TERMINATED)
    state.error, state.document = bool(flags & row.ERROR), bool(flags & row.DOCUMENT)
    state.empty = bool(flags & row.EMPTY)
    state.closed = True
    known: dict[str, Any] = json.loads(text) if text else {}
    state.finish = known.get("finish")
    return _ending(flags, at, delivered, known), None


def _judged(span: int, end_ns: int, text: bytes) -> Judged:
    """A verdict, whose attributes and labels stand together."""
    tables: dict[str, dict[str, Any]] = {row.OF_ENDED: {}, row.OF_CUT: {}}
    attributes = unpacked(text)
    for name in list(attributes):
        for begin, table in tables.items():
            if name.startswith(begin):
                table[name.removeprefix(begin)] = attributes.pop(name)
    return Judged(span, end_ns, attributes, tables[row.OF_ENDED], tables[row.OF_CUT])


def _restore_counts(
    state: StreamState,
    chunks: int,
    size: int,
    last: float,
    asked: float,
    first: float,
    longest_gap: float,
    status: int,
    input_tokens: int,
    output_tokens: int,
    caller_time: float,
) -> None:
    state.chunks, state.size, state.last, state.asked = chunks, size, last, asked
    state.first, state.longest_gap, state.caller_time = first, longest_gap, caller_time
    state.status = status or None
    state.input_tokens = None if input_tokens == row.NO_NUMBER else input_tokens
    state.output_tokens = None if output_tokens == row.NO_NUMBER else output_tokens


def _ending(flags: int, at: float, delivered: int, known: dict[str, Any]) -> Ending:
    return Ending(
        how=row.HOWS[flags & 3],
        at=at,
        held=bool(flags & row.HELD),
        cause=_cause(known.get("cause")),
        thrown_in=bool(flags & row.THROWN_IN),
        by_token=bool(flags & row.BY_TOKEN),
        gone=bool(flags & row.GONE),
        shutdown=bool(flags & row.SHUTDOWN),
        inside=bool(flags & row.INSIDE),
        parent_chunks=delivered,
        deadline=_deadline(known.get("deadline")),
        grace=_deadline(known.get("grace")),
        finished=bool(flags & row.FINISHED_NOW),
    )


def _cause(values: dict[str, Any] | None) -> Cause | None:
    if values is None:
        return None
    known = {field.name: values[field.name] for field in fields(Cause) if field.name in values}
    known["types"] = tuple(known["types"])
    known["links"] = frozenset((at, name) for at, name in known["links"])
    known["raised"] = tuple(known["raised"])
    return Cause(**known)


def _deadline(values: list[Any] | None) -> Deadline | None:
    return Deadline(*values) if values is not None else None
