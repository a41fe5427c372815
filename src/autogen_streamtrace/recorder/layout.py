"""What lies where in a recorder's file, and how it is read back.

    header    what the process is: its resource and its settings
    pulse     when it was last seen alive, and which of its server's timers ran
    progress  one entry for each row, copied by the watcher
    rows      what is known of each stream: its birth, its end, whether it has left

No row and no entry crosses a page, so that a process that dies while it writes leaves the old one or the new one. The
parts of a row carry the serial number of its stream, since rows are used again; a checksum tells what is whole.
"""

import json
import struct
import zlib
from collections.abc import Iterable
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final, NamedTuple

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.causes import Cause
from autogen_streamtrace.core.evidence.deadlines import Deadline
from autogen_streamtrace.core.stream.state import Ending, How, StreamInfo, StreamLabels, StreamState
from autogen_streamtrace.core.telemetry.counters import OF_VERDICT
from autogen_streamtrace.core.watching.supervision import Timer

MAGIC: Final = b"AGSTREAM"
VERSION: Final = 2
ROWS: Final = 16_384
"""Streams that can stand in a file at the same time."""

_PAGE: Final = 4096
HEADER_SIZE: Final = 8 * _PAGE
PULSE_AT: Final = HEADER_SIZE
PROGRESS_AT: Final = PULSE_AT + _PAGE
PROGRESS_SIZE: Final = 64
ROWS_AT: Final = PROGRESS_AT + ROWS * PROGRESS_SIZE
ROW_SIZE: Final = 2048
_END_AT: Final = 768
_TOLD_AT: Final = ROW_SIZE - 40
_OVER_AT: Final = ROW_SIZE - 32
_LEFT_AT: Final = ROW_SIZE - 16

_HEADER: Final = struct.Struct("<8sHHII")
_PULSE: Final = struct.Struct("<dQ")
_TIMERS: Final = struct.Struct("<II")
_PROGRESS: Final = struct.Struct("<QQQddddH")
_BIRTH: Final = struct.Struct("<HBBQ16s8s8sQQd")
_END: Final = struct.Struct("<HBHQdIQQddddHIId")
_CHECKSUM: Final = struct.Struct("<I")
_OVER: Final = struct.Struct("<Qd")
_LEFT: Final = struct.Struct("<QQ")
_TOLD: Final = struct.Struct("<Q")

_SAMPLED, _STREAMED = 1, 2
_HELD, _THROWN_IN, _BY_TOKEN, _OVER_NOW, _TERMINAL, _TERMINATED, _GONE, _SHUTDOWN = (1 << bit for bit in range(2, 10))
_HOWS: Final[tuple[How, ...]] = ("returned", "raised", "closed", "unread")
_ENDED: Final = 1
_JUDGED: Final = 2
_NOTHING: Final = 0xFFFFFFFF
UNKNOWN: Final = 2**64 - 1
"""The serial number of a stream that has no row."""
_OPTIONAL: Final = (sc.A_CAUSE_CHAIN, sc.A_LIMIT_VALUE, sc.A_LONGEST_GAP, sc.A_CALLER_TIME)
"""What goes first where a verdict does not fit; headers of the response go before."""
_PREFIX: Final = "streamtrace."


class Unreadable(Exception):  # noqa: N818 - it is the file that is, which is no error of the program's
    """A file that is no recorder's, or a damaged one, or one of another version."""


class Ids(NamedTuple):
    """Where a stream's span belongs."""

    trace: int
    span: int
    """0 where the span is started at its end only."""
    parent: int
    sampled: bool


class Judged(NamedTuple):
    """A verdict that has fallen."""

    span: int
    end_ns: int
    attributes: dict[str, Any]
    ended: dict[str, Any]
    """What the labels of ``ended`` say otherwise than the attributes, because they are capped."""
    cut: dict[str, Any]
    """The same of ``cut``."""


class Row(NamedTuple):
    """A stream as it stands in the file."""

    serial: int
    """Counts the streams of the process in the order in which they started."""
    parent: int
    """Serial of the stream around it, 0 if there is none."""
    ids: Ids
    state: StreamState
    ending: Ending | None
    over_at: float | None
    judged: Judged | None
    left: int
    """The state of the counters' file that counts it already, 0 if none does."""
    told: bool
    """The event of its end has arrived."""


def header(described: dict[str, Any]) -> bytes:
    """The header of a process that ``described`` describes; its largest resource attributes go where it is too long."""
    resource = dict(described["resource"])
    while True:
        text = json.dumps({**described, "resource": resource}).encode()
        if len(text) <= HEADER_SIZE - _HEADER.size:
            return _HEADER.pack(MAGIC, VERSION, 0, len(text), zlib.crc32(text)) + text
        del resource[max(resource, key=lambda key: len(str(resource[key])))]


