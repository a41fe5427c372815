"""`steady.py`: reads stream after stream until its standard input is closed.

Prints how many it read, and the longest hold-up in seconds.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator

import autogen_streamtrace

PAUSE = 0.01
"""Seconds between two items."""

autogen_streamtrace.instrument()


async def words() -> AsyncGenerator[str, None]:
    for word in ("one", "two", "three"):
        await asyncio.sleep(PAUSE)
        yield word


async def main() -> None:
    streams, longest = 0, 0.0
    closed = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    while not closed.done():
        began = time.monotonic()
        async for _ in autogen_streamtrace.trace_stream(words(), "steady"):
            longest = max(longest, time.monotonic() - began - PAUSE)
            began = time.monotonic()
        streams += 1
    print(json.dumps({"streams": streams, "longest": longest}), flush=True)


asyncio.run(main())
