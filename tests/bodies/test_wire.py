"""What a body says of its end: was there a finish reason or a terminator?"""

import json
from collections.abc import Callable
from typing import Final

import pytest
from wire_replies import (
    DONE,
    ERROR,
    NOTHING,
    SAYINGS,
    End,
    anthropic,
    anthropic_document,
    anthropic_end,
    anthropic_event,
    anthropic_start,
    end,
    ended,
    event,
    ollama,
    ollama_document,
    ollama_end,
    openai,
    openai_document,
    openai_event,
    openai_usage,
    told,
)

from autogen_streamtrace.core.evidence.body.wire import HEAD, KEPT, TAIL, Tail, read

START: Final = openai("word ") * 10
"""Longer than what is kept of a body's beginning."""


def document(said: object, indent: int | None = None) -> bytes:
    return json.dumps(said, indent=indent).encode()


COMPLETE: Final[dict[str, tuple[bytes, End]]] = {
    "openai": (openai("Hi") + openai("", "stop") + DONE, (True, "stop")),
    "openai, no [DONE]": (openai("Hi") + openai("", "length"), (True, "length")),
    "openai, [DONE] alone": (openai("Hi") + DONE, (True, None)),
    "openai, no space": (openai("Hi") + b"data:[DONE]\n\n", (True, None)),
    "openai, CRLF": ((openai("Hi") + DONE).replace(b"\n", b"\r\n"), (True, None)),
    "openai, CR": ((openai("", "stop") + DONE).replace(b"\n", b"\r"), (True, "stop")),
    "openai, no line end": (openai("Hi") + b"data: [DONE]", (True, None)),
    "openai, usage last": (openai("", "stop") + openai_usage() + DONE, (True, "stop")),
    "openai, unknown reason": (openai("", "gave_up"), (True, "gave_up")),
    "openai, no spaces in JSON": (b'data: {"choices":[{"finish_reason":"stop"}]}\n\n', (True, "stop")),
    "openai, data in two lines": (b'data: {"choices":[{"finish_reason":\ndata: "stop"}]}\n\n', (True, "stop")),
    "openai, unstreamed": (document(openai_document("Hi", "length")), (True, "length")),
    "openai, unstreamed in many lines": (document(openai_document("Hi"), indent=1), (True, "stop")),
    "openai, unstreamed after blanks": (b"\n \n" + document(openai_document("Hi")), (True, "stop")),
    "vllm, a stop string": (
        openai_event([{"delta": {}, "finish_reason": "stop", "stop_reason": "</s>"}]),
        (True, "stop"),
    ),
    "anthropic": (anthropic_start() + anthropic("Hi") + anthropic_end("end_turn"), (True, "end_turn")),
    "anthropic, no stop event": (anthropic("Hi") + anthropic_end("max_tokens", stop=False), (True, "max_tokens")),
    "anthropic, no reason": (anthropic("Hi") + anthropic_end(None), (True, None)),
    "anthropic, unstreamed": (document(anthropic_document("Hi", "refusal")), (True, "refusal")),
    "ollama": (ollama("Hi") + ollama_end(), (True, "stop")),
    "ollama, no reason": (ollama("Hi") + ollama_end(None), (True, None)),
    "ollama, no line end": (ollama_end("length").rstrip(), (True, "length")),
    "ollama, unstreamed": (document(ollama_document("Hi", done=True, done_reason="load")), (True, "load")),
}


@pytest.mark.parametrize("name", COMPLETE)
def test_a_complete_reply_is_recognised(name: str) -> None:
    body, expected = COMPLETE[name]
    assert ended(body) == expected


@pytest.mark.parametrize("saying", SAYINGS)
@pytest.mark.parametrize("form", [openai, anthropic, ollama])
def test_a_text_that_quotes_a_terminator_is_no_end(form: Callable[[str], bytes], saying: str) -> None:
    assert ended(form("Hi") + form(saying) + form("so")) == NOTHING


@pytest.mark.parametrize(
    "body",
    [
        b"",
        openai("Hi"),
        openai("Hi", ""),
        openai("Hi") + openai_usage(),
        openai("Hi") + b": ping\n\n",
        openai("Hi") + b"data: [DO",
        openai("Hi") + b'data: {"choices":[{"finish_reason":"st',
        openai("Hi") + b'data: {"choices":[{"finish_reason":"stop"}',
        openai("Hi") + b'data: {"choices": []}\ndata: [DONE]\n\n',
        openai("Hi", 7),
        anthropic_start() + anthropic("Hi"),
        anthropic("Hi") + b"event: message_stop\n",
        ollama("Hi", done=False),
        ollama("Hi", done=False, done_reason="stop"),
        b"<!doctype html>\n<p>Welcome</p>\n",
        b"[1, 2]",
        b"null",
        b"{",
    ],
)
def test_without_a_finish_reason_or_a_terminator_nothing_is_finished(body: bytes) -> None:
    assert ended(body) == NOTHING


