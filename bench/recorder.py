"""What the watcher and the flight recorder cost, and what a ``kill -9`` loses.

    python bench/recorder.py [--rounds 6] [--only chunk|stream|watcher|lost]

chunk: CPU per chunk of an agent's turn with both on and with both off, in turn in one process. stream: CPU that both
add to a stream from its start to its end. watcher: its share of a core with 10,000 streams open. lost: seconds of
progress that are missing from the file of a process that was killed.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gauge import Gauge
from programs import agent_chunks, model_server
from sides import watched

import autogen_streamtrace
from autogen_streamtrace.core.watching.watcher import Watcher
from autogen_streamtrace.recorder import directory, orphans

OPEN = 10_000
STREAMS = 2_000
SECONDS = 10.0
VICTIM = Path(__file__).parent.parent / "tests" / "programs" / "victim.py"


@contextmanager
def off() -> Iterator[None]:
    """Neither watcher nor recorder."""
    start = Watcher.start
    Watcher.start = lambda self: None  # type: ignore[method-assign]
    os.environ["AUTOGEN_STREAMTRACE_RECORDER"] = "false"
    try:
        with watched():
            yield
    finally:
        Watcher.start = start  # type: ignore[method-assign]
        del os.environ["AUTOGEN_STREAMTRACE_RECORDER"]


@contextmanager
def on() -> Iterator[None]:
    with watched():
        yield


def in_turn(what: Callable[[], list[float]], rounds: int) -> tuple[float, float, float]:
    """Lower quartiles: off, on, and off once more as the control."""
    values: dict[str, list[float]] = {"off": [], "on": [], "control": []}
    for turn in range(rounds):
        for side in ("off", "on", "control") if turn % 2 else ("control", "on", "off"):
            with on() if side == "on" else off():
                values[side] += what()
            gc.collect()
    quarter = {side: statistics.quantiles(some, n=4)[0] for side, some in values.items()}
    return quarter["off"], quarter["on"], quarter["control"]


def per_chunk(rounds: int) -> None:
    with model_server() as port:
        gauge = Gauge()
        found = in_turn(lambda: asyncio.run(agent_chunks(port, lambda: None, gauge))["chunk"], rounds)
    without, with_both, control = (each * gauge.quiet * 1e6 for each in found)
    base = (without + control) / 2
    print(f"chunk    {base:.2f} us without, {with_both - base:+.2f} us with both, again off {control - without:+.2f}")


async def words() -> AsyncGenerator[str, None]:
    yield "word"


async def endless() -> AsyncGenerator[str, None]:
    yield "word"
    await asyncio.Event().wait()


def per_stream(rounds: int) -> None:
    """On the event loop alone: its thread's CPU."""

    def streams() -> list[float]:
        async def read() -> list[float]:
            costs = []
            for _ in range(STREAMS // 100):
                before = time.thread_time()
                for _ in range(100):
                    async for _ in autogen_streamtrace.trace_stream(words(), "short"):
                        pass
                costs.append((time.thread_time() - before) * 1e4)
                await asyncio.sleep(0.2)  # the judge is done with them: who waits for the interpreter is measured not
            return costs

        return asyncio.run(read())

    without, with_both, control = in_turn(streams, rounds)
    base = (without + control) / 2
    print(f"stream   {base:.1f} us without, {with_both - base:+.1f} us with both, again off {control - without:+.1f}")


def watcher_share() -> None:
    """Streams that all move between two looks: the dearest case."""

    async def hold() -> None:
        held: list[Any] = [autogen_streamtrace.trace_stream(endless(), "held") for _ in range(OPEN)]
        for each in held:
            await each.__anext__()
        watch = autogen_streamtrace.Instrumentor().watch
        assert watch is not None
        watch.tracker.drain()
        (thread,) = [each for each in threading.enumerate() if each.name == "autogen-streamtrace-watcher"]
        assert thread.ident is not None
        clock = time.pthread_getcpuclockid(thread.ident)
        for name in ("still", "moving"):
            stop = asyncio.Event()
            mover = asyncio.ensure_future(_move(watch.tracker, stop)) if name == "moving" else None
            await asyncio.sleep(1)
            before = time.clock_gettime(clock)
            await asyncio.sleep(SECONDS)
            share = (time.clock_gettime(clock) - before) / SECONDS
            stop.set()
            if mover is not None:
                await mover
            print(f"watcher  {share:.2%} of a core with {OPEN} streams open, {name}")
        for each in held:
            with contextlib.suppress(RuntimeError):
                await each.aclose()

    with on():
        asyncio.run(hold())


async def _move(tracker: Any, stop: asyncio.Event) -> None:
    while not stop.is_set():
        for index, case in enumerate(tracker.judge.attribution.open):
            case.state.last = time.perf_counter()
            case.state.chunks += 1
            if index % 500 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0.05)


def lost(what: str, rounds: int) -> None:
    """Kills a process that prints how far it is, and compares that with its file."""
    seconds = []
    for turn in range(rounds):
        with tempfile.TemporaryDirectory() as state:
            exporters = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
            process = subprocess.Popen(
                [sys.executable, str(VICTIM), what],
                env={**os.environ, **exporters, "XDG_STATE_HOME": state, "PYTHONPATH": str(VICTIM.parent.parent)},
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            seen: list[tuple[float, int]] = []
            end = 0.0
            while not end or time.monotonic() < end:
                seen.append((time.monotonic(), int(process.stdout.readline())))
                end = end or time.monotonic() + 2 + turn * 0.037
            process.kill()
            rest = process.stdout.read().splitlines()
            process.wait()
            final = int(rest[-1]) if rest and rest[-1].isdigit() else seen[-1][1]
            os.environ["XDG_STATE_HOME"] = state
            (path,) = directory.found()
            (row,) = [row for row in orphans.read(path).rows if row.ending is None]
            rate = (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])
            seconds.append((final - row.state.chunks) / rate)
            del os.environ["XDG_STATE_HOME"]
    print(f"lost     {what}: {statistics.median(seconds):.3f} s of progress in the median, {max(seconds):.3f} at most")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=6)
    arguments.add_argument("--only", choices=["chunk", "stream", "watcher", "lost"])
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as state:
        os.environ["XDG_STATE_HOME"] = state
        if chosen.only in (None, "chunk"):
            per_chunk(chosen.rounds)
        if chosen.only in (None, "stream"):
            per_stream(chosen.rounds)
        if chosen.only in (None, "watcher"):
            watcher_share()
    if chosen.only in (None, "lost"):
        for what in ("flows", "saturated"):
            lost(what, 2 * chosen.rounds)


if __name__ == "__main__":
    main()
