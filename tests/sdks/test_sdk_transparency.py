"""The program sees of an SDK's stream exactly what it would have seen without us, over a real socket."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from harness.raw_server import Then, raw_server
from hypothesis import given, settings
from hypothesis import strategies as st
from programs.watching import watching
from sdks.bodies import BEGINS, PIECES, TEXT, framed
from sdks.playing import Program, play

pytestmark = pytest.mark.once

Example = tuple[Program, tuple[bytes, Then]]
"""A program, and the answer and what becomes of its connection."""

STATUSES = st.sampled_from(["200 OK"] * 9 + ["429 Too Many Requests", "500 Internal Server Error"])
TYPES = st.sampled_from([TEXT] * 8 + ["application/json", "text/html"])
FRAMES: st.SearchStrategy[tuple[str, Then]] = st.sampled_from(
    [
        *[("chunked", "keep")] * 3,
        *[("length", "keep"), ("none", "fin"), ("endless", "fin"), ("endless", "reset")],
        *[("short", "fin"), ("short", "reset")],
    ]
)
MOVES = st.sampled_from(
    ["rest", "rest", "next", "some", "some", "block", "mishap", "close", "shut", "both", "final", "again", "drop"]
)


@st.composite
def replies(draw: st.DrawFn, api: str) -> tuple[bytes, Then]:
    """An answer and what becomes of its connection."""
    pieces = PIECES[api]
    names = [
        *draw(st.sampled_from([(), *[BEGINS[api]] * 4])),
        *draw(st.lists(st.sampled_from(list(pieces)), max_size=7)),
    ]
    body = b"".join(pieces[name] for name in names)
    cut = draw(st.sampled_from([0] * 5 + [1, 2, 7, 40]))
    body = body[: len(body) - cut]
    how, then = draw(FRAMES)
    sizes = draw(st.lists(st.sampled_from([1, 2, 17, 90, 400]), max_size=4))
    return framed(body, how, draw(STATUSES), draw(TYPES), sizes), then


@st.composite
def programs(draw: st.DrawFn) -> Example:
    api = draw(st.sampled_from(["chat", "chat", "responses", "messages", "ollama"]))
    ways = ["streamed", "whole"] if api == "ollama" else ["streamed", "streamed", "raw", "streaming", "helper", "whole"]
    moves = tuple(draw(st.lists(MOVES, min_size=1, max_size=4)))
    return Program(api, draw(st.sampled_from(ways)), draw(st.booleans()), moves), draw(replies(api))


def seen(example: Example) -> list[Any]:
    program, answer = example
    with raw_server(answer) as url:
        return play(program, url)


@pytest.fixture(autouse=True, scope="module")
def frozen() -> Iterator[None]:
    """Each example collects garbage, and what was imported is none."""
    with watching():
        gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@settings(max_examples=24)
@given(examples=st.lists(programs(), min_size=1, max_size=8))
def test_a_watched_stream_is_noticed_as_the_bare_one(examples: list[Example]) -> None:
    bare = [seen(example) for example in examples]
    with watching():
        for example, expected in zip(examples, bare, strict=True):
            assert seen(example) == expected
