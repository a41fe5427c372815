"""How much later an event arrives through the chaos proxy than direct, and what the proxy spends on it.

200 streams at once, 100 events a second each; upstream, proxy and client are processes of their own, the proxy on one
core. Each event carries the time at which it was sent. Direct and proxied runs take turns.

    python bench/chaos.py [--streams 200] [--rate 100] [--seconds 5] [--rounds 3]
"""

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

PAD = b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"word "}}],"at":'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ASK = b"POST /v1/chat/completions HTTP/1.1\r\nhost: model\r\ncontent-length: 2\r\n\r\n{}"
TICK = 0.0005
"""Seconds between two turns of the upstream: the streams are spread over them."""


class Upstream(asyncio.Protocol):
    """Answers each connection with a stream of events."""

    streams: list[asyncio.Transport] = []  # noqa: RUF012

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(HEAD)
        self.streams.append(self.transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport in self.streams:
            self.streams.remove(self.transport)


async def upstream(rate: float) -> None:
    """Sends to every stream in turn."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    sent, began, at = 0, loop.time(), 0
    while True:
        await asyncio.sleep(TICK)
        streams = Upstream.streams
        if not streams:
            sent, began = 0, loop.time()
            continue
        due = int((loop.time() - began) * rate * len(streams))
        for _ in range(min(due - sent, len(streams))):
            at = (at + 1) % len(streams)
            event = PAD + b"%d}\n\n" % time.monotonic_ns()
            if not streams[at].is_closing():
                streams[at].write(b"%x\r\n%b\r\n" % (len(event), event))
        sent = due


async def proxy(port: int) -> None:
    """The proxy, without a fault."""
    from autogen_streamtrace.commands.chaos.server import listen
    from autogen_streamtrace.commands.chaos.service import Service
    from autogen_streamtrace.commands.chaos.wire.upstream import Upstream as Endpoint

    service = Service(upstream=Endpoint.of(f"http://127.0.0.1:{port}"))
    listener = await listen(service, "127.0.0.1", 0)
    print(listener.port, flush=True)
    while True:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(used.ru_utime + used.ru_stime, flush=True)


class Client(asyncio.Protocol):
    """Notes how long each event was on its way."""

    late: list[int] = []  # noqa: RUF012

    def connection_made(self, transport: Any) -> None:
        transport.write(ASK)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        for part in data.split(b'"at":')[1:]:
            self.late.append(now - int(part[: part.index(b"}")]))


async def client(port: int, streams: int, seconds: float) -> list[int]:
    """Reads so many streams for so long; the first second is not counted."""
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(Client, "127.0.0.1", port) for _ in range(streams)]
    await asyncio.sleep(1)
    Client.late = late = []
    await asyncio.sleep(seconds)
    for transport, _ in opened:
        transport.abort()
    await asyncio.sleep(0.2)
    return late


def started(*arguments: str) -> "tuple[subprocess.Popen[str], int]":
    process = subprocess.Popen(
        [sys.executable, __file__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def cpu(process: "subprocess.Popen[str]") -> float:
    """Seconds of CPU that the proxy has used."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def percentiles(late: list[int]) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds."""
    cuts = statistics.quantiles(late, n=100)
    return cuts[49] / 1e6, cuts[98] / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    model, port = started("upstream", str(told.rate))
    between, through = started("proxy", str(port))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(between.pid, {max(os.sched_getaffinity(0))})
    print(
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {told.streams} streams, {told.rate:g} events/s each"
    )
    try:
        for _ in range(told.rounds):
            direct = percentiles(asyncio.run(client(port, told.streams, told.seconds)))
            before = cpu(between)
            late = asyncio.run(client(through, told.streams, told.seconds))
            spent = (cpu(between) - before) / (len(late) * (told.seconds + 1) / told.seconds)
            proxied = percentiles(late)
            added = [later - sooner for later, sooner in zip(proxied, direct, strict=True)]
            print(
                f"median {added[0]:+.2f} ms (direct {direct[0]:.2f}), p99 {added[1]:+.2f} ms (direct {direct[1]:.2f}),"
                f" {spent * 1e6:.1f} us of CPU an event, {len(late) / told.seconds:.0f} events/s"
            )
    finally:
        model.kill()
        between.kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["upstream"]:
        asyncio.run(upstream(float(sys.argv[2])))
    elif sys.argv[1:2] == ["proxy"]:
        asyncio.run(proxy(int(sys.argv[2])))
    else:
        main()
