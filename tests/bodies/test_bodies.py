"""Bodies that no provider should send: the program sees what it would have seen, and each layer says how it ended."""

import asyncio
from collections.abc import Iterator

import pytest
from bad_bodies import BAD, Bad
from harness import TRUNCATED, Program, Told, disconnected, done, origin, watch
from programs.bodies import Bodies, client, close, turn

pytestmark = pytest.mark.filterwarnings(
    "ignore:No text content or tool calls are available", "ignore:Resolved model mismatch"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Bodies]:
    with Bodies() as server:
        yield server


async def program(name: str, url: str, streamed: bool) -> list[str]:
    model = client(name, url)
    try:
        return await turn(model, streamed)
    finally:
        await close(model)


def verdicts(bad: Bad) -> list[Told]:
    """Of agent, model and exchange."""
    if bad.outcome == "completed":
        return [done()] * 3
    if bad.outcome == "truncated":
        return [TRUNCATED, TRUNCATED, origin(TRUNCATED)]
    if bad.outcome == "disconnected":
        lost = disconnected(bad.cause)
        return [lost, lost, origin(lost)]
    if bad.outcome == "length":
        told = Told("length", "model", fault=False, status="UNSET")
    elif bad.outcome == "failed":
        told = Told("failed", "agent", cause=bad.cause, cause_layer="model", error_type=bad.cause)
    else:
        layer = "model" if bad.cause else ""
        told = Told(bad.outcome, "upstream", cause=bad.cause, cause_layer=layer, error_type=bad.cause or bad.outcome)
    return [told, origin(told), done() if bad.http == "completed" else told]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name.startswith("openai") else pytest.mark.once) for name in BAD]
)
def test_a_bad_body(server: Bodies, name: str) -> None:
    provider, streamed, bad = BAD[name]
    server.answer = bad.answer
    bare = asyncio.run(program(provider, server.url, streamed))
    watched: list[str] = []

    async def body(_: Program) -> None:
        watched.extend(await program(provider, server.url, streamed))

    seen = watch(body)
    assert watched == bare
    assert seen.told("agent", "model", "http") == verdicts(bad)