def read_header(data: bytes) -> dict[str, Any]:
    """What a header describes.

    Raises:
        Unreadable: it is none, or damaged, or of another version.
    """
    if len(data) < _HEADER.size:
        raise Unreadable("it is too short")
    magic, version, _, length, checksum = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise Unreadable("it is no flight recorder's file")
    if version != VERSION:
        raise Unreadable(f"it has version {version}, this package reads version {VERSION}")
    text = data[_HEADER.size : _HEADER.size + length]
    if len(text) != length or zlib.crc32(text) != checksum:
        raise Unreadable("its header is damaged")
    described: dict[str, Any] = json.loads(text)
    return described


def pulse(now: float, now_ns: int, timers: Iterable[Timer] = ()) -> bytes:
    """When the process was seen alive, on its records' clock and since the epoch; what its server would end it for."""
    text = json.dumps([*timers]).encode()
    return _PULSE.pack(now, now_ns) + _TIMERS.pack(len(text), zlib.crc32(text)) + text


def read_pulse(data: bytes) -> tuple[float, int]:
    """What ``pulse`` made; zeros where there was none."""
    return _PULSE.unpack_from(data, PULSE_AT) if len(data) >= PULSE_AT + _PULSE.size else (0.0, 0)


def read_timers(data: bytes) -> tuple[Timer, ...]:
    """The timers that ``pulse`` was given; none where they are damaged, or were never written."""
    at = PULSE_AT + _PULSE.size
    if len(data) < at + _TIMERS.size:
        return ()
    length, checksum = _TIMERS.unpack_from(data, at)
    text = data[at + _TIMERS.size : at + _TIMERS.size + length]
    if not length or len(text) != length or zlib.crc32(text) != checksum:
        return ()
    return tuple(Timer(*each) for each in json.loads(text))


def row_at(slot: int) -> int:
    """Where a row begins."""
    return ROWS_AT + slot * ROW_SIZE


def end_at(slot: int) -> int:
    """Where the end of a row's stream stands."""
    return row_at(slot) + _END_AT


def over_at(slot: int) -> int:
    """Where it stands that a row's stream really ended."""
    return row_at(slot) + _OVER_AT


def told_at(slot: int) -> int:
    """Where it stands that the event of a row's end has arrived."""
    return row_at(slot) + _TOLD_AT


def left_at(slot: int) -> int:
    """Where it stands that a row has left."""
    return row_at(slot) + _LEFT_AT


def write_progress(into: bytearray, slot: int, serial: int, state: StreamState) -> None:
    """Copies a record's progress into an image of that part of the file."""
    _PROGRESS.pack_into(
        into,
        slot * PROGRESS_SIZE,
        serial,
        state.chunks,
        state.size,
        state.last,
        state.asked,
        state.first,
        state.longest_gap,
        state.status or 0,
    )


Pairs = tuple[tuple[str, Any], ...]


def opening_text(name: str, span_name: str, attributes: Pairs, labels: StreamLabels) -> bytes:
    """What an opening says, as it stands in a row. Its attributes go where it is too long, its labels never.

    Raises:
        ValueError: the labels alone are too long.
    """
    try:
        return _opening_text(name, span_name, attributes, labels)
    except TypeError:  # an attribute that cannot be hashed, or is no JSON: its span will not have it either
        plain = tuple((key, value) for key, value in attributes if isinstance(value, (str, bool, int, float)))
        return _opening_text(name, span_name, plain, labels)


@lru_cache(maxsize=1024)
def _opening_text(name: str, span_name: str, attributes: Pairs, labels: StreamLabels) -> bytes:
    """Most streams of a process open alike."""
    room = _END_AT - _CHECKSUM.size - _BIRTH.size
    counted = {_short(key): value for key, value in labels.started.items()}
    for said in ([name, span_name, attributes], [name, span_name, []], [name[:40], span_name[:60], []]):
        text = json.dumps([*said, counted]).encode()
        if len(text) <= room:
            return text
    raise ValueError(f"the labels of {name[:40]!r} do not fit into a row")


