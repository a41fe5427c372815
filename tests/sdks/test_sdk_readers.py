"""How a reader leaves a stream of an SDK's own, and what is told of it. The stream stays the SDK's object."""

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable
from typing import Any, Final

import openai
import pytest
from autogen_core.models import UserMessage
from harness import MODEL_NAME, Program, Seen, asked, cancelled, done, left, origin, read, struck, watch
from sdks.asking import MESSAGES, chat, messages, openai_client, responses, sync_chat, sync_messages, sync_responses

import autogen_streamtrace
from autogen_streamtrace.commands.chaos.model.reply import HALF

Begin = Callable[[Program, str], Awaitable[Any]]
ONCE: Final = pytest.mark.once


def _each(*begin: Any) -> pytest.MarkDecorator:
    """The first one on every family of openai."""
    return pytest.mark.parametrize("begin", [begin[0], *(pytest.param(each, marks=ONCE) for each in begin[1:])])


ASYNC: Final = _each(chat, responses, messages)
SYNC: Final = _each(sync_chat, sync_responses, sync_messages)
LEFT: Final = left("model")
SLOW: Final = "slow"
"""Its reply goes on for longer than a test reads."""


def told(body: Callable[[Program], Awaitable[Any]]) -> Seen:
    """After the program's end, with whatever it dropped collected."""

    async def collected(program: Program) -> None:
        await body(program)
        gc.collect()

    return watch(collected)


@ASYNC
def test_who_closes_a_stream_leaves_it(begin: Begin) -> None:
    async def body(program: Program) -> None:
        stream = await begin(program, SLOW)
        async for _ in stream:
            await stream.close()
            break
        program.kept.append(stream)

    seen = watch(body)
    assert seen.told("model", "http") == [origin(LEFT), LEFT]


@ASYNC
def test_who_leaves_a_block_leaves_the_stream(begin: Begin) -> None:
    async def body(program: Program) -> None:
        async with await begin(program, SLOW) as stream:
            program.kept.append(stream)
            async for _ in stream:
                break

    assert told(body).told("model", "http") == [origin(LEFT), LEFT]


@ASYNC
def test_who_closes_the_response_leaves_the_stream(begin: Begin) -> None:
    async def body(program: Program) -> None:
        stream = await begin(program, SLOW)
        program.kept.append(stream)
        await anext(stream)
        await stream.response.aclose()

    assert watch(body).one("model").told == origin(LEFT)


@ASYNC
def test_who_drops_a_stream_leaves_it(begin: Begin) -> None:
    async def body(program: Program) -> None:
        stream = await begin(program, SLOW)
        await anext(stream)

    assert told(body).one("model").told == origin(LEFT)


@ASYNC
def test_who_leaves_the_loop_and_does_not_come_back_leaves_the_stream(begin: Begin) -> None:
    async def body(program: Program) -> None:
        stream = await begin(program, SLOW)
        program.kept.append(stream)
        async for _ in stream:
            break
        while any(each.layer == "model" for each in autogen_streamtrace.open_streams()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    assert watch(body).one("model").told == origin(LEFT)


@ASYNC
def test_who_leaves_the_loop_may_come_back(begin: Begin) -> None:
    async def body(program: Program) -> None:
        stream = await begin(program, "ok")
        async for _ in stream:
            break
        async for _ in stream:
            pass

    assert watch(body).told("model", "http") == [done(), done()]


@ASYNC
def test_a_stream_that_is_not_read(begin: Begin) -> None:
    async def body(program: Program) -> None:
        stream = await begin(program, SLOW)
        await stream.close()

    model = watch(body).one("model").told
    assert (model.outcome, model.ended_by, model.waiting_on, model.fault) == (
        "never_started",
        "caller",
        "caller",
        False,
    )


@ASYNC
def test_a_reader_that_is_cancelled(begin: Begin) -> None:
    async def body(program: Program) -> None:
        stream = await begin(program, "stall")
        await anext(stream)
        task = asyncio.ensure_future(read(stream))
        await asked()
        task.cancel()
        await asyncio.wait([task])

    seen = watch(body)
    assert seen.told("model", "http") == [origin(cancelled(layer="model")), cancelled(layer="model")]


@ASYNC
def test_a_reader_whose_time_is_up(begin: Begin) -> None:
    async def body(program: Program) -> None:
        stream = await begin(program, "stall")
        await anext(stream)
        await asyncio.wait_for(read(stream), 0.3)

    assert watch(body).one("model").told == origin(struck(0.3, layer="model"))


@SYNC
def test_who_closes_a_synchronous_stream_leaves_it(begin: Callable[[Program, str], Any]) -> None:
    async def body(program: Program) -> None:
        def read() -> None:
            stream = begin(program, SLOW)
            program.kept.append(stream)
            for _ in stream:
                stream.close()
                break

        await asyncio.to_thread(read)

    assert watch(body).told("model", "http") == [origin(LEFT), LEFT]


@SYNC
def test_who_leaves_a_synchronous_loop_may_come_back(begin: Callable[[Program, str], Any]) -> None:
    async def body(program: Program) -> None:
        def read() -> None:
            stream = begin(program, "ok")
            for _ in stream:
                break
            assert list(stream)

        await asyncio.to_thread(read)

    assert watch(body).told("model", "http") == [done(), done()]


@ONCE
def test_who_stops_at_the_finish_reason_has_the_whole_reply() -> None:
    async def body(program: Program) -> None:
        stream = await chat(program, "usage_last")
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].finish_reason:
                await stream.close()
                break

    assert watch(body).told("model", "http") == [done(), done()]