def test_the_last_finish_reason_counts() -> None:
    assert ended(openai("", "tool_calls") + openai("", "length")) == (True, "length")
    assert ended(openai_event([{"finish_reason": "length"}, {"finish_reason": "stop"}])) == (True, "stop")


def choice(at: int, finish: str | None = None) -> bytes:
    """A piece of one choice of several."""
    return openai_event([{"index": at, "delta": {"content": "word "}, "finish_reason": finish}])


def candidate(at: int, finish: str | None = None) -> bytes:
    """The same of Gemini's."""
    parts = {"content": {"parts": [{"text": "word "}]}}
    return event({"candidates": [{**parts, "index": at} | ({"finishReason": finish} if finish else {})]})


@pytest.mark.parametrize("of", [choice, candidate])
@pytest.mark.parametrize("words", [1, 200])
def test_of_several_choices_each_has_to_end(of: Callable[..., bytes], words: int) -> None:
    said = (of(0) + of(1)) * words
    assert ended(said + of(0, "stop") + of(1)) == (False, "stop")
    assert ended(said + of(1, "stop")) == (False, "stop")
    assert ended(said + of(0, "stop") + of(1) * words + of(1, "stop")) == (True, "stop")
    assert ended(said + of(0, "stop") + DONE) == (True, "stop")


