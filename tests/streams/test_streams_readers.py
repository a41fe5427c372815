"""Streams whose reader leaves, is cancelled, or reads them in an unusual way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Final, cast

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_core import CancellationToken
from autogen_core.models import UserMessage
from harness import (
    AGENT_NAME,
    CANCELLED_ERROR,
    MODEL_NAME,
    NEVER,
    TASK,
    TIMEOUT_ERROR,
    Program,
    Seen,
    Told,
    asked,
    cancelled,
    done,
    in_time,
    interrupted,
    left,
    origin,
    read,
    read_some,
    struck,
    watch,
)
from openai import DefaultAsyncHttpxClient

TURN: Final = ["agent", "http", "model"]
SOON: Final = 0.3
"""Seconds that are given to what does not end by itself."""


class ReaderError(Exception):
    """The reader's own code fails."""


def assert_turn(seen: Seen, told: Told, raised: str = "") -> None:
    """Each layer of the turn says this, and it arose in the outermost."""
    assert seen.raised == raised
    assert seen.layers == TURN
    assert seen.told("agent", "model", "http") == [origin(told), told, told]


# The reader leaves.


async def breaks(program: Program) -> None:
    await read_some(program.turn("slow"))


async def closes(program: Program) -> None:
    stream = cast(Any, program.turn("slow"))
    await read_some(stream)
    await stream.aclose()


async def closes_in_another_task(program: Program) -> None:
    stream = cast(Any, program.turn("slow"))
    await read_some(stream)
    await asyncio.create_task(stream.aclose())


async def drops(program: Program) -> None:
    stream = program.turn("slow")
    for _ in range(4):
        await stream.__anext__()
    del stream


async def raises(program: Program) -> None:
    async for item in program.turn("slow"):
        if type(item).__name__ == "ModelClientStreamingChunkEvent":
            raise ReaderError


@pytest.mark.parametrize("body", [breaks, closes, closes_in_another_task, drops, raises])
def test_the_reader_leaves_with_an_item_in_its_hands(body: Callable[[Program], Awaitable[object]]) -> None:
    seen = watch(body)
    assert_turn(seen, left(), "test_streams_readers.ReaderError" if body is raises else "")
    assert seen.one("http")["upstream_overrun"] > 0
    assert seen.one("model")["gen_ai.response.finish_reasons"] == ("error",)


@pytest.mark.parametrize("layer", ["agent", "team", "model"])
def test_a_reader_that_leaves_once_it_has_the_last_item_has_a_complete_stream(layer: str) -> None:
    async def body(program: Program) -> None:
        task = [UserMessage(content=TASK, source="user")]
        streams: dict[str, Callable[[], AsyncIterator[object]]] = {
            "agent": lambda: program.turn("ok"),
            "team": lambda: program.duo("ok").run_stream(task=TASK),
            "model": lambda: program.client("ok").create_stream(task),
        }
        async for item in streams[layer]():
            if type(item).__name__ in ("TaskResult", "CreateResult"):
                break

    seen = watch(body)
    assert seen.streams[0].layer == layer
    assert {stream.told for stream in seen.streams} == {done()}


def test_a_reader_that_leaves_between_the_reply_and_the_result_left_the_agent_alone() -> None:
    async def body(program: Program) -> None:
        async for item in program.turn("ok"):
            if type(item).__name__ == "TextMessage" and cast(Any, item).source == AGENT_NAME:
                break

    assert watch(body).told("agent", "model", "http") == [origin(left()), done(), done()]


def test_the_loop_is_closed_with_the_stream_open() -> None:
    async def body(program: Program) -> None:
        stream = program.turn("slow")
        program.kept.append(stream)
        await read_some(stream)
        await program.close()

    assert_turn(watch(body, settle=False), left())


@pytest.mark.parametrize("then", ["reads on", "leaves"])
def test_the_time_for_which_the_reader_holds_an_item_is_the_callers_and_no_gap(then: str) -> None:
    held = 0.3

    async def body(program: Program) -> None:
        stream = program.turn("ok")
        await read_some(stream, 2)
        await asyncio.sleep(held)
        if then == "reads on":
            await read(stream)
        else:
            await cast(Any, stream).aclose()

    agent = watch(body).one("agent")
    assert held * 0.95 <= agent["caller_time"] <= agent.seconds - agent["longest_gap"]


UNREAD: Final = Told("never_started", "caller", "caller", fault=False, status="UNSET", origin=True)


