"""What the server layer costs: microseconds of CPU per request and per piece sent, bare and instrumented in turn.

    python bench/server.py [--rounds 40]

A Starlette application is called as a server calls it, without a socket: a small response in which no stream of ours
starts, and a long event stream.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from sides import watched
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

REQUESTS = 300
PIECES = 3_000


async def quiet(request: Any) -> Response:
    """No stream."""
    return PlainTextResponse("quiet")


async def events(request: Any) -> Response:
    """An event stream of many pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(PIECES):
            yield b"data: word\n\n"

    return StreamingResponse(pieces(), media_type="text/event-stream")


app = Starlette(routes=[Route("/quiet", quiet), Route("/events", events)])


async def ask(path: str) -> None:
    """One request."""
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await asyncio.get_running_loop().create_future()
        asked = True
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        pass

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "root_path": "", "headers": []}
    await app({**scope, "query_string": b"", "asgi": {"spec_version": "2.3"}}, receive, send)


def cost(path: str, calls: int) -> float:
    """Microseconds of CPU for one call."""

    async def main() -> float:
        started = time.process_time()
        for _ in range(calls):
            await ask(path)
        return (time.process_time() - started) / calls * 1e6

    return asyncio.run(main())


def measure(path: str, calls: int, per: int, rounds: int) -> tuple[float, float, float]:
    """Bare, added, and bare against bare, of the 25th percentiles."""

    def instrumented() -> float:
        with watched():
            return cost(path, calls)

    def quarter(of: Callable[[], float]) -> float:
        return statistics.quantiles([of() / per for _ in range(rounds)], n=4)[0]

    bare = quarter(lambda: cost(path, calls))
    added = quarter(instrumented) - bare
    return bare, added, quarter(lambda: cost(path, calls)) - bare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    for name, path, calls, per in (("request", "/quiet", REQUESTS, 1), ("piece", "/events", 1, PIECES)):
        bare, added, control = measure(path, calls, per, rounds)
        print(f"base {bare:7.2f} us a {name}, added {added:+6.2f}, bare against bare {control:+.2f}")


if __name__ == "__main__":
    main()
