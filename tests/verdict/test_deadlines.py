"""Deadlines of the program's, told from other cancellations."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, cast

import anyio
import pytest
from autogen_core import CancellationToken
from harness import (
    AGENT_NAME,
    CANCELLED_ERROR,
    TIMEOUT_ERROR,
    TOOL_NAME,
    Program,
    asked,
    cancelled,
    interrupted,
    origin,
    read,
    struck,
    tool,
    watch,
)
from harness.program import STALLED

SOON: Final = 0.6
"""Seconds that are given to what does not end by itself."""
LATER: Final = 30.0
"""Seconds, in which nothing strikes."""
TURN: Final = ("agent", "model", "http")

timeout: Any = getattr(asyncio, "timeout", None)
since_3_11 = pytest.mark.skipif(
    timeout is None, reason="asyncio.timeout, and a cancellation's message, came with Python 3.11"
)


async def stalled(program: Program) -> AsyncIterator[object]:
    """A turn that has begun and has no more to give: no deadline strikes while it is still being set up."""
    stream = program.turn("stall")
    for _ in range(STALLED):
        await anext(stream)
    return stream


async def around_all(program: Program) -> None:
    await asyncio.wait_for(read(await stalled(program)), SOON)


async def around_each_item(program: Program) -> None:
    stream = cast(Any, await stalled(program))
    while True:
        await asyncio.wait_for(stream.__anext__(), SOON)


async def in_a_block(program: Program) -> None:
    stream = await stalled(program)
    async with timeout(SOON):
        await read(stream)


async def in_a_block_that_begins_late(program: Program) -> None:
    stream = await stalled(program)
    deadline = timeout(SOON)
    time.sleep(SOON / 4)  # noqa: ASYNC251 - a busy machine's pause
    async with deadline:
        await read(stream)


async def at_a_time(program: Program) -> None:
    stream = await stalled(program)
    async with cast(Any, asyncio).timeout_at(asyncio.get_running_loop().time() + SOON):
        await read(stream)


async def around_a_task(program: Program) -> None:
    await asyncio.wait_for(asyncio.ensure_future(read(await stalled(program))), SOON)


async def around_tasks_that_are_gathered(program: Program) -> None:
    stream = await stalled(program)

    async def gathers() -> None:
        await asyncio.gather(read(stream), asyncio.sleep(LATER))

    await asyncio.wait_for(gathers(), SOON)


async def around_a_group(program: Program) -> None:
    stream = await stalled(program)
    async with timeout(SOON), cast(Any, asyncio).TaskGroup() as group:
        group.create_task(read(stream))


async def around_a_group_that_works(program: Program) -> None:
    stream = await stalled(program)
    async with timeout(SOON), cast(Any, asyncio).TaskGroup() as group:
        group.create_task(read(stream))
        await asyncio.sleep(LATER)


async def moved(program: Program) -> None:
    stream = await stalled(program)
    async with timeout(LATER) as deadline:
        deadline.reschedule(asyncio.get_running_loop().time() + SOON)
        await read(stream)


@pytest.mark.parametrize(
    "body",
    [
        around_all,
        around_each_item,
        around_a_task,
        around_tasks_that_are_gathered,
        *(pytest.param(b, marks=since_3_11) for b in (in_a_block, in_a_block_that_begins_late, at_a_time, moved)),
        *(pytest.param(b, marks=since_3_11) for b in (around_a_group, around_a_group_that_works)),
    ],
)
def test_a_deadline_around_the_reader_is_named_with_its_seconds(body: Callable[[Program], Awaitable[object]]) -> None:
    seen = watch(body)
    assert seen.raised == TIMEOUT_ERROR
    assert seen.told(*TURN) == [origin(struck(SOON)), struck(SOON), struck(SOON)]


@since_3_11
def test_a_deadline_of_anyios_is_told() -> None:
    async def body(program: Program) -> None:
        stream = await stalled(program)
        with anyio.fail_after(SOON):
            await read(stream)

    told = watch(body).one("agent").told
    assert (told.outcome, told.cancelled_by, told.fault) == ("cancelled", "deadline", True)


def test_a_scope_of_anyios_that_is_cancelled_is_no_deadline() -> None:
    async def body(program: Program) -> None:
        with anyio.CancelScope() as scope:
            await interrupted(program.turn("stall"), lambda task: scope.cancel())

    assert watch(body).one("agent")["cancelled_by"] == "task"


@since_3_11
def test_a_task_that_fails_in_a_group_under_a_deadline_cancels_the_others_without_it() -> None:
    async def body(program: Program) -> None:
        stream = await stalled(program)

        async def fails() -> None:
            await asked()
            raise ValueError

        async with timeout(LATER), cast(Any, asyncio).TaskGroup() as group:
            group.create_task(read(stream))
            group.create_task(fails())

    assert watch(body).told(*TURN) == [origin(cancelled()), cancelled(), cancelled()]


@since_3_11
def test_the_nearest_of_two_deadlines_is_the_one_that_struck() -> None:
    async def body(program: Program) -> None:
        stream = await stalled(program)
        async with timeout(LATER), timeout(SOON):
            await read(stream)

    assert watch(body).one("agent").told == origin(struck(SOON))


@since_3_11
def test_a_cancellation_under_a_deadline_that_has_not_struck_is_the_tasks() -> None:
    async def body(program: Program) -> None:
        async with timeout(LATER):
            await interrupted(program.turn("stall"), lambda task: task.cancel())

    assert watch(body).told(*TURN) == [origin(cancelled()), cancelled(), cancelled()]


def test_a_wait_that_is_cancelled_before_its_time_is_no_deadline() -> None:
    async def body(program: Program) -> None:
        stream = await stalled(program)

        async def waits() -> None:
            await asyncio.wait_for(read(stream), LATER)

        task = asyncio.ensure_future(waits())
        await asked()
        task.cancel()
        await task

    seen = watch(body)
    assert seen.raised == CANCELLED_ERROR
    assert seen.told(*TURN) == [origin(cancelled()), cancelled(), cancelled()]


@since_3_11
def test_a_deadline_that_was_survived_does_not_explain_a_later_cancellation() -> None:
    async def body(program: Program) -> None:
        try:
            async with timeout(0.01) as kept:
                program.kept.append(kept)
                await asyncio.sleep(LATER)
        except TimeoutError:
            pass
        stream = await stalled(program)
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(0.1, task.cancel)
        await read(stream)

    assert watch(body).told(*TURN) == [origin(cancelled()), cancelled(), cancelled()]


@since_3_11
def test_a_deadline_while_a_tool_hangs() -> None:
    async def body(program: Program) -> None:
        async with timeout(LATER) as deadline:

            async def hangs() -> str:
                deadline.reschedule(asyncio.get_running_loop().time() + SOON)
                await asyncio.sleep(LATER)
                return ""

            await read(program.turn("tool_call", tools=[tool(hangs)]))

    seen = watch(body)
    told = struck(SOON, "tool", TOOL_NAME)
    assert seen.told("agent", "tool") == [origin(told), told]


def test_a_token_that_a_deadline_does_not_touch_is_still_the_tokens() -> None:
    async def body(program: Program) -> None:
        token = CancellationToken()
        stream = interrupted(program.turn("stall", token), lambda _: token.cancel())
        await asyncio.wait_for(stream, LATER)

    assert watch(body).one("agent", AGENT_NAME).told == origin(cancelled(by="token"))