ERRORS: Final[dict[str, bytes]] = {
    "openai": openai("Hi") + event({"error": {"message": "overloaded"}}),
    "anthropic": anthropic("Hi") + anthropic_event("error", error={"type": "overloaded_error", "message": "no"}),
    "ollama": ollama("Hi") + b'{"error":"no"}\n',
    "unstreamed": document({"error": {"message": "overloaded"}}, indent=2),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_event_stands_for_a_finish_reason_and_is_no_terminator(name: str) -> None:
    assert ended(ERRORS[name]) == (False, ERROR)


def test_an_error_after_a_whole_reply_ends_nothing() -> None:
    assert ended(openai("", "stop") + DONE + ERRORS["openai"]) == (True, "stop")
    assert ended(anthropic("Hi") + anthropic_end("end_turn") + ERRORS["anthropic"]) == (True, "end_turn")


def test_an_error_between_a_finish_reason_and_the_terminator_or_after_a_bare_terminator_counts() -> None:
    assert ended(openai("", "stop") + ERRORS["openai"] + DONE) == (True, ERROR)
    assert ended(openai("Hi") + DONE + ERRORS["openai"]) == (True, ERROR)
    assert ended(ERRORS["openai"] + DONE) == (True, ERROR)
    assert ended(openai("Hi", error=None)) == NOTHING


@pytest.mark.parametrize("words", [5, 50, 500])
def test_an_error_in_the_middle_of_a_reply_counts_however_whole_its_end_is(words: int) -> None:
    reply = openai("word ") * words + ERRORS["openai"] + openai("word ") * 20 + openai("", "stop") + DONE
    assert ended(reply) == (True, ERROR)
    assert ended(reply.replace(ERRORS["openai"], b"")) == (True, "stop")


def test_a_first_line_that_begins_in_the_middle_of_an_event_counts_for_nothing() -> None:
    assert end(read(b'data: [DONE] they say"}}]}\n\n', START)) == NOTHING
    assert end(read(b"data: [DONE] and so on", START)) == NOTHING
    assert end(read(b'{"done": true} is JSON"}\n' + ollama("so"), ollama("word") * 10)) == NOTHING
    assert end(read(b'of it"}}]}\n\n' + DONE, START)) == (True, None)


def test_what_is_kept_may_begin_with_a_terminator_inside_a_text() -> None:
    for after in range(KEPT - 100, KEPT):
        assert ended(openai("x" * TAIL + "data: [DONE]" + "y" * after)) == NOTHING


def test_a_long_usage_event_may_follow_the_finish_reason() -> None:
    usage = event({"choices": [], "usage": {"details": "x" * 1500}})
    assert ended(*[openai("word ")] * 1000, openai("", "length"), usage, DONE) == (True, "length")


LONG: Final = "x" * 3 * TAIL


def test_a_finish_reason_at_the_end_of_a_very_long_event_is_read() -> None:
    """Some servers send the whole text, and the finish reason after it, in one event."""
    assert ended(openai(LONG, "length"), DONE) == (True, "length")
    assert ended(ollama(LONG, done=True, done_reason="length")) == (True, "length")


def test_a_very_long_event_that_is_cut_ends_nothing() -> None:
    assert ended(openai(LONG, "length").rstrip()[:-1]) == NOTHING
    assert ended(ollama(LONG, done=True, done_reason="length").rstrip()[:-1]) == NOTHING


@pytest.mark.parametrize("indent", [None, 2])
def test_the_finish_reason_of_a_long_unstreamed_reply_is_read(indent: int | None) -> None:
    said = {
        "abort": openai_document(LONG, "abort"),
        "max_tokens": anthropic_document(LONG, "max_tokens"),
        "length": ollama_document(LONG, done=True, done_reason="length"),
    }
    for reason, whole in said.items():
        assert ended(document(whole, indent)) == (True, reason)


def test_the_finish_reason_of_a_long_unstreamed_reply_is_read_where_it_stands_before_the_text() -> None:
    """Azure sends its keys in alphabetical order."""
    sent = json.dumps(openai_document(LONG, "content_filter"), sort_keys=True).encode()
    assert ended(sent) == (True, "content_filter")


@pytest.mark.parametrize("text", ["", LONG])
def test_an_argument_of_a_tool_call_is_no_terminator(text: str) -> None:
    """Ollama and Anthropic send them as JSON, not as a text in which it would be escaped."""
    arguments = {"text": text, "done": True, "finish_reason": "length", "stop_reason": "length"}
    call = {"id": "call_1", "function": {"name": "close", "arguments": arguments}}
    body = ollama("", message={"role": "assistant", "content": "", "tool_calls": [call]})
    if not text:
        assert ended(body) == NOTHING
    assert ended(body, ollama_end()) == (True, "stop")
    said = anthropic_document("", "tool_use")
    said["content"] = [{"type": "tool_use", "id": "toolu_1", "name": "close", "input": arguments}]
    assert ended(document(said)) == (True, "tool_use")


def test_nesting_beyond_what_json_reads_says_nothing() -> None:
    assert ended(b"data: " + b"[" * 3000) == NOTHING
    assert ended(b'{"done":true,"a":' + b"[" * 3000) == NOTHING


@pytest.mark.parametrize("size", [1, 100, TAIL, 10 * TAIL])
def test_memory_does_not_grow_with_the_body(size: int) -> None:
    tail = Tail()
    kept = tail.plain
    assert kept is not None
    for _ in range(50_000 // size + 10):
        tail.feed(b"x" * size)
        assert len(kept) <= TAIL


def test_the_plain_buffer_is_filled_without_a_call_and_trimmed_by_its_reader() -> None:
    tail = Tail()
    kept = tail.plain
    assert kept is not None
    kept += openai("word ") * 1000 + DONE
    tail.trim()
    assert len(kept) <= TAIL
    assert end(tail.read()) == (True, None)


@pytest.mark.parametrize("length", [TAIL, TAIL + 1])
def test_how_much_of_a_body_is_read_is_the_same_however_it_was_cut(length: int) -> None:
    """A finish reason is read anywhere in a short body; in a long one where its end is kept, or its beginning."""
    finish = openai("", "stop")
    for before in (0, HEAD, length - TAIL, length - KEPT, length - KEPT + 1, length - len(finish) - 40):
        rest = length - before - len(finish)
        if before < 0 or rest < 0:
            continue
        body = b":" + b"x" * (before - 2) + b"\n" if before > 1 else b":"[:before]
        body += finish + b":" + b"y" * (rest - 1)
        answers = {ended(*(body[at : at + step] for at in range(0, len(body), step))) for step in (1, 100, 1000, 9999)}
        assert len(answers) == 1


PRINTED: Final = b'{\n  "error": {\n    "message": "no"\n  }\n}\n'


@pytest.mark.parametrize("error", [b'{"error":"no"}\n', PRINTED, PRINTED.replace(b"\n", b"\r\n")])
@pytest.mark.parametrize("pieces", [0, 1, 1000])
def test_an_error_after_lines_of_json_is_one_in_whatever_shape(error: bytes, pieces: int) -> None:
    wire = told([ollama("Hi ")] * pieces + [error])
    assert wire is not None
    assert wire.error


def test_lines_of_json_that_end_are_no_error() -> None:
    wire = told([ollama('{\n "error": {}\n}'), ollama_end("stop")])
    assert wire is not None
    assert (wire.error, wire.finish) == (False, "stop")
