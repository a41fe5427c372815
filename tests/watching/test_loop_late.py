"""How late the event loop was while a stream was open: then a silence is an interval."""

import asyncio
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import pytest
from harness import HTTPX, NEVER, Program, Stream, watch
from harness.raw_server import raw_server

from autogen_streamtrace.core.watching.lateness import TOLD, Lateness

CLIENT: Final[Any] = import_module(HTTPX)
BEGUN: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok"
BLOCKED: Final = 2.0
TICK: Final = 0.01
"""Seconds."""


def asleep() -> None:
    """Other threads run."""
    time.sleep(BLOCKED)


def holding_the_interpreter() -> None:
    """Nothing else in this process runs."""
    sum(range(60_000_000))


async def ticks(worst: list[float]) -> None:
    """Measures on the event loop itself how late it is."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(TICK)
        worst[0] = max(worst[0], time.perf_counter() - began - TICK)


def meanwhile(work: Callable[[], object], worst: list[float]) -> tuple[Stream, float]:
    """A body that is cut; while it is read, this is done on its event loop. For how long, too."""
    took = 0.0
    with raw_server((BEGUN + b"ok", "keep"), (BEGUN, "fin")) as url:

        async def body(program: Program) -> None:
            nonlocal took
            ticking = asyncio.create_task(ticks(worst))
            async with CLIENT.AsyncClient(timeout=NEVER) as client:
                await client.get(url)  # the first one imports on the event loop
                await asyncio.sleep(3 * TICK)
                worst[0] = 0.0
                async with client.stream("GET", url) as response:
                    async for _ in response.aiter_raw():
                        began = time.perf_counter()
                        work()
                        took = time.perf_counter() - began
            ticking.cancel()

        return watch(body).of("http")[-1], took


@pytest.mark.parametrize("work", [asleep, holding_the_interpreter])
def test_it_is_told_how_long_the_event_loop_did_not_run(work: Callable[[], object]) -> None:
    worst = [0.0]
    stream, took = meanwhile(work, worst)
    assert worst[0] > TOLD
    assert took / 2 < stream["loop_late"] < worst[0] + 0.2, "on a loaded machine its beginning is noticed late"


def test_of_an_event_loop_that_runs_nothing_is_told() -> None:
    worst = [0.0]
    stream, _ = meanwhile(lambda: None, worst)
    late = stream["loop_late"]
    assert late is None or late < worst[0] + 0.2, "a loaded machine lets nothing run at times"


def test_a_period_counts_as_far_as_it_lies_in_the_stream_s_time() -> None:
    lateness = Lateness()
    lateness.note(10.0, 14.0, loop=1)
    lateness.note(20.0, 21.0)
    assert lateness.longest(1, 0.0, 30.0) == 4.0
    assert lateness.longest(1, 13.0, 30.0) == 1.0
    assert lateness.longest(1, 14.5, 19.0) < TOLD
    assert lateness.longest(2, 0.0, 30.0) == 1.0, "the whole process could not run"


def test_what_is_kept_is_bounded() -> None:
    lateness = Lateness()
    for loop in range(1, 10_000):
        lateness.note(0.0, 1.0, loop)
        lateness.note(0.0, 1.0, 1)
    assert len(lateness._periods) <= 64
    assert max(map(len, lateness._periods.values())) <= 64
