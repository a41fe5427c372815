"""The programs that the benches run, and the two servers that they talk to, each in a process of its own."""

import asyncio
import itertools
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken
from autogen_ext.models.openai import OpenAIChatCompletionClient
from gauge import Gauge

from autogen_streamtrace.commands.demo.scenarios.program import MODEL_INFO

CHUNKS = 3_000
SLICE = 300
GAUGED = 30
"""Chunks between two runs of the gauge."""
Flush = Callable[[], object]
"""Sends off what has ended."""
Costs = dict[str, list[float]]
"""The cost of a chunk or turn, counted in gauges; with `` loop`` after the name, that on the event loop's thread."""


@contextmanager
def server(script: str, *arguments: str) -> Iterator[int]:
    """Runs a script of this folder that prints its port and ends with its input."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdin is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(10)


def model_server() -> Any:
    """Sends its replies at once."""
    return server("model.py")


def receiver(protocol: str) -> Any:
    """An OTLP receiver that reads each request and keeps nothing."""
    return server("receiver.py", protocol)


def agent(port: int, chunks: int) -> AssistantAgent:
    """An agent whose model replies with so many chunks."""
    client = OpenAIChatCompletionClient(
        model="gpt-4o",
        api_key="x",
        base_url=f"http://127.0.0.1:{port}/{chunks}/v1",
        max_retries=0,
        model_info=MODEL_INFO,
    )
    return AssistantAgent("agent", model_client=client, model_client_stream=True)


async def agent_chunks(port: int, flush: Flush, gauge: Gauge) -> Costs:
    """A long reply of one agent."""
    one = agent(port, CHUNKS)
    costs = await sliced(one.run_stream(task="go"), gauge)
    await one._model_client.close()
    return costs


async def team_chunks(port: int, flush: Flush, gauge: Gauge) -> Costs:
    """The same in a team."""
    one = agent(port, CHUNKS)
    team = RoundRobinGroupChat([one], termination_condition=MaxMessageTermination(2))
    costs = await sliced(team.run_stream(task="go"), gauge)
    await one._model_client.close()
    return costs


async def sliced(stream: AsyncIterator[Any], gauge: Gauge) -> Costs:
    """The cost of a chunk, for each full slice of a stream but the first."""
    count, marks = 0, []
    async for _ in stream:
        count += 1
        if count % GAUGED == 0:
            gauge.run()
        if count % SLICE == 0:
            marks.append(gauge.mark())
    return {"chunk": [gauge.costs(since, until, SLICE)[0] for since, until in itertools.pairwise(marks)]}


async def short_turns(port: int, flush: Flush, gauge: Gauge) -> Costs:
    """Turns of three chunks."""
    return await _turns(port, flush, gauge, chunks=3, warm_up=20, turns=50, batches=2)


async def long_turns(port: int, flush: Flush, gauge: Gauge) -> Costs:
    """Turns of two hundred chunks."""
    return await _turns(port, flush, gauge, chunks=200, warm_up=20, turns=10, batches=2)


async def _turns(port: int, flush: Flush, gauge: Gauge, *, chunks: int, **counts: int) -> Costs:
    """Turns over a kept connection."""
    one = agent(port, chunks)

    async def forget() -> None:
        await one.on_reset(CancellationToken())

    costs = await batches(lambda: one.run_stream(task="go"), forget, flush, gauge, **counts)
    await one._model_client.close()
    return costs


async def batches(
    turn: Callable[[], AsyncIterator[Any]],
    after: Callable[[], Awaitable[None]],
    flush: Flush,
    gauge: Gauge,
    *,
    warm_up: int,
    turns: int,
    batches: int,
) -> Costs:
    """The cost of a turn. A batch ends when all that it recorded is judged and sent off."""
    costs = defaultdict[str, list[float]](list)

    async def run(count: int) -> None:
        for _ in range(count):
            received = 0
            async for _ in turn():
                received += 1
                if received % GAUGED == 0:
                    gauge.run()
            gauge.run()
            await after()

    await run(warm_up)
    for _ in range(batches):
        await asyncio.to_thread(flush)
        started = gauge.mark()
        await run(turns)
        left = gauge.mark()
        await asyncio.to_thread(flush)
        costs["turn"].append(gauge.costs(started, gauge.mark(), turns)[0])
        costs["turn loop"].append(gauge.costs(started, left, turns)[1])
    return costs
