"""A user's own tests, which `test_plugin.py` runs. What each is to end with is in its name."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import autogen_streamtrace
from autogen_streamtrace.commands.demo.scenarios.program import MODEL_INFO

KEPT: list[Any] = []


@pytest.fixture
def streamtrace_settings() -> dict[str, Any]:
    return {"stall_after": 0.3}


async def answer(url: str, words: int = 0) -> None:
    """A turn of an agent, read to its end or for so many items."""
    options: Any = {"model": "gpt-4o", "api_key": "none", "base_url": url, "max_retries": 0, "model_info": MODEL_INFO}
    client = OpenAIChatCompletionClient(**options)
    stream = AssistantAgent("clerk", client, model_client_stream=True).run_stream(task="Hello")
    KEPT.append(stream)
    async for _ in stream:
        words -= 1
        if not words:
            return
    await client.close()


def test_passes_sync(streams: Any, model_server: Any) -> None:
    model_server.suffer("silent after=2")
    asyncio.run(answer(model_server.url()))
    assert streams.turn.outcome == "truncated"
    assert streams.turn.http.ended_by == "upstream"
    assert streams.turn.model["characters"] == len("Your claim ")
    assert streams.turn.limit_id is None
    with pytest.raises(AssertionError, match=r"1 of 1 turns ended early:\nagent clerk ended: truncated, by upstream"):
        streams.assert_all_completed()
    with pytest.raises(AssertionError, match="one"):
        _ = streams.turn.tool
    with pytest.raises(AttributeError, match="no 'outcom'; known are "):
        _ = streams.turn.outcom


def test_passes_several(streams: Any, model_server: Any) -> None:
    for _ in range(2):
        asyncio.run(answer(model_server.url()))
    streams.assert_all_completed()
    streams.assert_nothing_left_open()
    with pytest.raises(AssertionError, match="2 turns ended in this test, not one"):
        _ = streams.turn


def test_passes_async(streams: Any, model_server: Any) -> None:
    async def body() -> None:
        await asyncio.gather(answer(model_server.url()), answer(model_server.url("http_429")), return_exceptions=True)
        await streams.settled()
        assert sorted(turn.outcome for turn in streams.turns) == ["completed", "rejected"]

    asyncio.run(body())


def test_passes_open(streams: Any, model_server: Any) -> None:
    async def body() -> None:
        await answer(model_server.url("slow"), words=3)
        with pytest.raises(AssertionError, match="agent clerk is open for"):
            streams.assert_nothing_left_open()
        await KEPT.pop().aclose()

    asyncio.run(body())
    assert streams.turn.outcome == "abandoned"


def test_passes_own_request(streams: Any, model_server: Any) -> None:
    asked = {"model": "gpt-4o", "messages": [], "stream": True}
    httpx.post(f"{model_server.url()}/chat/completions", json=asked, trust_env=False)
    assert (streams.of("http"), [stream.outcome for stream in streams.outside]) == ([], ["completed"])
    with pytest.raises(AssertionError, match="0 turns ended in this test, not one:\noutside every turn: http 127"):
        _ = streams.turn


def test_passes_nothing_told(streams: Any) -> None:
    with pytest.raises(AssertionError, match="was a model asked, in this process, by a client that is watched"):
        _ = streams.turn


def test_passes_unread_turn(streams: Any, model_server: Any) -> None:
    """It is a part of the turn in which it was made, and no turn is complete with it."""

    async def words() -> AsyncIterator[str]:
        AssistantAgent("clerk", client).run_stream(task="Hello")
        yield "Hello"

    client = OpenAIChatCompletionClient(model="gpt-4o", api_key="none", base_url=model_server.url())

    async def read() -> None:
        async for _ in autogen_streamtrace.trace_stream(words(), "words"):
            pass

    asyncio.run(read())
    assert streams.turn.agent.outcome == "never_started"
    with pytest.raises(AssertionError, match=r"\n  agent clerk ended: never_started, by caller"):
        streams.assert_all_completed()


def test_passes_blocked_loop(streams: Any, model_server: Any) -> None:
    async def blocked() -> None:
        reading = asyncio.ensure_future(answer(model_server.url("slow")))
        while not [stream for stream in autogen_streamtrace.open_streams() if stream.layer == "http"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        time.sleep(1.0)  # noqa: ASYNC251 - what is to be found
        await reading

    asyncio.run(blocked())
    with pytest.raises(AssertionError, match=r"the event loop was blocked for [\d.]+ s, under:\n"):
        streams.assert_nothing_blocked()


class TestProviders:
    @pytest.fixture
    def spans(self) -> InMemorySpanExporter:
        return InMemorySpanExporter()

    @pytest.fixture
    def streamtrace_settings(self, spans: InMemorySpanExporter) -> dict[str, Any]:
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(spans))
        return {"tracer_provider": provider}

    def test_passes_own_providers(self, streams: Any, model_server: Any, spans: InMemorySpanExporter) -> None:
        asyncio.run(answer(model_server.url()))
        assert streams.turn.outcome == "completed"
        assert "invoke_agent clerk" in [span.name for span in spans.get_finished_spans()]


def test_fails_with_its_turn(streams: Any, model_server: Any) -> None:
    asyncio.run(answer(model_server.url("silent")))
    assert streams.turn.outcome == "completed"
