"""Streams whose reader leaves or is cancelled."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from autogen_agentchat.messages import ModelClientStreamingChunkEvent
from autogen_core import CancellationToken

from autogen_streamtrace.commands.chaos.model.manners import SLOW_PAUSE
from autogen_streamtrace.commands.demo.scenarios.expectation import CANCELLED, IN_TIME, LEFT, TURN, Says, Scenario, each
from autogen_streamtrace.commands.demo.scenarios.program import TASK, Program, read, read_some, start_reading
from autogen_streamtrace.core import semconv

DEADLINE: Final = 2.7 * SLOW_PAUSE
"""Seconds; strikes between two words."""


class ReaderError(Exception):
    """The reader's own code fails."""


def slow_turn(program: Program, token: CancellationToken | None = None) -> AsyncIterator[object]:
    return program.agent(program.server.url("slow")).run_stream(task=TASK, cancellation_token=token)


async def leave(program: Program) -> None:
    await read_some(slow_turn(program))


async def aclose(program: Program) -> None:
    agent = program.agent(program.server.url("slow"))
    stream = agent.run_stream(task=TASK)
    await read_some(stream)
    await stream.aclose()


async def dropped(program: Program) -> None:
    stream = slow_turn(program)
    for _ in range(4):
        await stream.__anext__()
    del stream


async def loop_closed(program: Program) -> None:
    kept = []

    async def open_only() -> None:
        stream = slow_turn(Program(program.server))
        await read_some(stream)
        kept.append(stream)

    await asyncio.to_thread(asyncio.run, open_only())
    kept.clear()


async def reader_raises(program: Program) -> None:
    async for item in slow_turn(program):
        if isinstance(item, ModelClientStreamingChunkEvent):
            raise ReaderError


async def never_read(program: Program) -> None:
    slow_turn(program)


async def wait_for(program: Program) -> None:
    stream = slow_turn(program)
    await read_some(stream)
    await asyncio.wait_for(read(stream), DEADLINE)


async def task_cancel(program: Program) -> None:
    task = await start_reading(slow_turn(program))
    task.cancel()
    await task


async def token_cancel(program: Program) -> None:
    token = CancellationToken()
    task = await start_reading(slow_turn(program, token))
    token.cancel()
    await task


def everywhere(says: Says) -> tuple[Says, ...]:
    """The reader's ending, which arose outermost."""
    return each(TURN, says, semconv.AGENT)


UNREAD: Final = Says(semconv.AGENT, semconv.NEVER_STARTED, semconv.CALLER, semconv.CALLER, origin=True)
BY_TOKEN: Final = replace(CANCELLED, cancelled_by=semconv.BY_TOKEN)
IS_CANCELLED: Final = r"asyncio\.exceptions\.CancelledError"
IS_TIMEOUT: Final = r"(asyncio\.exceptions\.)?TimeoutError"

SCENARIOS = [
    Scenario("break", "the reader breaks out of its loop", leave, everywhere(LEFT)),
    Scenario("aclose", "the reader calls aclose()", aclose, everywhere(LEFT)),
    Scenario("dropped", "the reader drops the stream", dropped, everywhere(LEFT)),
    Scenario("loop_closed", "the event loop is closed with the stream open", loop_closed, everywhere(LEFT)),
    Scenario("reader_raises", "the reader's own code raises", reader_raises, everywhere(LEFT), r".*\.ReaderError"),
    Scenario("never_read", "the stream is created and never read", never_read, (UNREAD,)),
    Scenario("wait_for", "asyncio.wait_for around the reader strikes", wait_for, everywhere(IN_TIME), IS_TIMEOUT),
    Scenario("task_cancel", "the reader's task is cancelled", task_cancel, everywhere(CANCELLED), IS_CANCELLED),
    Scenario("token_cancel", "the CancellationToken is cancelled", token_cancel, everywhere(BY_TOKEN), IS_CANCELLED),
]

if sys.version_info >= (3, 11):

    async def timeout(program: Program) -> None:
        stream = slow_turn(program)
        await read_some(stream)
        async with asyncio.timeout(DEADLINE):
            await read(stream)

    SCENARIOS.append(
        Scenario("timeout", "asyncio.timeout around the reader strikes", timeout, everywhere(IN_TIME), IS_TIMEOUT)
    )
