"""The messages of AWS's event stream encoding, in which Bedrock streams: binary frames with checksums.

Source: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import base64
import binascii
import json
import re
import struct
from collections.abc import Iterator
from typing import Final

from autogen_streamtrace.core.evidence.body.server_sent import Record

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"

_PRELUDE: Final = struct.Struct(">III")
"""Bytes of the whole message · bytes of its headers · the checksum of these two numbers."""
_CHECKSUM: Final = struct.Struct(">I")
_OVERHEAD: Final = _PRELUDE.size + _CHECKSUM.size
_LONGEST: Final = 16 << 20
_FIRST: Final = re.compile(rb"[\x00\x01]")
"""The first byte of a message: none is longer than ``_LONGEST``."""
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by its type; bytes (6) and text (7) say their length themselves."""
_TEXT: Final = 7
_BYTES: Final = 6


def records(tail: bytes) -> list[Record] | None:
    """The messages in the end of a body, from the first whole one on, up to one that is cut or broken.

    None where no message begins in it.
    """
    start = next((found.start() for found in _FIRST.finditer(tail) if _size(tail, found.start())), None)
    if start is None:
        return None
    return [_record(headers, payload) for headers, payload in _messages(tail, start)]


def _size(tail: bytes, at: int) -> int:
    """Bytes of the message that begins there; 0 where none does."""
    if len(tail) - at < _PRELUDE.size:
        return 0
    size, headers, checksum = _PRELUDE.unpack_from(tail, at)
    fits = headers + _OVERHEAD <= size <= _LONGEST
    return size if fits and binascii.crc32(tail[at : at + 8]) == checksum else 0


def _messages(tail: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """Headers and payload of each message."""
    while size := _size(tail, at):
        message = tail[at : at + size]
        if len(message) < size or _CHECKSUM.unpack(message[-4:])[0] != binascii.crc32(message[:-4]):
            return
        begin = _PRELUDE.size + _PRELUDE.unpack_from(message)[1]
        yield message[_PRELUDE.size : begin], message[begin:-4]
        at += size


def _record(headers: bytes, payload: bytes) -> Record:
    named = _headers(headers)
    if named.get(b":message-type") == b"error":
        return Record(payload, b"error")
    return Record(_unwrapped(payload), named.get(b":exception-type") or named.get(b":event-type", b""))


def _unwrapped(payload: bytes) -> bytes:
    """The event that ``InvokeModelWithResponseStream`` carries in base64; any other payload as it is."""
    try:
        inner = json.loads(payload).get("bytes")
        return base64.b64decode(inner) if isinstance(inner, str) else payload
    except (ValueError, AttributeError, RecursionError):
        return payload


def _headers(block: bytes) -> dict[bytes, bytes]:
    """Headers whose values are texts, by name; those before the first one that is broken."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at + 2 <= len(block):
        name_end = at + 1 + block[at]
        if name_end >= len(block):
            break
        name, kind, at = block[at + 1 : name_end], block[name_end], name_end + 1
        size = _SIZES.get(kind, 0)
        if kind in (_BYTES, _TEXT):
            size, at = int.from_bytes(block[at : at + 2], "big"), at + 2
        if kind == _TEXT:
            found[name] = block[at : at + size]
        at += size
    return found
