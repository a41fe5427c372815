"""Streams that are read in an unusual way, and streams of the user's own."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib import import_module
from typing import Any, Final, cast

import pytest
from autogen_core.models import CreateResult, RequestUsage, UserMessage
from autogen_ext.models.replay import ReplayChatCompletionClient
from harness import (
    HTTPX,
    TASK,
    TIMEOUT_ERROR,
    Program,
    Told,
    disconnected,
    done,
    left,
    origin,
    read,
    read_some,
    struck,
    watch,
)
from harness.program import STALLED

from autogen_streamtrace import open_streams, trace_stream

SOON: Final = 0.3
"""Seconds that are given to what does not end by itself."""

CLIENT: Final[Any] = import_module(HTTPX)


class ReaderError(Exception):
    """The reader's own code fails."""


def test_a_models_stream_outside_any_agent() -> None:
    async def body(program: Program) -> None:
        asked = [UserMessage(content=TASK, source="user")]
        await read(program.client("ok").create_stream(asked))
        await read_some(program.client("slow").create_stream(asked))

    seen = watch(body)
    assert seen.layers == ["http", "http", "model", "model"]
    assert [model.told for model in seen.of("model")] == [done(), origin(left("model"))]
    assert [http.told for http in seen.of("http")] == [done(), left("model")]
    assert {model["outermost"] for model in seen.of("model")} == {True}


def test_items_may_be_asked_for_by_separate_tasks() -> None:
    async def body(program: Program) -> None:
        stream = program.turn("ok")
        while True:
            try:
                await asyncio.ensure_future(stream.__anext__())
            except StopAsyncIteration:
                return

    seen = watch(body)
    assert seen.told("agent", "model", "http") == [done()] * 3


def test_two_streams_at_once_never_mix() -> None:
    async def body(program: Program) -> None:
        turns = [program.turn("fin", name="bad"), program.turn("ok", name="good"), program.turn("silent", name="cut")]
        await asyncio.gather(*map(read, turns), return_exceptions=True)

    seen = watch(body, origins=2)
    bad, good, cut = (seen.one("agent", name) for name in ("bad", "good", "cut"))
    assert bad.told == disconnected(f"{HTTPX}.RemoteProtocolError")
    assert good.told == done()
    assert cut.told.outcome == "truncated"
    for agent in (bad, good, cut):
        inside = [stream for stream in seen.streams if agent in seen.above(stream)]
        assert sorted(stream.layer for stream in inside) == ["http", "model"]
        assert {stream["outcome"] for stream in inside} == {agent["outcome"]}
        assert {stream.span.context.trace_id for stream in inside} == {agent.span.context.trace_id}
    assert len({agent.span.context.trace_id for agent in (bad, good, cut)}) == 3


def test_streams_that_one_task_reads_in_turn_never_mix() -> None:
    async def body(program: Program) -> None:
        streams = [program.turn("ok", name="one"), program.turn("ok", name="two")]
        while streams:
            for stream in list(streams):
                try:
                    await stream.__anext__()
                except StopAsyncIteration:
                    streams.remove(stream)

    seen = watch(body)
    assert {stream["outcome"] for stream in seen.streams} == {"completed"}
    assert [[outer.name for outer in seen.above(model)] for model in seen.of("model")] == [["one"], ["two"]]


def test_streams_of_two_loops_in_two_threads_never_mix() -> None:
    async def body(program: Program) -> None:
        def thread(fault: str, name: str) -> None:
            inner = Program(program.server, program.tracer)

            async def turn() -> None:
                await read(inner.turn(fault, name=name))
                await inner.close()

            asyncio.run(turn())

        pairs = (("ok", "good"), ("silent", "cut"))
        await asyncio.gather(*(asyncio.to_thread(thread, fault, name) for fault, name in pairs))

    seen = watch(body)
    for name, outcome in (("good", "completed"), ("cut", "truncated")):
        agent = seen.one("agent", name)
        inside = [stream for stream in seen.streams if agent in seen.above(stream)]
        assert [stream["outcome"] for stream in (agent, *inside)] == [outcome] * 3


@pytest.mark.parametrize("judged", ["before", "after"])
def test_the_body_says_how_a_reply_finished_and_not_what_the_client_makes_of_it(judged: str) -> None:
    """Also where the exchange was judged before the client delivered its result."""

    class Own(ReplayChatCompletionClient):
        async def create_stream(self, messages: Any, **options: Any) -> Any:
            async with CLIENT.AsyncClient(verify=False) as client:
                await client.post(self.url, json={"stream": True})
            if judged == "before":
                open_streams()
            usage = RequestUsage(prompt_tokens=1, completion_tokens=1)
            yield CreateResult(finish_reason="stop", content="Hi", usage=usage, cached=False)

        url = ""

    async def body(program: Program) -> None:
        client = Own([])
        client.url = f"{program.server.url('abort')}/chat/completions"
        await read(client.create_stream([]))

    model = watch(body).one("model")
    assert (model["outcome"], model["gen_ai.response.finish_reasons"]) == ("rejected", ("abort",))


