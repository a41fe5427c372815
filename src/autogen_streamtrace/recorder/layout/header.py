"""The parts of the file that describe the process: its header and its pulse."""

import json
import struct
import zlib
from collections.abc import Iterable
from typing import Any, Final

from autogen_streamtrace.core.watching.supervision import Timer
from autogen_streamtrace.recorder.layout.places import HEADER_SIZE, PULSE_AT, VERSION

_MAGIC: Final = b"AGSTREAM"
_HEADER: Final = struct.Struct("<8sHHII")
_PULSE: Final = struct.Struct("<dQ")
_TIMERS: Final = struct.Struct("<II")


class Unreadable(Exception):  # noqa: N818 - the file is unreadable, which is no error of the program's
    """The file is no recorder's, or is damaged, or has another version."""


def header(described: dict[str, Any]) -> bytes:
    """The header of the process that ``described`` describes.

    Where it is too long, its largest resource attributes are dropped.
    """
    resource = dict(described["resource"])
    while True:
        text = json.dumps({**described, "resource": resource}).encode()
        if len(text) <= HEADER_SIZE - _HEADER.size:
            return _HEADER.pack(_MAGIC, VERSION, 0, len(text), zlib.crc32(text)) + text
        del resource[max(resource, key=lambda key: len(str(resource[key])))]


def read_header(data: bytes) -> dict[str, Any]:
    """What a header describes.

    Raises:
        Unreadable: ``data`` is no header, or is damaged, or has another version.
    """
    if len(data) < _HEADER.size:
        raise Unreadable("it is too short")
    magic, version, _, length, checksum = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise Unreadable("it is no flight recorder's file")
    if version != VERSION:
        raise Unreadable(f"it has version {version}, this package reads version {VERSION}")
    text = data[_HEADER.size : _HEADER.size + length]
    if len(text) != length or zlib.crc32(text) != checksum:
        raise Unreadable("its header is damaged")
    described: dict[str, Any] = json.loads(text)
    return described


def pulse(now: float, now_ns: int, timers: Iterable[Timer] = ()) -> bytes:
    """When the process was seen alive, and the timers by which its server would end it.

    Args:
        now: seconds on ``clock``.
        now_ns: the same moment in nanoseconds since the epoch.
        timers: those that run.
    """
    text = json.dumps([*timers]).encode()
    return _PULSE.pack(now, now_ns) + _TIMERS.pack(len(text), zlib.crc32(text)) + text


def read_pulse(data: bytes) -> tuple[float, int]:
    """The two times of a pulse; zeros where there is none."""
    return _PULSE.unpack_from(data, PULSE_AT) if len(data) >= PULSE_AT + _PULSE.size else (0.0, 0)


def read_timers(data: bytes) -> tuple[Timer, ...]:
    """The timers of a pulse; none where they are damaged or missing."""
    at = PULSE_AT + _PULSE.size
    if len(data) < at + _TIMERS.size:
        return ()
    length, checksum = _TIMERS.unpack_from(data, at)
    text = data[at + _TIMERS.size : at + _TIMERS.size + length]
    if not length or len(text) != length or zlib.crc32(text) != checksum:
        return ()
    return tuple(Timer(*each) for each in json.loads(text))
