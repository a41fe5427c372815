"""Replies that no table of endings has: without text, of another shape, in one line, no reply at all."""

import json
from typing import Final

import pytest
from harness import MODEL_NAME, Program, watch
from harness.raw_server import raw_server
from sdks.asking import MESSAGES, anthropic_client, async_ollama, chat, messages, openai_client, responses
from sdks.bodies import PIECES, TEXT, framed

pytestmark = pytest.mark.once

CHAT, RESPONSES, MESSAGE, OLLAMA = PIECES["chat"], PIECES["responses"], PIECES["messages"], PIECES["ollama"]
CALLS: Final = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "fetch", "arguments": {}}}]}
NO_CHOICES: Final = b'data: {"id": "c1", "choices": null}\n\n'
NO_REASON: Final = CHAT["stop"].replace(b'"stop"', b"5")

SECOND: Final = {
    name: CHAT[name].replace(b'"choices": [{"index": 0', b'"choices": [{"index": 1') for name in ("word", "stop")
}
BOTH: Final = CHAT["word"] + SECOND["word"]

ODD: Final[dict[str, tuple[str, bytes, str]]] = {
    "a call alone, in one line": ("ollama", json.dumps({"message": CALLS, "done": True}).encode(), "completed"),
    "a model that was loaded": ("ollama", OLLAMA["done"].replace(b"stop", b"load"), "completed"),
    "choices that are none": ("chat", CHAT["word"] + NO_CHOICES + CHAT["stop"] + CHAT["done"], "completed"),
    "a reason that is no word": ("chat", CHAT["word"] + NO_REASON + CHAT["done"], "completed"),
    "a finish reason, then a reset": ("chat", CHAT["word"] + CHAT["stop"], "disconnected"),
    "two choices, of which the first went on": ("chat", BOTH + SECOND["stop"] + CHAT["word"], "truncated"),
    "two choices, of which the second went on": ("chat", BOTH + CHAT["stop"] + SECOND["word"], "truncated"),
    "two choices that ended without [DONE]": ("chat", BOTH + CHAT["stop"] + SECOND["stop"], "completed"),
    "two choices, one without a reason": ("chat", BOTH + CHAT["stop"] + CHAT["done"], "completed"),
    "an end without a reason": ("responses", RESPONSES["word"] + RESPONSES["incomplete"], "length"),
    "a start and a stop": ("messages", MESSAGE["start"] + MESSAGE["stop"], "truncated"),
    "signs of life alone": ("messages", MESSAGE["ping"] * 3, "truncated"),
    "a page": ("chat", b"<html></html>", "malformed"),
}
"""By what came: who asked, the body, and the outcome."""


ASKS: Final = {"chat": chat, "responses": responses, "messages": messages, "ollama": async_ollama}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_stream(name: str) -> None:
    api, body, outcome = ODD[name]
    how, content_type = ("endless" if outcome == "disconnected" else "chunked"), TEXT
    if name == "a page":
        content_type = "text/html"
    with raw_server((framed(body, how, "200 OK", content_type, []), "reset" if how == "endless" else "keep")) as url:

        async def read(program: Program) -> None:
            async for _ in await ASKS[api](program, url):
                pass

        model = watch(read).one("model")
    assert model["outcome"] == outcome


@pytest.mark.parametrize(
    ("body", "outcome"),
    [(b"<html></html>", "malformed"), (b"{}", "malformed"), (b'{"error": {"message": "x"}}', "rejected")],
)
@pytest.mark.parametrize("api", ["chat", "messages"])
def test_an_unstreamed_reply_that_is_none(api: str, body: bytes, outcome: str) -> None:
    content_type = "text/html" if body.startswith(b"<") else "application/json"
    with raw_server((framed(body, "length", "200 OK", content_type, []), "keep")) as url:

        async def ask(program: Program) -> None:
            if api == "chat":
                await openai_client(program, url).chat.completions.create(model=MODEL_NAME, messages=MESSAGES)
            else:
                place = anthropic_client(program, url).messages
                await place.create(model=MODEL_NAME, messages=MESSAGES, max_tokens=9)

        model = watch(ask).one("model")
    assert model["outcome"] == outcome