def test_a_stream_that_is_created_and_never_read() -> None:
    async def body(program: Program) -> None:
        program.turn("ok")

    seen = watch(body)
    assert seen.layers == ["agent"]
    assert seen.one("agent").told == UNREAD
    assert seen.one("agent").name == AGENT_NAME
    assert seen.total("started") == seen.total("ended", outcome="never_started") == seen.total("cut") == 1
    assert [event.severity for event in seen.events] == ["WARN"]


def test_a_stream_that_is_closed_unread() -> None:
    async def body(program: Program) -> None:
        await cast(Any, program.turn("ok")).aclose()

    assert watch(body).one("agent").told == UNREAD


def test_a_stream_that_is_never_read_belongs_to_the_trace_in_which_it_was_created() -> None:
    async def body(program: Program) -> None:
        with program.tracer.start_as_current_span("POST /chat"):
            program.turn("ok")

    seen = watch(body)
    parent = seen.parent(seen.one("agent").span)
    assert parent is not None
    assert parent.name == "POST /chat"


# The reader is cancelled.


async def is_cancelled(program: Program) -> None:
    await interrupted(program.turn("stall"), lambda task: task.cancel())


def test_the_readers_task_is_cancelled() -> None:
    assert_turn(watch(is_cancelled), cancelled(), CANCELLED_ERROR)


def test_the_readers_task_is_cancelled_before_the_headers_came() -> None:
    async def body(program: Program) -> None:
        await sent_in_time(program, "stall_before_headers", lambda agent: read(agent.run_stream(task=TASK)))

    assert_turn(watch(body), struck(SOON), TIMEOUT_ERROR)


async def sent_in_time(
    program: Program, fault: str, run: Callable[[AssistantAgent], Coroutine[Any, Any, object]]
) -> None:
    """Gives a turn so much time once its request is on its way."""
    sent = asyncio.Event()

    async def sends(request: object) -> None:
        sent.set()

    http = DefaultAsyncHttpxClient(event_hooks={"request": [sends]}, verify=False)
    await in_time(run(program.agent(fault, http_client=http)), sent, SOON)


def test_the_readers_task_is_cancelled_while_the_sdk_waits_to_try_again() -> None:
    async def body(program: Program) -> None:
        refused = asyncio.Event()

        async def came(response: object) -> None:
            refused.set()

        http = DefaultAsyncHttpxClient(event_hooks={"response": [came]}, verify=False)
        task = asyncio.ensure_future(read(program.turn("http_503", retries=1, http_client=http)))
        await refused.wait()
        await asked()
        task.cancel()
        await task

    seen = watch(body, origins=2)
    told = cancelled("model", MODEL_NAME)
    assert seen.told("agent", "model") == [origin(told), told]
    assert (seen.one("http")["outcome"], seen.one("http")["error.type"]) == ("rejected", "503")


def test_an_unstreamed_turn_is_cancelled() -> None:
    async def body(program: Program) -> None:
        await sent_in_time(program, "stall", lambda agent: agent.run(task=TASK))

    assert_turn(watch(body), struck(SOON), TIMEOUT_ERROR)


def test_the_cancellation_token_is_cancelled() -> None:
    async def body(program: Program) -> None:
        token = CancellationToken()
        await interrupted(program.turn("stall", token), lambda _: token.cancel())

    assert_turn(watch(body), cancelled(by="token"), CANCELLED_ERROR)


def test_a_token_that_was_cancelled_before_the_turn_began() -> None:
    async def body(program: Program) -> None:
        token = CancellationToken()
        token.cancel()
        await read(program.turn("ok", token))

    seen = watch(body)
    assert seen.raised == CANCELLED_ERROR
    told = seen.one("agent").told
    assert told == origin(cancelled(told.waiting_on, told.waiting_on_name, by="token"))
    assert told.waiting_on in ("http", "model")


def test_a_token_that_was_not_cancelled_did_not_cancel() -> None:
    async def body(program: Program) -> None:
        await interrupted(program.turn("stall", CancellationToken()), lambda task: task.cancel())

    assert_turn(watch(body), cancelled(), CANCELLED_ERROR)


def test_a_reader_that_is_cancelled_while_it_holds_an_item_has_left() -> None:
    async def body(program: Program) -> None:
        holding = asyncio.Event()

        async def hold() -> None:
            async for _ in program.turn("slow"):
                holding.set()
                await asyncio.sleep(NEVER)

        task = asyncio.ensure_future(hold())
        await holding.wait()
        task.cancel()
        await task

    seen = watch(body)
    assert seen.raised == CANCELLED_ERROR
    assert seen.one("agent").told == origin(left())
