"""Reads what a model's reply says of itself, from the beginning and the end of its body as it came over HTTP.

Three formats, each as a stream or whole in one JSON text:

- OpenAI: server-sent events, ``[DONE]`` the last (https://platform.openai.com/docs/api-reference/chat-streaming);
- Anthropic: server-sent events, ``message_stop`` the last (https://platform.claude.com/docs/en/build-with-claude/streaming);
- Ollama: JSON lines, ``"done":true`` in the last (https://docs.ollama.com/api/chat).

Of a long body the middle is not kept; of the line in which the kept end begins, the rest is read.
"""

import re
from typing import Any, Final, NamedTuple

from autogen_streamtrace.core.evidence import partial_json
from autogen_streamtrace.core.evidence.encodings import decoder, nothing

HEAD: Final = 512
"""Bytes of a long body's beginning that are kept: the reply's id stands there, with Anthropic its input tokens."""
KEPT: Final = 2048
"""Bytes of a long body's end that are read: a finish reason may stand before a long usage event."""
TAIL: Final = 3072
"""Bytes beyond which a body is long."""

ERROR: Final = "error"
"""Stands for the finish reason of a reply that an error event ended."""

_WORD: Final = 128
"""Characters of a finish reason, an id or a model's name."""
_COUNT: Final = 2**53
"""Tokens beyond which a count is not believed."""
_FIRST: Final = 3
"""Records that are read for the reply's id: Azure's first one has none."""

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_TELLING: Final = (rb'_reason"\s*:\s*"', rb'"usage"\s*:\s*\{', rb'"done"\s*:\s*true', rb'"message_stop"', rb'"error"')
_SEARCHES: Final = tuple(re.compile(pattern).search for pattern in _TELLING)
"""Find the records that say more than another piece of the reply's text, within which quotes are escaped."""

_INPUT: Final = (
    ("prompt_tokens",),
    ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
    ("prompt_eval_count",),
)
_OUTPUT: Final = (("completion_tokens",), ("output_tokens",), ("eval_count",))
"""Token counts by provider; those of one provider add up."""


class Wire(NamedTuple):
    """What a body, or one record of it, says of the reply."""

    terminator: bool = False
    """A finish reason or a terminator came."""
    finish: str | None = None
    """The last finish reason, in the provider's words; ``ERROR`` where an error event came instead."""
    response_id: str | None = None
    response_model: str | None = None
    input_tokens: int | None = None
    """Tokens of the request, cached ones included."""
    output_tokens: int | None = None
    """Tokens of the reply so far."""


NOTHING: Final = Wire()
_TERMINATOR: Final = Wire(terminator=True)


def read(tail: bytes, head: bytes = b"") -> Wire:
    """Reads a decoded body.

    Args:
        tail: the whole body; of a long one its last bytes.
        head: of a long body its first bytes.
    """
    if head:
        cut, *rest = _LINE_END.split(tail, 1)
        text = b"".join(rest)
        records = _records(text)
        return _told(text, records, _then(_beginning(head), _of_rest(cut if records else tail)))
    wire = _told(tail, _records(tail), NOTHING)
    if wire is NOTHING and tail.lstrip().startswith(b"{"):  # one object in many lines
        return _told(tail, [tail], NOTHING)
    return wire


def _then(before: Wire, after: Wire) -> Wire:
    """The reply's identity is told first, its end last; an error after its end ends nothing."""
    over = before.terminator and not after.terminator
    return Wire(
        before.terminator or after.terminator,
        before.finish if over or after.finish is None else after.finish,
        before.response_id or after.response_id,
        before.response_model or after.response_model,
        before.input_tokens if after.input_tokens is None else after.input_tokens,
        before.output_tokens if after.output_tokens is None else after.output_tokens,
    )


def _records(text: bytes) -> list[bytes]:
    """The data of each server-sent event, and each line that may be a JSON object."""
    records: list[bytes] = []
    data: list[bytes] = []
    for line in (*text.splitlines(), b""):
        if line.startswith(b"data:"):
            data.append(line[5:])
        elif line.startswith(b"{"):
            records.append(line)
        elif not line and data:
            records.append(b"\n".join(data))
            data.clear()
    return records


