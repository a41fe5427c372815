"""Reads what a model's reply shows of itself, from the beginning and the end of its body as it came over HTTP.

Five formats, the first four as a stream or whole in one JSON text:

- OpenAI: server-sent events, ``[DONE]`` the last (https://platform.openai.com/docs/api-reference/chat-streaming);
- Anthropic: server-sent events, ``message_stop`` the last (https://platform.claude.com/docs/en/build-with-claude/streaming);
- Ollama: JSON lines, ``"done":true`` in the last (https://docs.ollama.com/api/chat);
- OpenAI's responses: server-sent events, the last one ``response.completed``, ``.incomplete`` or ``.failed``
  (https://platform.openai.com/docs/api-reference/responses-streaming);
- Bedrock: the frames of ``aws_frames``, each with an event of Anthropic's or of Converse in it.

The middle of a long body is dropped, except the line in which the stored end begins: its long strings are shortened.
"""

import re
from collections.abc import Sequence
from typing import Final

from autogen_streamtrace.core.evidence.body import aws_frames, partial_json
from autogen_streamtrace.core.evidence.body.encodings import decoder, nothing
from autogen_streamtrace.core.evidence.body.partial_json import LongLine
from autogen_streamtrace.core.evidence.body.provider_replies import Wire, choices, fails, of, then
from autogen_streamtrace.core.evidence.body.server_sent import Record, is_document, lines, records

HEAD: Final = 1024
"""Bytes of a long body's beginning that are stored: it has the reply's id, and with Anthropic the input tokens."""
KEPT: Final = 8192
"""Bytes of a long body's end that are read: a finish reason may stand before a long usage event."""
TAIL: Final = 10240
"""Bytes beyond which a body is long."""

_LAST: Final = 1024
"""Bytes at the end of a body in which a reply that is whole says so, as a rule."""
_SLICE: Final = 1024
"""Bytes that are decoded at a time."""
_FIRST: Final = 3
"""Records that are read for the reply's id: Azure's first one has none."""

_TELLING: Final = re.compile(
    rb'"(?:message(?:_stop"|-end"|"\s*:\s*")|response\.|transcript\.|inputTokens"|status|detail"|code"|msg"|fault"'
    rb'|Message"|__type"|done"\s*:\s*true|usage"\s*:\s*\{)'
    rb'|r(?:ror|eason"\s*:\s*")|Reason"\s*:\s*"|xception|\.completed"'
)
"""Finds the records that say more than another piece of the reply's text, within which quotes are escaped."""

_SEVERAL: Final = re.compile(rb'"index"\s*:\s*[1-9]')
"""A reply may have several choices where this is found."""

NOTHING: Final = Wire()
_TERMINATOR: Final = Wire(terminator=True, over=True)
_ERROR: Final = Wire(error=True)


def read(tail: bytes, head: bytes = b"", line: bytes | None = None) -> Wire:
    """Reads a decoded body.

    Args:
        tail: the whole body; of a long one its last bytes.
        head: of a long body its first bytes.
        line: of a long body the beginning of the line in which ``tail`` begins; None where that is not known.
    """
    wire = _read(tail, head, line)
    if wire.terminator and not wire.over and _SEVERAL.search(tail) and _open_choices(records(tail)):
        return wire._replace(terminator=False)
    return wire


def _read(tail: bytes, head: bytes, line: bytes | None) -> Wire:
    if not head and len(tail) < HEAD + _LAST:
        return _whole(tail)
    document = Wire(document=bool(head) and is_document(head))
    begun = then(document, _beginning(head or tail[:HEAD]))
    told = _end_of_whole(tail, begun)
    if told is not None:
        return told
    if not head:
        return _whole(tail)
    if line is not None and (found := records(line + tail)):
        return _told(found, begun)
    cut, *rest = lines(tail)
    found = records(b"\n".join(rest))
    return _told(found, then(begun, _of_rest(cut if found else tail)))


def _open_choices(found: Sequence[Record]) -> bool:
    """Whether a reply of several choices has one that shows no finish reason."""
    shown = [each for record in found for said in partial_json.objects(record.data) for each in choices(said)]
    ended = {at for at, reason in shown if reason is not None}
    return any(at not in ended for at, _ in shown)


def _end_of_whole(tail: bytes, begun: Wire) -> Wire | None:
    """What a whole reply says, whose last events tell; the many before them need not be read. None where one may."""
    if b"rror" in tail:
        return None
    _, _, last = tail[-_LAST:].partition(b"\n\n")
    told = _told(records(last), begun)
    return told if told.over and told.finish is not None and not told.error else None


