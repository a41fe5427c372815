"""A program with one stream open: it says so, and cuts the stream when it is told to. ``held.py NAME``."""

import asyncio
import sys
from collections.abc import AsyncGenerator

import autogen_streamtrace


async def words() -> AsyncGenerator[str, None]:
    yield "one"
    yield "two"
    await asyncio.sleep(3600)


async def read(name: str) -> None:
    async for word in autogen_streamtrace.trace_stream(words(), name):
        if word == "two":
            print("open", flush=True)


async def main(name: str) -> None:
    reading = asyncio.ensure_future(read(name))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    reading.cancel()
    await asyncio.wait([reading])
    print("cut", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


autogen_streamtrace.instrument()
asyncio.run(main(sys.argv[1]))