def birth(state: StreamState, serial: int, parent: int, ids: Ids) -> bytes:
    """The first part of a row.

    Raises:
        ValueError: it does not fit.
    """
    info = state.info
    text = opening_text(info.name, info.span_name, info.attributes, state.labels)
    flags = (_SAMPLED if ids.sampled else 0) | (_STREAMED if info.streamed else 0)
    body = (
        _BIRTH.pack(
            len(text),
            sc.LAYERS.index(info.layer),
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
    return _CHECKSUM.pack(zlib.crc32(body)) + body


def ended(serial: int, state: StreamState, ending: Ending) -> bytes:
    """The second part of a row whose stream has ended for its reader."""
    text = _ending_text(state, ending)
    flags = (
        _HOWS.index(ending.how)
        | (_HELD if ending.held else 0)
        | (_THROWN_IN if ending.thrown_in else 0)
        | (_BY_TOKEN if ending.by_token else 0)
        | (_GONE if ending.gone else 0)
        | (_SHUTDOWN if ending.shutdown else 0)
        | (_OVER_NOW if ending.over else 0)
        | (_TERMINAL if state.terminal else 0)
        | (_TERMINATED if state.terminated else 0)
    )
    return _end(_ENDED, flags, serial, ending.at, ending.parent_chunks, state, text)


def judged(serial: int, state: StreamState, verdict: Judged) -> bytes:
    """The second part of a row whose stream has its verdict."""
    room = _TOLD_AT - _END_AT - _CHECKSUM.size - _END.size
    attributes = {_short(key): value for key, value in verdict.attributes.items()}
    text = _judged_text(verdict, attributes)
    if len(text) > room:
        text = _within(room, verdict, attributes)
    return _end(_JUDGED, 0, serial, 0.0, 0, state, text)


def _judged_text(verdict: Judged, attributes: dict[str, Any]) -> bytes:
    ended, cut = ({_short(key): value for key, value in each.items()} for each in (verdict.ended, verdict.cut))
    return json.dumps([verdict.span, verdict.end_ns, attributes, ended, cut]).encode()


def _within(room: int, verdict: Judged, attributes: dict[str, Any]) -> bytes:
    """What fits of a verdict: headers of the response go first, then what is optional, then the longest.

    What the counters' labels are taken from goes last.
    """
    optional = [key for key in attributes if key.startswith(sc.HTTP_RESPONSE_HEADER)]
    optional += [_short(key) for key in _OPTIONAL]
    kept = {_short(key) for key in OF_VERDICT}
    while True:
        text = _judged_text(verdict, attributes)
        if len(text) <= room:
            return text
        free = [key for key in attributes if key not in kept] or list(attributes)
        longest = max(free, key=lambda key: len(json.dumps(attributes[key])))
        attributes.pop(optional.pop(0) if optional else longest, None)


def over(serial: int, at: float) -> bytes:
    """The part of a row that says when its stream really ended."""
    return _OVER.pack(serial, at)


def told(serial: int) -> bytes:
    """The part of a row that says that the event of its end has arrived."""
    return _TOLD.pack(serial)


def left(serial: int, state: int) -> bytes:
    """The part of a row that says that it is counted by the counters' file from its ``state`` on."""
    return _LEFT.pack(serial, state)


def _end(stage: int, flags: int, serial: int, at: float, delivered: int, state: StreamState, text: bytes) -> bytes:
    body = (
        _END.pack(
            len(text),
            stage,
            flags,
            serial,
            at,
            delivered,
            state.chunks,
            state.size,
            state.last,
            state.asked,
            state.first,
            state.longest_gap,
            state.status or 0,
            _NOTHING if state.input_tokens is None else state.input_tokens & _NOTHING,
            _NOTHING if state.output_tokens is None else state.output_tokens & _NOTHING,
            state.caller_time,
        )
        + text
    )
    return _CHECKSUM.pack(zlib.crc32(body)) + body


def _ending_text(state: StreamState, ending: Ending) -> bytes:
    """What is known of an ending beside its flags, each by its name."""
    room = _TOLD_AT - _END_AT - _CHECKSUM.size - _END.size
    cause = _by_name(ending.cause) if ending.cause is not None else None
    whole = {"finish": state.finish, "cause": cause, "deadline": ending.deadline, "grace": ending.grace}
    said = {key: value for key, value in whole.items() if value is not None}
    if not said:
        return b""
    text = json.dumps(said).encode()
    return text if len(text) <= room else json.dumps({**said, "cause": None, "finish": None}).encode()


def _by_name(cause: Cause) -> dict[str, Any]:
    told = {field.name: getattr(cause, field.name) for field in fields(cause)}
    return {**told, "types": cause.types[:8], "links": [list(link) for link in list(cause.links)[:8]]}


def read_row(data: bytes, slot: int) -> Row | None:
    """The stream in a row; None where there is none.

    Raises:
        Unreadable: the row is damaged.
    """
    at = row_at(slot)
    row = data[at : at + ROW_SIZE].ljust(ROW_SIZE, b"\0")
    if not any(row[: _CHECKSUM.size + _BIRTH.size]):
        return None
    (checksum,) = _CHECKSUM.unpack_from(row)
    length, layer, flags, serial, trace, span, above, parent, start_ns, start = _BIRTH.unpack_from(row, 4)
    text = row[4 + _BIRTH.size : 4 + _BIRTH.size + length]
    if zlib.crc32(row[4 : 4 + _BIRTH.size + length]) != checksum or layer >= len(sc.LAYERS):
        raise Unreadable(f"row {slot} is damaged")
    name, span_name, attributes, labels = json.loads(text)
    info = StreamInfo(
        sc.LAYERS[layer],
        name,
        span_name=span_name,
        attributes=tuple((key, value) for key, value in attributes),
        streamed=bool(flags & _STREAMED),
    )
    state = StreamState(info, None, 0)
    state.labels = StreamLabels({_long(key): value for key, value in labels.items()})
    state.start_ns = start_ns
    state.start = state.last = state.asked = start
    trace_id, span_id, parent_id = (int.from_bytes(each, "big") for each in (trace, span, above))
    ids = Ids(trace_id, span_id, parent_id, bool(flags & _SAMPLED))
    _read_progress(data, slot, serial, state)
    ending, verdict = _read_end(row, serial, state)
    over_of, over_time = _OVER.unpack_from(row, _OVER_AT)
    left_of, left_state = _LEFT.unpack_from(row, _LEFT_AT)
    (told_of,) = _TOLD.unpack_from(row, _TOLD_AT)
    return Row(
        serial,
        parent,
        ids,
        state,
        ending,
        over_time if over_of == serial else None,
        verdict,
        left_state if left_of == serial else 0,
        told_of == serial,
    )


def _read_progress(data: bytes, slot: int, serial: int, state: StreamState) -> None:
    at = PROGRESS_AT + slot * PROGRESS_SIZE
    if len(data) < at + _PROGRESS.size:
        return
    of, chunks, size, last, asked, first, gap, status = _PROGRESS.unpack_from(data, at)
    if of == serial:
        state.chunks, state.size, state.last, state.asked = chunks, size, last, asked
        state.first, state.longest_gap, state.status = first, gap, status or None


def _read_end(row: bytes, serial: int, state: StreamState) -> tuple[Ending | None, Judged | None]:
    (checksum,) = _CHECKSUM.unpack_from(row, _END_AT)
    length, stage, flags, of, at, delivered, *counts = _END.unpack_from(row, _END_AT + 4)
    if of != serial:
        return None, None
    begin = _END_AT + 4
    if zlib.crc32(row[begin : begin + _END.size + length]) != checksum:
        raise Unreadable("an end is damaged")
    text = row[begin + _END.size : begin + _END.size + length]
    state.chunks, state.size, state.last, state.asked, state.first, state.longest_gap = counts[:6]
    status, tokens_in, tokens_out, state.caller_time = counts[6:]
    state.status = status or None
    state.input_tokens = None if tokens_in == _NOTHING else tokens_in
    state.output_tokens = None if tokens_out == _NOTHING else tokens_out
    if stage == _JUDGED:
        span, end_ns, *tables = json.loads(text)
        attributes, ended, cut = ({_long(key): _plain(value) for key, value in each.items()} for each in tables)
        return None, Judged(span, end_ns, attributes, ended, cut)
    state.terminal, state.terminated = bool(flags & _TERMINAL), bool(flags & _TERMINATED)
    state.closed = True
    said: dict[str, Any] = json.loads(text) if text else {}
    state.finish = said.get("finish")
    return (
        Ending(
            how=_HOWS[flags & 3],
            at=at,
            held=bool(flags & _HELD),
            cause=_cause(said.get("cause")),
            thrown_in=bool(flags & _THROWN_IN),
            by_token=bool(flags & _BY_TOKEN),
            gone=bool(flags & _GONE),
            shutdown=bool(flags & _SHUTDOWN),
            parent_chunks=delivered,
            deadline=_deadline(said.get("deadline")),
            grace=_deadline(said.get("grace")),
            over=bool(flags & _OVER_NOW),
        ),
        None,
    )


def _cause(told: dict[str, Any] | None) -> Cause | None:
    if told is None:
        return None
    known = {field.name: told[field.name] for field in fields(Cause) if field.name in told}
    known["types"] = tuple(known["types"])
    known["links"] = frozenset((at, name) for at, name in known["links"])
    known["raised"] = tuple(known["raised"])
    return Cause(**known)


def _deadline(told: list[Any] | None) -> Deadline | None:
    return Deadline(*told) if told is not None else None


@lru_cache(maxsize=256)
def _short(key: str) -> str:
    return key.replace(_PREFIX, ".", 1)


def _long(key: str) -> str:
    return _PREFIX + key[1:] if key.startswith(".") else key


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
