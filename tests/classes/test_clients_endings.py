"""The same endings over every provider's client: three wire formats, two HTTP libraries, one vocabulary."""

import asyncio
from typing import Final

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_core import CancellationToken
from harness import (
    AGENT_NAME,
    READ_TIMEOUT,
    TASK,
    TOOL_NAME,
    TRUNCATED,
    Body,
    Program,
    Told,
    cancelled,
    disconnected,
    done,
    interrupted,
    origin,
    read,
    tool,
    watch,
)
from harness.clients import PROVIDERS, Provider

from autogen_streamtrace.commands.chaos.model.completions import USAGE

pytestmark = pytest.mark.once

OTHERS: Final = {name: provider for name, provider in PROVIDERS.items() if name != "openai"}
"""What the OpenAI client does is told in ``test_streams_*``."""
EVERY: Final = pytest.mark.parametrize("provider", OTHERS.values(), ids=OTHERS)


def turn(provider: Provider, fault: str, *, streaming: bool = True, **options: float) -> Body:
    """A program that reads one turn to its end."""

    async def body(program: Program) -> None:
        client = provider.make(program, fault, **options)
        await read(AssistantAgent(AGENT_NAME, client, model_client_stream=streaming).run_stream(task=TASK))

    return body


@EVERY
@pytest.mark.parametrize("fault", ["ok", "gzip"])
def test_a_whole_reply(provider: Provider, fault: str) -> None:
    seen = watch(turn(provider, fault))
    assert seen.told("agent", "model", "http") == [done()] * 3
    model = seen.one("model")
    assert model["gen_ai.provider.name"] == provider.name
    assert model["gen_ai.response.finish_reasons"] == (provider.stop,)
    assert (model["terminator"], model["attempts"]) == (True, 1)


@EVERY
def test_the_tokens_that_the_provider_counted(provider: Provider) -> None:
    model = watch(turn(provider, "usage_last")).one("model")
    counts = (model["gen_ai.usage.input_tokens"], model["gen_ai.usage.output_tokens"])
    assert counts == (USAGE["prompt_tokens"], USAGE["completion_tokens"])


@EVERY
def test_an_unstreamed_reply(provider: Provider) -> None:
    seen = watch(turn(provider, "ok", streaming=False))
    assert seen.told("agent", "model", "http") == [done()] * 3
    assert seen.one("model")["gen_ai.request.stream"] is None
    assert seen.one("model")["gen_ai.response.finish_reasons"] == (provider.stop,)


@EVERY
@pytest.mark.parametrize("fault", ["silent", "done_text"])
def test_a_body_that_ends_cleanly_without_a_terminator(provider: Provider, fault: str) -> None:
    seen = watch(turn(provider, fault))
    assert seen.raised == ""
    assert seen.told("agent", "model", "http") == [TRUNCATED, TRUNCATED, origin(TRUNCATED)]
    assert seen.one("model")["terminator"] is False


@EVERY
@pytest.mark.parametrize(
    ("fault", "outcome", "by"),
    [
        ("length", "length", "model"),
        ("content_filter", "filtered", "model"),
        ("abort", "rejected", "upstream"),
    ],
)
def test_a_finish_reason_other_than_done(provider: Provider, fault: str, outcome: str, by: str) -> None:
    seen = watch(turn(provider, fault))
    model = seen.one("model").told
    assert (model.outcome, model.ended_by, model.origin) == (outcome, by, True)
    assert (seen.one("agent").told.outcome, seen.one("agent").told.origin) == (outcome, False)
    assert seen.one("http").told == done()


@EVERY
@pytest.mark.parametrize(("fault", "cause"), [("fin", "RemoteProtocolError"), ("rst", "ReadError")])
def test_a_connection_that_is_lost(provider: Provider, fault: str, cause: str) -> None:
    seen = watch(turn(provider, fault))
    told = disconnected(f"{provider.httpx}.{cause}")
    assert seen.told("agent", "model", "http") == [told, told, origin(told)]


@EVERY
def test_a_connection_that_is_refused(provider: Provider) -> None:
    async def body(program: Program) -> None:
        client = provider.make(program, "ok")
        program.server.stop()
        await read(AssistantAgent(AGENT_NAME, client).run_stream(task=TASK))

    seen = watch(body)
    assert [told.outcome for told in seen.told("agent", "model", "http")] == ["disconnected"] * 3
    assert seen.one("http").told.origin


@pytest.mark.parametrize("name", ["azure", "anthropic"])
@pytest.mark.parametrize("fault", ["stall", "stall_before_headers"])
def test_a_server_that_falls_silent(name: str, fault: str) -> None:
    provider = PROVIDERS[name]
    seen = watch(turn(provider, fault, timeout=READ_TIMEOUT))
    cause = f"{provider.httpx}.ReadTimeout"
    limit = ("http_client.read_timeout", READ_TIMEOUT, "configured")
    told = Told("timeout", "http_client", "http", "127.0.0.1", cause, "http", limit, error_type=cause)
    assert seen.told("agent", "model", "http") == [told, told, origin(told)]


@pytest.mark.parametrize("by", ["token", "task"])
def test_a_silent_ollama_is_held_until_somebody_cancels(by: str) -> None:
    """Its client ignores every timeout."""

    async def body(program: Program) -> None:
        token = CancellationToken()
        agent = AssistantAgent(AGENT_NAME, PROVIDERS["ollama"].make(program, "stall"), model_client_stream=True)

        def interrupt(task: "asyncio.Future[object]") -> None:
            token.cancel() if by == "token" else task.cancel()

        await interrupted(agent.run_stream(task=TASK, cancellation_token=token), interrupt)

    seen = watch(body)
    told = cancelled(by=by)
    assert seen.told("agent", "model", "http") == [origin(told), told, told]


@EVERY
def test_an_http_error(provider: Provider) -> None:
    seen = watch(turn(provider, "http_429"))
    for layer in ("agent", "model", "http"):
        told = seen.one(layer).told
        assert (told.outcome, told.ended_by, told.error_type) == ("rejected", "upstream", "429")
        assert told.origin is (layer == "http")


@EVERY
def test_an_error_event_inside_a_reply_that_began_well(provider: Provider) -> None:
    seen = watch(turn(provider, "error_event"))
    model = seen.one("model").told
    assert (model.outcome, model.ended_by, model.waiting_on, model.origin) == ("rejected", "upstream", "none", True)
    assert [told.outcome for told in seen.told("agent", "http")] == ["rejected", "rejected"]


@EVERY
def test_an_event_that_cannot_be_parsed(provider: Provider) -> None:
    seen = watch(turn(provider, "bad_json"))
    model = seen.one("model").told
    assert (model.outcome, model.ended_by, model.origin) == ("malformed", "upstream", True)
    assert model.cause == "json.decoder.JSONDecodeError"


@EVERY
def test_a_turn_with_a_tool(provider: Provider) -> None:
    async def approve() -> str:
        return "approved"

    async def body(program: Program) -> None:
        client = provider.make(program, "tool_call")
        tools = [tool(approve)]
        agent = AssistantAgent(AGENT_NAME, client, tools=[*tools], model_client_stream=True, reflect_on_tool_use=True)
        await read(agent.run_stream(task=TASK))

    seen = watch(body)
    assert seen.layers == ["agent", "http", "http", "model", "model", "tool"]
    assert {stream["outcome"] for stream in seen.streams} == {"completed"}
    assert seen.of("model")[0]["gen_ai.response.finish_reasons"] == (provider.tool_calls,)
    assert seen.one("tool").name == TOOL_NAME
