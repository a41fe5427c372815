"""Tools that speak HTTP themselves, wherever they do so: a timeout of theirs is one, with its limit."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from importlib import import_module
from typing import Any, Final, cast

import pytest
from autogen_core.tools import FunctionTool
from harness import (
    HTTPX,
    READ_TIMEOUT,
    TASK,
    TOOL_NAME,
    Program,
    Seen,
    disconnected,
    done,
    origin,
    read,
    timed_out,
    watch,
)
from harness.scripted import asks, speaker

CLIENT: Final[Any] = import_module(HTTPX)
BODY: Final = {"stream": True}


def url(program: Program, fault: str) -> str:
    return f"{program.server.url(fault)}/chat/completions"


def read_sync(url: str) -> str:
    """Streams a body in the calling thread."""
    with CLIENT.Client(verify=False, timeout=READ_TIMEOUT) as client, client.stream("POST", url, json=BODY) as response:
        return str(sum(map(len, response.iter_bytes())))


async def read_async(url: str) -> str:
    async with (
        CLIENT.AsyncClient(verify=False, timeout=READ_TIMEOUT) as client,
        client.stream("POST", url, json=BODY) as response,
    ):
        return str(sum([len(part) async for part in response.aiter_bytes()]))


async def read_in_loop(url: str) -> str:
    """Blocks the event loop meanwhile."""
    return read_sync(url)


async def read_in_copied_context(url: str) -> str:
    return await asyncio.to_thread(read_sync, url)


async def read_in_raw_thread(url: str) -> str:
    result: Future[str] = Future()

    def work() -> None:
        try:
            result.set_result(read_sync(url))
        except Exception as error:
            result.set_exception(error)

    threading.Thread(target=work).start()
    return await asyncio.wrap_future(result)


Reads = Callable[[str], "Awaitable[str] | str"]
INSIDE: Final[tuple[Reads, ...]] = (read_async, read_in_loop, read_in_copied_context)
"""The exchange knows its tool."""
OUTSIDE: Final[tuple[Reads, ...]] = (read_in_raw_thread, read_sync)
"""A thread without the tool's context: AutoGen runs a plain function in one."""


def reading(reads: Reads, fault: str) -> Seen:
    """A turn with a tool that reads this."""

    async def body(program: Program) -> None:
        where = url(program, fault)

        async def awaited() -> str:
            return str(await cast(Any, reads(where)))

        def plain() -> str:
            return read_sync(where)

        tools = [FunctionTool(plain if reads is read_sync else awaited, "Fetches a claim.", name=TOOL_NAME)]
        await read(speaker("clerk", asks((TOOL_NAME, {})), tools=tools).run_stream(task=TASK))

    return watch(body)


@pytest.mark.parametrize("reads", [*INSIDE, *OUTSIDE])
def test_a_read_timeout_is_the_tools_with_its_limit(reads: Reads) -> None:
    seen = reading(reads, "stall")
    assert seen.one("tool").told == timed_out()
    assert seen.one("http").told == origin(timed_out())
    assert seen.one("agent").told.outcome == "completed"


@pytest.mark.parametrize("reads", [*INSIDE, *OUTSIDE])
def test_a_lost_connection_is_the_tools(reads: Reads) -> None:
    seen = reading(reads, "fin")
    told = disconnected(f"{HTTPX}.RemoteProtocolError")
    assert seen.one("tool").told == told
    assert seen.one("http").told == origin(told)


@pytest.mark.parametrize("reads", [*INSIDE, *OUTSIDE])
def test_a_body_that_is_whole(reads: Reads) -> None:
    seen = reading(reads, "ok")
    assert seen.told("tool", "http") == [done("tool"), done()]


@pytest.mark.parametrize("reads", INSIDE)
def test_the_exchange_is_the_tools_child(reads: Reads) -> None:
    seen = reading(reads, "ok")
    assert [outer.layer for outer in seen.above(seen.one("http"))] == ["tool", "agent"]


@pytest.mark.parametrize("reads", OUTSIDE)
def test_in_a_thread_without_its_context_the_exchange_has_a_trace_of_its_own(reads: Reads) -> None:
    seen = reading(reads, "ok")
    assert seen.above(seen.one("http")) == []
