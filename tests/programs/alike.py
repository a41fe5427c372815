"""A program run bare and watched, which must see the same."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from autogen_streamtrace import trace_stream

Wrap = Callable[[Any], Any]
Program = Callable[[Wrap], Awaitable[Any]]
SPAN = "stream s"


def traced(stream: Any) -> Any:
    """Watched under the name ``s``."""
    return trace_stream(stream, "s")


def alike(program: Program) -> Any:
    """What the program sees, which is the same bare and watched."""
    bare = asyncio.run(_awaited(program(lambda stream: stream)))
    watched = asyncio.run(_awaited(program(traced)))
    assert watched == bare
    return bare


async def _awaited(step: Awaitable[Any]) -> Any:
    return await step


async def outcome(step: Awaitable[Any]) -> Any:
    """An item, or the exception in words."""
    try:
        return await step
    except BaseException as error:
        return type(error), error.args


async def read(stream: Any) -> list[Any]:
    """All items of a stream."""
    return [item async for item in stream]


async def three() -> AsyncGenerator[Any, Any]:
    """A stream of three items."""
    for number in range(3):
        yield number
