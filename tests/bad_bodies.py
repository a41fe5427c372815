"""Bodies that no provider should send, and how each layer ends over them."""

import gzip
import json
import random
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from harness import HTTPX
from programs.bodies import DOCUMENT, EVENTS, LINES, Answer
from wire_replies import (
    DONE,
    anthropic,
    anthropic_document,
    anthropic_end,
    anthropic_event,
    anthropic_start,
    event,
    ollama,
    ollama_document,
    ollama_end,
    openai,
    openai_document,
)

READ: Final = 64 * 1024
"""Bytes of a read of the HTTP clients."""
HUGE: Final = "x" * 10 * 2**20
LONG: Final = "x" * 300_000
HTML: Final = b"<!doctype html>\n<html><body><h1>Welcome</h1>\n<p>Log in</p></body></html>\n"
NOISE: Final = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz ", k=4000))
"""Text that stays long when it is compressed."""

JSON_ERROR: Final = "json.decoder.JSONDecodeError"
TEXT_ERROR: Final = "UnicodeDecodeError"
FIELD_ERROR: Final = "pydantic_core._pydantic_core.ValidationError"


class Bad(NamedTuple):
    """A body, and the outcome of agent and model."""

    answer: Answer
    outcome: str
    cause: str = ""
    http: str = ""
    """The outcome of the exchange, where it is another."""


class Provider(NamedTuple):
    """How a provider writes, and what its client raises."""

    words: list[bytes]
    text: Callable[[str], bytes]
    end: Callable[[str], bytes]
    after: bytes
    done: str
    length: str
    error: bytes
    document: Callable[[str, Any], dict[str, Any]]
    client: str
    """The HTTP client below."""
    refuses: str
    """What the client raises over an error event."""
    type: str = EVENTS


PROVIDERS: Final = {
    "openai": Provider(
        [openai("Hi ")] * 3,
        openai,
        lambda reason: openai("", reason),
        DONE,
        "stop",
        "length",
        event({"error": {"message": "no"}}),
        openai_document,
        HTTPX,
        "openai.APIError",
    ),
    "anthropic": Provider(
        [anthropic_start(), *[anthropic("Hi ")] * 2],
        anthropic,
        lambda reason: anthropic_end(reason, stop=False),
        anthropic_event("message_stop"),
        "end_turn",
        "max_tokens",
        anthropic_event("error", error={"type": "overloaded_error", "message": "no"}),
        anthropic_document,
        "httpx",
        "anthropic.APIStatusError",
    ),
    "ollama": Provider(
        [ollama("Hi ")] * 3,
        ollama,
        ollama_end,
        b"",
        "stop",
        "length",
        b'{"error":"no"}\n',
        lambda text, reason: ollama_document(text, done=True, done_reason=reason),
        "httpx",
        "ollama._types.ResponseError",
        LINES,
    ),
}


def reads(body: bytes) -> Sequence[bytes]:
    return [body[at : at + READ] for at in range(0, len(body), READ)]


