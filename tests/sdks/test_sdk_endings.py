"""How a stream of an SDK's own ended, for each way to ask: the model's layer, and HTTP's below."""

from collections.abc import Iterator
from typing import Final

import pytest
from _pytest.mark import ParameterSet
from harness import READ_TIMEOUT, Program, Stream, done, watch
from sdks.asking import WAYS, Way

EVERY: Final = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
ENDINGS: Final = {
    "ok": ("completed", "model", "completed"),
    "gzip": ("completed", "model", "completed"),
    "length": ("length", "model", "completed"),
    "content_filter": ("filtered", "model", "completed"),
    "silent": ("truncated", "upstream", "truncated"),
    "fin": ("disconnected", "upstream", "disconnected"),
    "rst": ("disconnected", "upstream", "disconnected"),
    "stall": ("timeout", "http_client", "timeout"),
    "error_event": ("rejected", "upstream", ""),
    "bad_json": ("malformed", "upstream", "malformed"),
    "http_429": ("rejected", "upstream", "rejected"),
}
"""By fault: the outcome of the model's stream, who ended it, and the outcome of the HTTP exchange.

After an error event, some SDKs raise, and the others read on to the end of the body.
"""


BY_ITSELF: Final = ("ok", "length", "silent", "error_event")
"""What tells the ways apart that are but another form of one of the first."""
PLAIN: Final = list(WAYS)[:10]
FAMILIES: Final = {
    "chat": tuple(ENDINGS),
    "chat in a thread": ("fin", "rst", "stall", "error_event"),
    "responses": ("rst", "error_event"),
    "chat.completions.stream()": ("ok", "error_event"),
    "chat, raw": ("silent",),
    "chat, raw and streamed": ("silent",),
}
"""What may differ between the families of openai, by the HTTP client below."""


def cases() -> Iterator[ParameterSet]:
    for name in WAYS:
        for fault in ENDINGS if name in PLAIN else BY_ITSELF:
            differs = fault in FAMILIES.get(name, ())
            yield pytest.param(name, fault, marks=[] if differs else pytest.mark.once)


@pytest.mark.parametrize(("name", "fault"), [*cases()])
def test_an_ending(name: str, fault: str) -> None:
    way = WAYS[name]

    async def body(program: Program) -> None:
        await way.ask(program, fault, READ_TIMEOUT if fault == "stall" else 20.0)

    seen = watch(body)
    model, http = seen.one("model"), seen.one("http")
    outcome, ended_by, below = ENDINGS[fault]
    assert (model["outcome"], model["ended_by"]) == (outcome, ended_by)
    assert http["outcome"] in ((below,) if below else ("completed", "rejected"))
    assert seen.above(http) == [model]
    assert model["gen_ai.provider.name"] == way.provider


def one(way: Way, fault: str) -> Stream:
    async def body(program: Program) -> None:
        await way.ask(program, fault, 20.0)

    return watch(body).one("model")


@EVERY
@pytest.mark.once
def test_what_a_whole_reply_says(way: Way) -> None:
    model = one(way, "usage_last")
    assert model.told == done()
    assert model["gen_ai.response.finish_reasons"] == (way.stop,)
    assert (model["gen_ai.usage.input_tokens"], model["gen_ai.usage.output_tokens"]) == (3, 12)
    assert (model["terminator"], model["attempts"], model["gen_ai.request.stream"]) == (True, 1, True)
    assert model["characters"] > 40
    assert (model["gen_ai.response.id"] is None) == (way.provider == "ollama")