def read_frames(tail: bytes, head: bytes = b"") -> Wire | None:
    """The same of a body in AWS's event stream encoding; None where no frame is found in it."""
    last = aws_frames.records(tail)
    if last is None:
        return None if head or tail else NOTHING
    first = aws_frames.records(head) or []
    return _told(last, _told(first, NOTHING))


def _whole(body: bytes) -> Wire:
    wire = _told(records(body), NOTHING)
    if wire == NOTHING:  # one object in many lines, or a list of objects
        for said in partial_json.objects(body):
            wire = then(wire, of(said))
    return wire._replace(document=True) if is_document(body) and not wire.over else wire  # a stream may be one line


def _beginning(head: bytes) -> Wire:
    """What the first records say, of which the last may be cut; a JSON text may have many lines."""
    text, found = head.lstrip(), records(head)
    begun = _told(found, NOTHING)
    cut = text if text.startswith(b"{") else found[-1].data if found else b""
    return begun if begun.response_model else then(begun, of(partial_json.beginning(cut)))


def _told(found: Sequence[Record], wire: Wire) -> Wire:
    """Reads records: those that show something, and the first ones until the reply's model is known."""
    looks = _FIRST
    for record in found:
        if record.fails:
            wire = then(wire, _ERROR)
        elif record.data.lstrip(b" \t").startswith(b"[DONE]"):
            wire = then(wire, _TERMINATOR)
        elif (looks > 0 and not wire.response_model) or _TELLING.search(record.data):
            looks -= not record.skipped
            for said in partial_json.objects(record.data):
                wire = then(wire, Wire(error=fails(said)) if record.skipped else of(said))
    return wire


def _of_rest(text: bytes) -> Wire:
    """What the end of a record shows if its beginning is missing."""
    levels = partial_json.ending(text) if _TELLING.search(text) else ()
    if not levels:
        return NOTHING
    choice = levels[-3] if len(levels) > 2 else {}  # of the list of choices in the reply
    return of({"choices": [choice], **levels[-1]})


class Tail:
    """A body as it is read, decoded: all of it up to ``TAIL`` bytes, else its beginning, its end and the last read.

    Args:
        encoding: its ``Content-Encoding``.
        content_type: its ``Content-Type``.
    """

    __slots__ = ("_decode", "_frames", "_head", "_kept", "_line", "readable")

    def __init__(self, encoding: str = "", content_type: str = "") -> None:
        self._kept = bytearray()
        self._head = b""
        self._line = LongLine()
        self._decode = decoder(encoding)
        self._frames = aws_frames.CONTENT_TYPE in content_type.lower()
        self.readable = self._decode is not nothing

    @property
    def plain(self) -> bytearray | None:
        """The buffer itself where nothing needs decoding, so that a reader can append to it without a call."""
        return self._kept if self._decode is None else None

    @property
    def beginning(self) -> bytes:
        """The body's first bytes."""
        return self._head or bytes(self._kept[:HEAD])

    @property
    def within_event(self) -> bool:
        """What came so far ends inside an event: without the empty line behind it, or in the middle of a JSON line."""
        end = bytes(self._kept[-KEPT:])
        if b"data:" in end or b"event:" in end:
            return not end.endswith((b"\n\n", b"\r\r", b"\r\n\r\n"))
        return bool(end) and not end.endswith((b"\n", b"\r"))

    def feed(self, part: bytes) -> None:
        """Adds what was read."""
        if self._decode is None:
            self._add(part)
            return
        try:
            for at in range(0, len(part), _SLICE):  # a little of it may decode to a thousand times as much
                self._add(self._decode(part[at : at + _SLICE]))
        except Exception:  # the reader of the body meets the same error and raises it
            self.readable = False

    def _add(self, part: bytes) -> None:
        self._kept += part
        if len(self._kept) > TAIL:
            self.trim()

    def trim(self) -> None:
        """Drops the middle of a body that has become long."""
        kept = self._kept
        if not self._head:
            self._head = bytes(kept[:HEAD])
        cut = len(kept) - KEPT
        if not self._frames:
            start = max(kept.rfind(b"\n", 0, cut), kept.rfind(b"\r", 0, cut)) + 1
            cut = self._line.went_on(kept, start, cut)
        del kept[:cut]

    def read(self) -> Wire | None:
        """What these bytes say of the reply; None where they could not be decoded, or show no frame."""
        if not self.readable:
            return None
        if self._head:
            self.trim()
        kept = bytes(self._kept)
        if self._frames:
            wire = read_frames(kept, self._head)
            self.readable = wire is not None
            return wire
        return read(kept, self._head, self._line.shortened() if self._head else None)