def half(body: bytes) -> bytes:
    packed = gzip.compress(body)
    return packed[: len(packed) // 2]


def streamed(name: str) -> dict[str, Bad]:
    """Answers to a request for a stream. Ollama's client reads a last line that has no end, and complains of it."""
    p = PROVIDERS[name]
    partial_json = ("malformed", JSON_ERROR) if name == "ollama" else ("truncated",)
    finish, after = p.end(p.done), p.after
    whole = b"".join([*p.words, p.text(NOISE), finish, after])
    field = FIELD_ERROR if name == "ollama" else TEXT_ERROR
    answer = Answer([*p.words, finish, after], p.type)
    return {
        "two finish reasons": Bad(
            Answer([*p.words, finish, p.end(p.length), after], p.type), "length", http="completed"
        ),
        "two finish reasons, a good one last": Bad(
            Answer([*p.words, p.end(p.length), finish, after], p.type), "completed"
        ),
        "two finish reasons in one read": Bad(
            Answer([b"".join([*p.words, finish, p.end(p.length), after])], p.type), "length", http="completed"
        ),
        "no finish reason": Bad(Answer(p.words, p.type), "truncated"),
        "an empty body": Bad(Answer([], p.type), "truncated"),
        "HTML": Bad(Answer([HTML], "text/html"), "malformed", JSON_ERROR if name == "ollama" else ""),
        "gzip, cut": Bad(Answer([half(whole)], p.type, "gzip"), *partial_json),
        "gzip, cut with its connection": Bad(
            Answer([half(whole)], p.type, "gzip", whole=False), "disconnected", f"{p.client}.RemoteProtocolError"
        ),
        "no gzip": Bad(Answer([*p.words, finish, after], p.type, "gzip"), "malformed", f"{p.client}.DecodingError"),
        "an event of 10 MB": Bad(Answer([p.words[0], *reads(p.text(HUGE)), finish, after], p.type), "completed"),
        "a long event, cut": Bad(Answer([p.words[0], *reads(p.text(LONG))[:-1]], p.type), *partial_json),
        "a wrong content type": Bad(answer._replace(content_type="image/png"), "completed"),
        "an error event": Bad(Answer([*p.words, p.error], p.type), "rejected", p.refuses),
        "no UTF-8": Bad(Answer([*p.words, no_text(name)], p.type), "malformed", field),
        "read byte by byte": Bad(Answer([bytes([byte]) for byte in b"".join(answer.parts)], p.type), "completed"),
    }


def no_text(name: str) -> bytes:
    """A record that is no UTF-8."""
    if name == "ollama":
        return b'{"message":"\xff"}\n'
    return b'event: message_stop\ndata: {"type":"\xff"}\n\n'


def unstreamed(name: str) -> dict[str, Bad]:
    """Answers to a request for a whole reply."""
    p = PROVIDERS[name]
    good, whole = json.dumps(p.document("Hi", p.done)).encode(), json.dumps(p.document(NOISE, p.done)).encode()
    said = {"openai": "TypeError", "anthropic": "AttributeError", "ollama": FIELD_ERROR}[name]
    unknown = ("malformed", JSON_ERROR) if name == "ollama" else ("failed", "AttributeError")
    none = {**p.document("Hi", None), "done": False}
    lost = f"{p.client}.RemoteProtocolError"
    return {
        "at its limit": Bad(document(p.document("Hi", p.length)), "length", http="completed"),
        "no finish reason": Bad(document(none), "completed"),
        "an empty body": Bad(Answer([], DOCUMENT), "malformed", JSON_ERROR, "completed"),
        "HTML": Bad(Answer([HTML], "text/html"), *unknown, "completed"),
        "HTML that is said to be JSON": Bad(Answer([HTML], DOCUMENT), "malformed", JSON_ERROR, "completed"),
        "gzip, cut": Bad(Answer([half(whole)], DOCUMENT, "gzip"), "malformed", JSON_ERROR, "completed"),
        "gzip, cut with its connection": Bad(
            Answer([half(whole)], DOCUMENT, "gzip", whole=False), "disconnected", lost
        ),
        "no gzip": Bad(Answer([good], DOCUMENT, "gzip"), "malformed", f"{p.client}.DecodingError"),
        "a long text": Bad(document(p.document(LONG, p.done)), "completed"),
        "a wrong content type": Bad(Answer([good], "image/png"), "completed"),
        "cut": Bad(Answer([good[:-9]], DOCUMENT), "malformed", JSON_ERROR, "completed"),
        "an error": Bad(document({"error": {"message": "no"}}), "rejected", said, "completed"),
        **(two_choices() if name == "openai" else {}),
    }


def two_choices() -> dict[str, Bad]:
    """Two finish reasons in one reply, which only OpenAI's format can have."""
    said = openai_document("Hi")
    said["choices"].append({**said["choices"][0], "index": 1, "finish_reason": "length"})
    return {"two finish reasons": Bad(document(said), "length", http="completed")}


def document(said: dict[str, Any]) -> Answer:
    return Answer(reads(json.dumps(said).encode()), DOCUMENT)


BAD: Final[dict[str, tuple[str, bool, Bad]]] = {
    f"{name}, {how}{case}": (name, how == "", bad)
    for name in PROVIDERS
    for how, cases in (("", streamed(name)), ("unstreamed, ", unstreamed(name)))
    for case, bad in cases.items()
}
"""By name: the provider, whether a stream is asked for, the body."""
