"""Bodies changed in every way, through real clients: the program notices nothing, each verdict is a documented one."""

import asyncio
import gc
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from any_bodies import CUTS, bodies
from hypothesis import given, settings
from hypothesis import strategies as st
from programs.bodies import DOCUMENT, EVENTS, LINES, Answer, Bodies, client, close, turn
from programs.watching import Watching, watching
from wire_replies import packed, pieces

from autogen_streamtrace.core import semconv as sc

pytestmark = pytest.mark.filterwarnings("ignore")

OUTCOMES = {"completed", "length", "filtered", "truncated", "disconnected", "rejected", "malformed", "failed"}
"""What a body can do; nobody waits, cancels or leaves here."""


@pytest.fixture(scope="module")
def server() -> Iterator[Bodies]:
    with Bodies() as server:
        yield server


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture(scope="module")
def clients(server: Bodies, loop: asyncio.AbstractEventLoop) -> Iterator[dict[str, Any]]:
    """One of each, for all examples: what is instrumented is the classes."""
    made = {name: client(name, server.url) for name in ("openai", "anthropic", "ollama")}
    gc.collect()
    gc.freeze()  # each example collects
    yield made
    gc.unfreeze()
    for each in made.values():
        loop.run_until_complete(close(each))


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "name",
    ["openai", pytest.param("anthropic", marks=pytest.mark.once), pytest.param("ollama", marks=pytest.mark.once)],
)
def test_any_body(server: Bodies, loop: asyncio.AbstractEventLoop, clients: dict[str, Any], name: str) -> None:
    @settings(max_examples=60)
    @given(
        body=bodies(name),
        cuts=CUTS,
        kind=st.sampled_from([EVENTS, LINES, DOCUMENT, "text/html"]),
        encoding=st.sampled_from(["", "", "gzip"]),
        end=st.sampled_from(["whole", "whole", "cut", "lost"]),
        streamed=st.sampled_from([True, True, False]),
    )
    def check(body: bytes, cuts: list[int], kind: str, encoding: str, end: str, streamed: bool) -> None:
        sent = packed(body, encoding)
        sent = sent[: len(sent) // 2] if end != "whole" else sent
        server.answer = Answer(pieces(sent, cuts), kind, encoding, whole=end != "lost")
        bare = loop.run_until_complete(turn(clients[name], streamed))
        with watching() as told:
            assert loop.run_until_complete(turn(clients[name], streamed)) == bare
            gc.collect()
            loop.run_until_complete(settled(told))
            assert_of_the_contract(told)

    check()


async def settled(told: Watching) -> None:
    """Of a reader that failed, the loop closes the generators, one within the other, before the exchange ends."""
    for _ in range(5_000):
        if told.tracker.idle:
            return
        await asyncio.sleep(0.001)


def assert_of_the_contract(told: Watching) -> None:
    """Each layer has a verdict of the documented vocabulary, and what ended early arose in one of them."""
    found = [dict(span.attributes or {}) for span in told.spans()]
    layers = {str(each[sc.A_LAYER]): each for each in found if sc.A_LAYER in each}
    assert layers.keys() == {"agent", "model", "http"}
    for each in layers.values():
        assert each[sc.A_OUTCOME] in OUTCOMES
        assert each[sc.A_ENDED_BY] in get_args(sc.EndedBy)
        assert each[sc.A_WAITING_ON_TYPE] in get_args(sc.WaitingOn)
        assert each[sc.A_EARLY] == (each[sc.A_OUTCOME] != "completed")
    assert sum(bool(each[sc.A_EARLY] and each[sc.A_ORIGIN]) for each in layers.values()) == layers["agent"][sc.A_EARLY]
