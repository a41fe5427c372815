"""`fleet.py WORKERS`: short-lived workers with one cut stream each, forked from one parent as a web server does."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator

import autogen_streamtrace


async def words() -> AsyncGenerator[str, None]:
    yield "one"
    raise ConnectionResetError


async def cut() -> None:
    try:
        async for _ in autogen_streamtrace.trace_stream(words(), "fleet"):
            pass
    except ConnectionResetError:
        return


def work() -> None:
    autogen_streamtrace.instrument()
    asyncio.run(cut())


workers = []
for _ in range(int(sys.argv[1])):
    pid = os.fork()
    if not pid:
        work()
        sys.exit()  # as a program ends: what the SDK holds goes out
    workers.append(pid)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers))