def test_looking_at_what_is_open_at_any_time_changes_no_verdict() -> None:
    faults = {"fin": "disconnected", "ok": "completed", "silent": "truncated", "error_event": "rejected"}

    async def body(program: Program) -> None:
        done = threading.Event()

        def look() -> None:
            while not done.is_set():
                open_streams()

        looking = asyncio.ensure_future(asyncio.to_thread(look))
        for _ in range(3):
            turns = (read(program.turn(fault, name=fault)) for fault in faults)
            await asyncio.gather(*turns, return_exceptions=True)
        done.set()
        await looking

    seen = watch(body, origins=9)
    for fault, outcome in faults.items():
        assert [agent["outcome"] for agent in seen.of("agent", fault)] == [outcome] * 3


def test_the_readers_own_spans_are_not_the_streams_children() -> None:
    async def body(program: Program) -> None:
        async for _ in program.turn("ok"):
            program.tracer.start_span("rendered").end()

    seen = watch(body)
    rendered = [span for span in seen.spans if span.name == "rendered"]
    assert rendered
    assert {span.parent for span in rendered} == {None}


# A stream of the user's own.


async def words(stream: AsyncIterator[object]) -> AsyncIterator[str]:
    async for item in stream:
        yield type(item).__name__


def test_a_stream_of_the_users_own_encloses_what_it_reads() -> None:
    async def body(program: Program) -> None:
        await read(cast(Any, trace_stream(words(program.turn("silent")), "answers")))

    seen = watch(body)
    assert seen.layers == ["agent", "http", "model", "stream"]
    assert {stream["outcome"] for stream in seen.streams} == {"truncated"}
    assert [outer.layer for outer in seen.above(seen.one("http"))] == ["model", "agent", "stream"]
    assert seen.one("stream").name == "answers"
    assert seen.one("stream").span.name == "stream answers"


def test_a_deadline_inside_a_stream_of_the_users_own_is_its_failure_and_not_its_callers() -> None:
    async def body(program: Program) -> None:
        async def source() -> AsyncIterator[int]:
            yield 1
            stream = program.turn("stall")
            for _ in range(STALLED):
                await stream.__anext__()
            await asyncio.wait_for(read(stream), SOON)

        await read(cast(Any, trace_stream(source(), "answers")))

    seen = watch(body)
    told = Told("failed", "agent", "none", "", TIMEOUT_ERROR, "stream", error_type=TIMEOUT_ERROR)
    assert seen.one("stream").told == origin(told)
    for stream in seen.streams[1:]:
        assert replace(stream.told, cause_layer="agent") == struck(SOON)


def test_a_loop_that_is_closed_without_closing_its_generators_leaves_its_streams() -> None:
    async def body(program: Program) -> None:
        async def source() -> AsyncIterator[int]:
            yield 1
            await asyncio.Event().wait()

        def thread() -> None:
            loop = asyncio.new_event_loop()
            stream = trace_stream(source(), "answers")
            program.kept.append(stream)
            loop.run_until_complete(read_some(cast(Any, stream), 1))
            loop.close()

        await asyncio.to_thread(thread)
        while open_streams():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.02)

    seen = watch(body)
    assert seen.raised == ""
    assert seen.one("stream").told == origin(left("stream"))


def test_a_stream_of_the_users_own_that_fails_by_itself() -> None:
    async def body(program: Program) -> None:
        async def source() -> AsyncIterator[int]:
            yield 1
            raise ReaderError

        await read(cast(Any, trace_stream(source(), "answers")))

    seen = watch(body)
    cause = "test_streams_unusual.ReaderError"
    told = Told("failed", "agent", "none", "", cause, "stream", error_type=cause, origin=True)
    assert seen.one("stream").told == told


def test_an_exception_that_the_reader_throws_in_is_the_callers() -> None:
    async def body(program: Program) -> None:
        async def source() -> AsyncIterator[int]:
            yield 1
            yield 2

        stream = cast(Any, trace_stream(source(), "answers"))
        await stream.__anext__()
        await stream.athrow(ReaderError())

    seen = watch(body)
    cause = "test_streams_unusual.ReaderError"
    assert seen.one("stream").told == Told(
        "failed", "caller", "none", "", cause, "stream", fault=False, status="UNSET", origin=True
    )
