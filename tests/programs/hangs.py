"""A process with open streams that is to be killed. ``hangs.py [STREAMS] [WHAT]`` prints a line once they are open."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator

import autogen_streamtrace


async def words(end: asyncio.Event) -> AsyncGenerator[str, None]:
    yield "one"
    yield "two"
    await end.wait()


async def hold(name: str, opened: asyncio.Event) -> None:
    count = 0
    async for _ in autogen_streamtrace.trace_stream(words(asyncio.Event()), name):
        count += 1
        if count == 2:
            opened.set()


async def main(streams: int) -> None:
    for _ in range(3):  # end by themselves before
        end = asyncio.Event()
        end.set()
        async for _ in autogen_streamtrace.trace_stream(words(end), "ended"):
            pass
    opened = [asyncio.Event() for _ in range(streams)]
    tasks = [asyncio.ensure_future(hold("open", each)) for each in opened]
    for each in opened:
        await each.wait()
    print(os.getpid(), flush=True)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    autogen_streamtrace.instrument()
    asyncio.run(main(int(sys.argv[1])))
