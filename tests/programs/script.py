"""A plain script. ``script.py HOW`` reads a stream of its own to its end, or ends in the middle of it, or forks."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncGenerator

from opentelemetry import trace

import autogen_streamtrace

autogen_streamtrace.instrument()


async def words() -> AsyncGenerator[str, None]:
    yield "one"
    yield "two"


async def read(name: str) -> None:
    async for _ in autogen_streamtrace.trace_stream(words(), name):
        pass


def ends() -> None:
    asyncio.run(read("ended"))


def says_when() -> None:
    """And prints when it was done, in seconds of the machine's monotonic clock."""
    ends()
    print(time.monotonic(), flush=True)


def exits() -> None:
    """In mid-stream, with an exit status."""

    async def main() -> None:
        async for _ in autogen_streamtrace.trace_stream(words(), "exited"):
            sys.exit(3)

    asyncio.run(main())


def leaves_open() -> None:
    """The interpreter ends while a loop in another thread holds a stream."""
    opened = threading.Event()

    async def main() -> None:
        async for _ in autogen_streamtrace.trace_stream(words(), "open"):
            opened.set()
            await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
    opened.wait()


def forks(*, after_flush: bool = False) -> None:
    """One stream before the fork, one open over it, one in the child, one in the parent after it."""
    asyncio.run(read("before"))
    over = autogen_streamtrace.trace_stream(words(), "over")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(over.__anext__())  # type: ignore[attr-defined]
    if after_flush:
        trace.get_tracer_provider().force_flush()  # type: ignore[attr-defined]
    child = os.fork()
    if child == 0:
        loop.close()
        asyncio.run(read("child"))
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    asyncio.run(read("parent"))

    async def rest() -> None:
        async for _ in over:
            pass

    loop.run_until_complete(rest())
    loop.close()


def forks_after_flush() -> None:
    """The same where all that came before the fork has been judged, counted and sent."""
    forks(after_flush=True)


def forks_inside() -> None:
    """A fork in the middle of a stream, inside the event loop; both go on and end by themselves."""

    async def main() -> None:
        async for word in autogen_streamtrace.trace_stream(words(), "forked"):
            if word == "one":
                child = os.fork()
                if child == 0:
                    os._exit(0)
                assert (await asyncio.to_thread(os.waitpid, child, 0))[1] == 0

    asyncio.run(main())


if __name__ == "__main__":
    globals()[sys.argv[1]]()
