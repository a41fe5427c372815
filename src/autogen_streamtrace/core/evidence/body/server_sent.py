"""The records of a model's reply: server-sent events, and lines of JSON.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

FIELDS: Final = (b"data", b"event", b"id", b"retry", b"")
"""The fields that the standard knows; the one without a name is a comment. A reader skips any other field."""

_FIELD: Final = re.compile(rb"([A-Za-z_-]{0,40}) ?:[ \t]?")
_WITHIN: Final = (b" ", b"\t", b'"', b"}", b"]")
"""How a line begins that goes on with the JSON of the line before it."""
_FAILURES: Final = (b"error", b"exception", b"failure", b"failed", b"fault")


class Record(NamedTuple):
    """One event, one line of JSON, or one field that the standard does not know."""

    data: bytes
    name: bytes = b""
    """The event's, or the unknown field's; empty where there is none."""
    skipped: bool = False
    """A reader skips it: it is a field that the standard does not know."""

    @property
    def fails(self) -> bool:
        """Its name means a failure, such as ``error`` or ``throttlingException``."""
        return bool(self.name) and self.name.lower().endswith(_FAILURES)


def records(text: bytes) -> list[Record]:
    """The records of a text, in order. A text that is cut ends the last one.

    JSON in many lines is one record, whether it stands by itself or its first line is an event's data.
    """
    found: list[Record] = []
    for block in _plain(text).split(b"\n\n"):  # an empty line ends whatever stands before it
        if block.startswith(b"data:") and b"\n" not in block:  # most are like this
            found.append(Record(block[5:]))
        elif block:
            found += _of_block(block.split(b"\n"))
    return found


def _of_block(block: Iterable[bytes]) -> list[Record]:
    """The records in lines that stand together."""
    found: list[Record] = []
    data: list[bytes] = []
    printed: list[bytes] = []
    name = b""
    for line in (*block, b""):
        if printed:
            if line.startswith(_WITHIN):
                printed.append(line)
                continue
            found.append(Record(b"\n".join(printed)))
            printed.clear()
        if line.startswith(b"data:"):
            data.append(line[5:])
        elif line.startswith((b"{", b"[{")) or line == b"[":
            printed.append(line)
        elif not line:
            found += _event(data, name)
            data.clear()
            name = b""
        elif line.startswith(b"event:"):
            name = line[6:].strip()
        elif data and line.startswith(_WITHIN):
            data.append(line)
        elif line[:1] != b":":
            found += _unknown(line)
    return found


def lines(text: bytes) -> list[bytes]:
    """The lines of a text, whichever of the standard's three ends they have."""
    return _plain(text).split(b"\n")


def _plain(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def _event(data: list[bytes], name: bytes) -> Iterable[Record]:
    event = Record(b"\n".join(data), name)
    return (event,) if data or event.fails else ()


def _unknown(line: bytes) -> Iterable[Record]:
    """A field that a reader skips; its value may still be an error."""
    field = _FIELD.match(line)
    if field is None or field.group(1) in FIELDS:
        return ()
    record = Record(line[field.end() :], field.group(1), skipped=True)
    return (record,) if record.fails or record.data.startswith(b"{") else ()


def is_document(beginning: bytes) -> bool:
    """Whether a body begins as no event stream does: with JSON, HTML or any other text."""
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    line = lines(text)[0]
    field = _FIELD.match(line)
    if not line or (field is not None and field.group(1) in FIELDS):
        return False
    return not any(name.startswith(line) for name in FIELDS)