@ONCE
def test_who_stops_at_a_finish_reason_that_means_the_limit_is_told_of_it() -> None:
    async def body(program: Program) -> None:
        stream = await chat(program, "length")
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].finish_reason:
                await stream.close()
                break

    assert watch(body).one("model")["outcome"] == "length"


@pytest.mark.parametrize(("fault", "outcome"), [("ok", "completed"), ("silent", "truncated"), ("fin", "disconnected")])
@ONCE
def test_a_program_that_reads_the_lines_itself(fault: str, outcome: str) -> None:
    async def body(program: Program) -> None:
        completions = openai_client(program, fault).chat.completions.with_streaming_response
        async with completions.create(model=MODEL_NAME, messages=MESSAGES, stream=True) as raw:
            async for _ in raw.iter_lines():
                pass

    seen = watch(body)
    assert (seen.one("model")["outcome"], seen.one("http")["outcome"]) == (outcome, outcome)
    assert seen.one("model")["chunks"] > 0


@ONCE
def test_a_stream_stays_what_it_is() -> None:
    async def body(program: Program) -> None:
        stream = await chat(program, "ok")
        assert type(stream) is openai.AsyncStream
        assert stream.response.status_code == 200
        async for _ in stream:
            pass

    assert watch(body).one("model").told == done()


@pytest.mark.parametrize(("fault", "outcome"), [("ok", "completed"), ("length", "length"), ("http_500", "rejected")])
@ONCE
def test_an_unstreamed_reply(fault: str, outcome: str) -> None:
    async def body(program: Program) -> None:
        await openai_client(program, fault).chat.completions.create(model=MODEL_NAME, messages=MESSAGES)

    model = watch(body).one("model")
    assert (model["outcome"], model["gen_ai.request.stream"]) == (outcome, None)


@ONCE
def test_an_attempt_that_a_retry_healed() -> None:
    async def body(program: Program) -> None:
        client = openai_client(program, "retry/1").with_options(max_retries=2)
        async for _ in await client.chat.completions.create(model=MODEL_NAME, messages=MESSAGES, stream=True):
            pass

    seen = watch(body)
    assert (seen.one("model").told, seen.one("model")["attempts"]) == (done(), 2)


@ONCE
def test_a_request_that_asks_no_model_is_an_exchange_alone() -> None:
    async def body(program: Program) -> None:
        await openai_client(program, "http_404").models.list()

    assert watch(body).layers == ["http"]


@pytest.mark.parametrize("fault", ["error_event", "abort"])
@ONCE
def test_who_leaves_a_response_over_its_error_is_told_of_the_error(fault: str) -> None:
    async def body(program: Program) -> None:
        stream = await responses(program, fault)
        async for event in stream:
            if event.type in ("error", "response.failed"):
                await stream.close()
                break

    model = watch(body).one("model")
    assert (model["outcome"], model["ended_by"]) == ("rejected", "upstream")


@ONCE
def test_under_a_framework_its_model_is_the_only_one() -> None:
    async def body(program: Program) -> None:
        async for _ in program.client("ok").create_stream([UserMessage(content="?", source="user")]):
            pass

    assert watch(body).layers == ["http", "model"]


@ONCE
def test_two_tasks_that_read_a_stream_in_turn_read_one_stream() -> None:
    async def body(program: Program) -> None:
        stream = await chat(program, "ok")

        async def read(count: int) -> None:
            async for _ in stream:
                count -= 1
                if not count:
                    break

        await asyncio.create_task(read(3))
        await asyncio.create_task(read(-1))

    assert watch(body).told("model", "http") == [done(), done()]


@ONCE
def test_of_two_tasks_that_read_a_stream_at_once_the_second_is_refused_as_without_us() -> None:
    async def body(program: Program) -> None:
        stream = await chat(program, "stall")
        for _ in range(HALF + 1):
            await anext(stream)
        first = asyncio.ensure_future(stream.__anext__())
        await asked()
        with pytest.raises(RuntimeError, match="already running"):
            await anext(stream)
        first.cancel()
        await asyncio.wait([first])

    assert watch(body).told("model", "http") == [origin(cancelled(layer="model")), cancelled(layer="model")]


class StopError(BaseException):
    """Not even an ``Exception``."""


@ONCE
def test_a_hook_of_the_program_may_raise_anything() -> None:
    async def hook(response: Any) -> None:
        raise StopError

    async def body(program: Program) -> None:
        client = openai_client(program, "ok")
        client._client.event_hooks = {"response": [hook]}
        with pytest.raises(StopError):
            await client.chat.completions.create(model=MODEL_NAME, messages=MESSAGES, stream=True)

    model = watch(body).one("model")
    assert (model["outcome"], model["ended_by"], model.chain[0].rpartition(".")[2]) == ("failed", "agent", "StopError")


@ONCE
def test_who_raises_anything_inside_the_loop_leaves_the_stream() -> None:
    async def body(program: Program) -> None:
        async with await chat(program, SLOW) as stream:
            with contextlib.suppress(StopError):
                async for _ in stream:
                    raise StopError

    assert told(body).told("model", "http") == [origin(LEFT), LEFT]
