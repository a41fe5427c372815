"""The end of a body: was there a finish reason or a terminator, in whatever pieces and encoding it came?"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autogen_streamtrace.core.wire import KEPT, TAIL, Tail, Wire, read

DONE: Final = b"data: [DONE]\n\n"
NOTHING: Final = Wire(False, None)


def event(data: object, name: str = "") -> bytes:
    """A server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def openai(text: str, finish: str | None = None) -> bytes:
    """A chunk as OpenAI sends it."""
    return event({"id": "c1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


def anthropic(text: str) -> bytes:
    delta = {"type": "text_delta", "text": text}
    return event({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")


def anthropic_end(reason: str | None, stop: bool = True) -> bytes:
    last = event({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 9}})
    return last + (event({"type": "message_stop"}, "message_stop") if stop else b"")


def ollama(text: str, **more: object) -> bytes:
    """A line as Ollama sends it."""
    line = {"model": "llama3", "message": {"role": "assistant", "content": text}, "done": False, **more}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def told(parts: Iterable[bytes], encoding: str = "") -> Wire | None:
    tail = Tail(encoding)
    for part in parts:
        tail.feed(part)
    return tail.read()


COMPLETE: Final[dict[str, tuple[bytes, Wire]]] = {
    "openai": (openai("Hi") + openai("", "stop") + DONE, Wire(True, "stop")),
    "openai, no [DONE]": (openai("Hi") + openai("", "length"), Wire(True, "length")),
    "openai, [DONE] alone": (openai("Hi") + DONE, Wire(True, None)),
    "openai, no space": (openai("Hi") + b"data:[DONE]\n\n", Wire(True, None)),
    "openai, CRLF": ((openai("Hi") + DONE).replace(b"\n", b"\r\n"), Wire(True, None)),
    "openai, no line end": (openai("Hi") + b"data: [DONE]", Wire(True, None)),
    "openai, usage last": (openai("", "stop") + event({"choices": [], "usage": {"n": 1}}) + DONE, Wire(True, "stop")),
    "openai, unknown reason": (openai("", "gave_up"), Wire(True, "gave_up")),
    "openai, no spaces in JSON": (b'data: {"choices":[{"finish_reason":"stop"}]}\n\n', Wire(True, "stop")),
    "openai, unstreamed": (json.dumps({"choices": [{"finish_reason": "stop"}]}, indent=1).encode(), Wire(True, "stop")),
    "anthropic": (anthropic("Hi") + anthropic_end("end_turn"), Wire(True, "end_turn")),
    "anthropic, no stop event": (anthropic("Hi") + anthropic_end("max_tokens", stop=False), Wire(True, "max_tokens")),
    "anthropic, no reason": (anthropic("Hi") + anthropic_end(None), Wire(True, None)),
    "ollama": (ollama("Hi") + ollama("", done=True, done_reason="stop"), Wire(True, "stop")),
    "ollama, no reason": (ollama("Hi") + ollama("", done=True), Wire(True, None)),
    "ollama, no line end": (ollama("", done=True, done_reason="length").rstrip(), Wire(True, "length")),
}


@pytest.mark.parametrize("name", COMPLETE)
def test_a_complete_reply_is_recognised(name: str) -> None:
    body, expected = COMPLETE[name]
    assert read(body, whole=True) == expected


SAYINGS: Final = (
    "data: [DONE]",
    "\n\ndata: [DONE]\n\n",
    "\r\ndata: [DONE]\r\n\r\n",
    '"finish_reason": "stop"',
    '{"finish_reason": "stop"}',
    '\ndata: {"type": "message_stop"}\n',
    '"stop_reason":"end_turn"',
    '\n{"done": true}\n',
    '{"done":true,"done_reason":"stop"}',
    "[DONE]",
    '\\"finish_reason\\": \\"stop\\"',
)


@pytest.mark.parametrize("saying", SAYINGS)
@pytest.mark.parametrize("form", [openai, anthropic, ollama])
def test_a_text_that_quotes_a_terminator_is_no_end(form: Callable[[str], bytes], saying: str) -> None:
    assert read(form("Hi") + form(saying) + form("so"), whole=True) == NOTHING


@pytest.mark.parametrize(
    "body",
    [
        b"",
        openai("Hi"),
        openai("Hi") + event({"choices": [], "usage": {"total_tokens": 3}}),
        openai("Hi") + b": ping\n\n",
        openai("Hi") + b"data: [DO",
        openai("Hi") + b'data: {"choices":[{"finish_reason":"st',
        anthropic("Hi") + event({"type": "message_start", "message": {"stop_reason": None}}),
        anthropic("Hi") + b"event: message_stop\n",
        ollama("Hi", done=False),
        b'{"error":{"message":"overloaded"}}',
    ],
)
def test_without_a_finish_reason_or_a_terminator_nothing_is_finished(body: bytes) -> None:
    assert read(body, whole=True) == NOTHING


def test_the_last_finish_reason_counts() -> None:
    assert read(openai("", "tool_calls") + openai("", "length"), whole=True) == Wire(True, "length")


def test_a_first_line_that_begins_in_the_middle_of_an_event_counts_for_nothing() -> None:
    assert read(b'data: [DONE] they say"}}]}\n\n', whole=False) == NOTHING
    assert read(b"data: [DONE] and so on", whole=False) == NOTHING
    assert read(b'{"done": true} is JSON"}\n' + ollama("so"), whole=False) == NOTHING
    assert read(b'of it"}}]}\n\n' + DONE, whole=False) == Wire(True, None)


def test_what_is_kept_may_begin_with_a_terminator_inside_a_text() -> None:
    for after in range(KEPT - 100, KEPT):
        assert told([openai("x" * TAIL + "data: [DONE]" + "y" * after)]) == NOTHING


def test_a_long_usage_event_may_follow_the_finish_reason() -> None:
    usage = event({"choices": [], "usage": {"details": "x" * 1500}})
    assert told([openai("word ")] * 1000 + [openai("", "length"), usage, DONE]) == Wire(True, "length")


def test_a_finish_reason_at_the_end_of_a_very_long_event_is_read() -> None:
    """Some servers send the whole text, and the finish reason after it, in one event."""
    assert told([openai("x" * 3 * TAIL, "length"), DONE]) == Wire(True, "length")


def test_the_finish_reason_of_a_long_unstreamed_reply_is_read() -> None:
    choice = {"message": {"content": "x" * 3 * TAIL}, "finish_reason": "abort"}
    assert told([json.dumps({"choices": [choice]}).encode()]) == Wire(True, "abort")


def test_an_argument_of_a_tool_call_is_no_terminator() -> None:
    """Ollama sends them as JSON, not as a text in which it would be escaped."""
    call = {"function": {"name": "close", "arguments": {"done": True, "finish_reason": "length"}}}
    body = ollama("", message={"role": "assistant", "content": "", "tool_calls": [call]})
    assert read(body, whole=True) == NOTHING


FORMATS: Final[dict[str, tuple[Callable[[str], bytes], bytes, Wire]]] = {
    "openai": (openai, openai("", "stop") + event({"choices": [], "usage": {}}) + DONE, Wire(True, "stop")),
    "anthropic": (anthropic, anthropic_end("max_tokens"), Wire(True, "max_tokens")),
    "ollama": (ollama, ollama("", done=True, done_reason="length"), Wire(True, "length")),
}


def packed(body: bytes, encoding: str) -> bytes:
    """A body in a content encoding; ``raw`` is deflate without its wrapper, as some servers send it."""
    if encoding == "gzip":
        return gzip.compress(body)
    if encoding in ("deflate", "raw"):
        squeeze = zlib.compressobj(wbits=zlib.MAX_WBITS if encoding == "deflate" else -zlib.MAX_WBITS)
        return squeeze.compress(body) + squeeze.flush()
    return body


@st.composite
def split(draw: st.DrawFn) -> tuple[list[bytes], str, Wire]:
    """A body of some format, whole or without its end, encoded, in pieces of any size."""
    form, end, finished = FORMATS[draw(st.sampled_from(sorted(FORMATS)))]
    texts = draw(st.lists(st.sampled_from(SAYINGS) | st.text(max_size=30), max_size=80))
    whole = draw(st.booleans())
    body = b"".join(map(form, texts)) + (end if whole else b"")
    encoding = draw(st.sampled_from(["", "identity", "gzip", "deflate", "raw"]))
    sent = packed(body, encoding)
    at = sorted(draw(st.lists(st.integers(2, max(2, len(sent))), max_size=12)))
    parts = [sent[start:stop] for start, stop in zip([0, *at], [*at, len(sent)], strict=True)]
    return parts, "deflate" if encoding == "raw" else encoding, finished if whole else NOTHING


@given(split())
def test_any_split_of_a_body_gives_the_same_answer(case: tuple[list[bytes], str, Wire]) -> None:
    parts, encoding, expected = case
    assert told(parts, encoding) == expected


@given(st.sampled_from(sorted(FORMATS)), st.data())
def test_a_cut_anywhere_before_the_end_finishes_nothing(name: str, data: st.DataObject) -> None:
    form, end, _ = FORMATS[name]
    body = form("Hi") + form(data.draw(st.sampled_from(SAYINGS)))
    assert read(body[: data.draw(st.integers(0, len(body)))], whole=True) == NOTHING
    assert read(body + end, whole=True).terminator


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", " gzip ", "deflate", "raw", "", "identity"])
def test_each_encoding_byte_by_byte(encoding: str) -> None:
    body = openai("Hi") + openai("", "stop") + DONE
    sent = packed(body, encoding.strip().lower().removeprefix("x-"))
    first = 2 if encoding == "raw" else 1  # the HTTP client itself needs two bytes to tell raw deflate
    parts = [sent[:first], *(sent[at : at + 1] for at in range(first, len(sent)))]
    assert told(parts, "deflate" if encoding == "raw" else encoding) == Wire(True, "stop")


def test_what_cannot_be_decoded_is_not_read_and_raises_nothing() -> None:
    tail = Tail("gzip")
    tail.feed(b"no gzip at all")
    tail.feed(DONE)
    assert not tail.readable
    assert tail.read() is None


@pytest.mark.parametrize("encoding", ["compress", "nonsense", "gzip, br"])
def test_an_unknown_encoding_is_not_read(encoding: str) -> None:
    assert not Tail(encoding).readable
    assert told([DONE], encoding) is None


@pytest.mark.parametrize("encoding", ["br", "zstd"])
def test_brotli_and_zstandard_are_read_where_their_packages_are_and_else_left_alone(encoding: str) -> None:
    modules = {"br": ("brotli", "brotlicffi"), "zstd": ("zstandard", "zstandard")}[encoding]
    found: Any = None
    for name in modules:
        try:
            found = __import__(name)
        except ImportError:
            continue
    if found is None:
        assert not Tail(encoding).readable
    else:
        sent = found.compress(openai("", "stop"))
        assert told([sent[:5], sent[5:]], encoding) == Wire(True, "stop")


@pytest.mark.parametrize("size", [1, 100, TAIL, 10 * TAIL])
def test_memory_does_not_grow_with_the_body(size: int) -> None:
    tail = Tail()
    kept = tail.plain
    assert kept is not None
    for _ in range(50_000 // size + 10):
        tail.feed(b"x" * size)
        assert len(kept) <= TAIL
    assert not tail.whole


def test_the_plain_buffer_is_filled_without_a_call_and_trimmed_by_its_reader() -> None:
    tail = Tail()
    kept = tail.plain
    assert kept is not None
    kept += openai("word ") * 1000 + DONE
    tail.trim()
    assert len(kept) <= TAIL
    assert tail.read() == Wire(True, None)


def test_an_encoded_body_has_no_plain_buffer() -> None:
    assert Tail("gzip").plain is None