def _beginning(head: bytes) -> Wire:
    """What the first records say, of which the last may be cut; a JSON text may have many lines."""
    text, records = head.lstrip(), _records(head)
    begun = _told(head, records, NOTHING)
    cut = text if text.startswith(b"{") else records[-1] if records else b""
    return begun if begun.response_model else _then(begun, _of(partial_json.beginning(cut)))


def _told(text: bytes, records: list[bytes], wire: Wire) -> Wire:
    """Adds what a text's records say: those that tell something, and the first until the reply's model is known."""
    searches = [search for search in _SEARCHES if search(text)]
    looks = _FIRST
    for state in records:
        if state.lstrip(b" \t").startswith(b"[DONE]"):
            wire = _then(wire, _TERMINATOR)
        elif (looks > 0 and not wire.response_model) or any(search(state) for search in searches):
            looks -= 1
            said = partial_json.parsed(state)
            if said is not None:
                wire = _then(wire, _of(said))
    return wire


def _of(said: dict[str, Any]) -> Wire:
    """What one JSON object says. Only keys in their place count: a tool's arguments are JSON, too."""
    start = said.get("type") == "message_start"
    reply = _dict(said.get("message")) if start else said
    usage = _dict(reply.get("usage")) or said
    done = said.get("done") is True
    reasons = [_dict(said.get("delta")).get("stop_reason"), said.get("stop_reason"), done and said.get("done_reason")]
    choices = said.get("choices")
    if isinstance(choices, list):
        reasons += [_dict(choice).get("finish_reason") for choice in choices]
    finish = next(filter(None, map(_word, reversed(reasons))), None)
    terminator = done or finish is not None or said.get("type") == "message_stop"
    return Wire(
        terminator,
        ERROR if said.get("error") and not terminator else finish,
        _word(reply.get("id")),
        _word(reply.get("model")),
        _tokens(usage, _INPUT),
        None if start else _tokens(usage, _OUTPUT),  # what is said of them at the start is no count yet
    )


def _of_rest(text: bytes) -> Wire:
    """What the end of a record says whose beginning is missing."""
    levels = partial_json.ending(text) if any(search(text) for search in _SEARCHES) else ()
    if not levels:
        return NOTHING
    choice = levels[-3] if len(levels) > 2 else {}  # of the list of choices in the reply
    return _of({"choices": [choice], **levels[-1]})


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _word(value: Any) -> str | None:
    """A text that can be exported."""
    if not isinstance(value, str):
        return None
    return value[:_WORD].encode("utf-8", "replace").decode() or None


def _tokens(usage: dict[str, Any], groups: tuple[tuple[str, ...], ...]) -> int | None:
    for keys in groups:
        counts = [n for n in map(usage.get, keys) if type(n) is int and 0 <= n <= _COUNT]
        if counts:
            return sum(counts)
    return None


class Tail:
    """A body as it is read, decoded: all of it up to ``TAIL`` bytes, else its beginning, its end and the last read."""

    __slots__ = ("_decode", "_head", "_kept", "readable")

    def __init__(self, encoding: str = "") -> None:
        self._kept = bytearray()
        self._head = b""
        self._decode = decoder(encoding)
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
        if self._decode is not None:
            try:
                part = self._decode(part)
            except Exception:  # the reader of the body meets the same and says so
                self.readable = False
                return
        self._kept += part
        if len(self._kept) > TAIL:
            self.trim()

    def trim(self) -> None:
        """Drops the middle of what has become a long body."""
        if not self._head:
            self._head = bytes(self._kept[:HEAD])
        del self._kept[:-KEPT]

    def read(self) -> Wire | None:
        """What these bytes say of the reply; None where they could not be decoded."""
        if not self.readable:
            return None
        head = self._head
        return read(bytes(self._kept[-KEPT:]) if head else bytes(self._kept), head)
