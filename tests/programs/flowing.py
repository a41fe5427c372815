"""A program with a stream that brings an item now and then, until it is killed. ``flowing.py NAME``."""

import asyncio
import sys
from collections.abc import AsyncGenerator

import autogen_streamtrace


async def words() -> AsyncGenerator[str, None]:
    while True:
        yield "word"
        await asyncio.sleep(0.3)


async def main(name: str) -> None:
    first = True
    async for _ in autogen_streamtrace.trace_stream(words(), name):
        if first:
            print("open", flush=True)
            first = False


autogen_streamtrace.instrument()
asyncio.run(main(sys.argv[1]))
