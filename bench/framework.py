"""What watching Agent Framework costs: CPU per turn and per chunk, beside none and beside its own telemetry.

    python bench/framework.py [--rounds 7] [--turns 40] [--chunks 1500]

The sides take turns in one process, in an order that is shuffled each round, and the first round is thrown away. Each
figure is the median over the rounds, of the CPU of the whole process in microseconds, all threads counted, until all
is judged and sent off to exporters that discard. Ours has the official HTTP instrumentation with it.
"""

import argparse
import asyncio
import gc
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from agent_framework import Agent
from agent_framework.observability import OBSERVABILITY_SETTINGS
from agent_framework_openai import OpenAIChatCompletionClient
from openai import AsyncOpenAI
from opentelemetry import trace
from programs import Flush, model_server
from sides import Providers, bare, watched


@contextmanager
def own() -> Iterator[Flush]:
    """Agent Framework's own telemetry."""
    providers = Providers.discarding()
    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(trace, "get_tracer_provider", return_value=providers.tracers))
        patches.enter_context(
            mock.patch("opentelemetry.metrics._internal.get_meter_provider", return_value=providers.meters)
        )
        yield providers.flush
    providers.shutdown()


@contextmanager
def both() -> Iterator[Flush]:
    """Ours, with its own switched on."""
    with own() as flush, watched() as ours:
        yield lambda: (ours(), flush())


SIDES = {"bare": (bare, False), "own telemetry": (own, True), "streamtrace": (watched, False), "both": (both, True)}


async def turns(port: int, chunks: int, count: int, flush: Flush) -> float:
    """Seconds of CPU of so many turns, each of so many chunks."""
    async with AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/{chunks}/v1", api_key="x", max_retries=0) as sdk:
        agent = Agent(client=OpenAIChatCompletionClient(model="gpt-4o", async_client=sdk), name="agent")
        for number in range(count + 3):
            if number == 3:
                started = time.process_time()
            async for _ in agent.run("go", stream=True):
                pass
        await asyncio.to_thread(flush)
        return time.process_time() - started


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rounds", 7), ("turns", 40), ("chunks", 1500)):
        options.add_argument(f"--{name}", type=int, default=default)
    given = options.parse_args()
    costs: dict[tuple[str, str], list[float]] = defaultdict(list)
    with model_server() as port:
        for number in range(given.rounds + 1):
            for side in random.sample(list(SIDES), len(SIDES)):
                make, on = SIDES[side]
                OBSERVABILITY_SETTINGS.enable_instrumentation = on
                with make() as flush:
                    gc.collect()
                    short = asyncio.run(turns(port, 3, given.turns, flush)) / given.turns
                    gc.collect()
                    long = asyncio.run(turns(port, given.chunks, 2, flush)) / 2
                if number:
                    costs["turn", side].append(short * 1e6)
                    costs["chunk", side].append(long * 1e6 / given.chunks)
    for measure in ("turn", "chunk"):
        base = statistics.median(costs[measure, "bare"])
        for side in SIDES:
            added = [cost - bare for cost, bare in zip(costs[measure, side], costs[measure, "bare"], strict=True)]
            middle = statistics.median(added)
            print(f"{measure:6} {side:14} {base + middle:8.1f} µs, added {middle:7.1f}, ×{(base + middle) / base:.2f}")


if __name__ == "__main__":
    main()
