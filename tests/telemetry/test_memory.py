"""A stream costs the same memory however long it is, and nothing once it has ended."""

import asyncio
import gc
import tracemalloc
import weakref
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_core import CancellationToken
from programs.agents import model_agent
from programs.clients import RESULT, Client
from programs.patched import http
from programs.watching import Watching, watching

import autogen_streamtrace
from autogen_streamtrace import trace_stream
from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core import tap
from autogen_streamtrace.core.stream.state import StreamInfo


@pytest.fixture
def told() -> Iterator[Watching]:
    with watching() as told:
        yield told


@pytest.fixture
def traced_memory() -> Iterator[None]:
    gc.collect()
    tracemalloc.start()
    yield
    tracemalloc.stop()


def used() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def endless() -> AsyncGenerator[str, None]:
    while True:
        yield "word"


async def skip(stream: Any, items: int) -> None:
    async for _ in stream:
        items -= 1
        if not items:
            return


async def turns(count: int) -> None:
    """Lets the event loop finish what was closed."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.timeout(120)
def test_a_million_chunks_through_a_tap_cost_no_memory(told: Watching, traced_memory: None) -> None:
    async def main() -> None:
        stream = tap.tapped(told.tracker, endless(), tap.Unopened(told.tracker, StreamInfo(sc.STREAM, "s")))
        await skip(stream, 1000)
        tracemalloc.stop()  # it would make the middle slow
        await skip(stream, 1_000_000)
        tracemalloc.start()
        before = used()
        await skip(stream, 20_000)
        assert used() - before < 20_000  # a byte a chunk

    asyncio.run(main())


def test_a_long_reply_costs_no_memory_over_http_model_and_agent(told: Watching, traced_memory: None) -> None:
    """Through a client that keeps no word, unlike the SDK's."""
    chunks = 50_000

    class Plain(Client):
        async def create_stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            async with http.AsyncClient(timeout=30) as client:
                url = server.url("flood", chunks) + "/chat/completions"
                async with client.stream("POST", url, json={"stream": True}) as response:
                    async for _ in response.aiter_raw():
                        yield "word"

    async def main() -> None:
        stream = AssistantAgent("writer", Plain(), model_client_stream=True).run_stream(task="hello")
        tracemalloc.stop()  # it would make the beginning slow
        await skip(stream, chunks // 2)
        open_now = {each.layer: each.chunks for each in autogen_streamtrace.open_streams()}
        assert open_now.keys() == {"agent", "model", "http"}
        assert all(count >= 0.9 * chunks / 2 for count in open_now.values())
        tracemalloc.start()
        await skip(stream, 10_000)
        gc.collect()
        ours = tracemalloc.Filter(True, "*/autogen_streamtrace/*"), tracemalloc.Filter(False, "*/commands/*")
        kept = tracemalloc.take_snapshot().filter_traces(ours).statistics("filename")
        assert sum(each.size for each in kept) < 15_000  # the kept end of the body among it
        await stream.aclose()

    with ModelServer() as server:
        asyncio.run(main())


def test_many_streams_leave_nothing_behind(told: Watching, traced_memory: None) -> None:
    async def main() -> None:
        async def some(count: int) -> int:
            for _ in range(count):
                async for _ in trace_stream(endless(), "s"):
                    break
                trace_stream(endless(), "s")
                await asyncio.sleep(0)
            await turns(10)
            told.tracker.judge.drain()
            while told.tracker._recorder.busy:  # noqa: ASYNC110 - rows leave it once a second
                await asyncio.sleep(0.05)
            told.reset_after_fork()
            return used()

        await some(1000)
        before = await some(1000)  # tables have the size of the most that were open, and what is bounded is full
        assert await some(1000) - before < 150_000, "75 bytes of each of 2000; a record has several hundred"

    asyncio.run(main())


class Item(str):
    """A word that can be referred to weakly."""


class MishapError(Exception):
    """An exception that can be referred to weakly."""


@pytest.mark.parametrize("ending", ["whole", "raises", "break", "cancelled", "thrown in"])
def test_nothing_of_a_finished_turn_is_kept_alive(told: Watching, ending: str) -> None:
    refs: dict[str, weakref.ref[Any]] = {}

    def keep(name: str, thing: Any) -> Any:
        refs[name] = weakref.ref(thing)
        return thing

    class Ending(Client):
        async def create_stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            yield keep("item", Item("hello"))
            if ending == "raises":
                raise keep("exception", MishapError("in mid-stream"))
            if ending == "cancelled":
                await asyncio.Event().wait()
            yield keep("result", RESULT.model_copy())

    async def turn() -> None:
        client = keep("client", Ending())
        agent = keep("agent", AssistantAgent("writer", client, model_client_stream=True))
        token = keep("token", CancellationToken())
        stream = keep("stream", agent.run_stream(task="hello", cancellation_token=token))
        async for item in stream:
            keep("message", item)
            if type(item).__name__ != "ModelClientStreamingChunkEvent":
                continue
            if ending == "break":
                break
            if ending == "cancelled":
                asyncio.get_running_loop().call_soon(keep("task", asyncio.current_task()).cancel)
            if ending == "thrown in":
                await stream.athrow(keep("thrown", MishapError("by the reader")))

    async def main() -> None:
        await asyncio.create_task(outcome(turn()))
        told.spans()
        assert refs.keys() >= {"client", "agent", "token", "stream", "item", "message"}
        for _ in range(5):
            await turns(5)
            gc.collect()
        assert {name for name, ref in refs.items() if ref() is not None} == set()

    asyncio.run(main())


async def outcome(step: Any) -> None:
    try:
        await step
    except (MishapError, asyncio.CancelledError):
        pass


def test_a_http_body_is_not_kept_alive(told: Watching) -> None:
    refs: list[weakref.ref[Any]] = []

    async def turn(server: ModelServer) -> None:
        agent, close = model_agent(server.url("ok"))
        async for _ in agent.run_stream(task="hello"):
            pass
        await close()
        refs.extend((weakref.ref(agent), weakref.ref(agent._model_client)))

    async def main() -> None:
        with ModelServer() as server:
            await turn(server)
        told.spans()

    asyncio.run(main())
    gc.collect()
    assert [ref() for ref in refs] == [None, None]


def test_a_class_defined_while_watched_can_die(told: Watching) -> None:
    ref = weakref.ref(type("Short", (Client,), {"create_stream": lambda self: endless()}))
    gc.collect()
    assert ref() is None
