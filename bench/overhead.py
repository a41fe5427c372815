"""What watching costs: microseconds of CPU per chunk and per turn, bare and instrumented in turn in one process.

    python bench/overhead.py [--rounds 8] [--json]

The model server runs in a process of its own. A long stream is measured in slices of 300 chunks; the 25th
percentiles of bare and instrumented slices are compared, and bare against bare as the control. All signals are on:
spans and log events in batches, metrics in memory; the exporters discard what they get. The CPU of the thread that
judges counts in full.
"""

import argparse
import asyncio
import gc
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken
from autogen_ext.models.openai import OpenAIChatCompletionClient
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import autogen_streamtrace
from autogen_streamtrace.commands.demo.scenarios.program import MODEL_INFO

CHUNKS = 3_000
SLICE = 300
TURNS = 60
WARM_UP = 5
SERVER = """
import sys
from autogen_streamtrace.commands.demo.model_server import ModelServer
with ModelServer() as server:
    print(server.port, flush=True)
    sys.stdin.read()
"""
TEXT = (
    "{:6} base {base_us:8.1f} us a {unit}, added {added_us:+7.2f} (x {ratio:.3f}), bare against bare {control_us:+.2f}"
)


class DiscardSpans(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class DiscardLogs(LogRecordExporter):
    def export(self, batch: Any) -> LogRecordExportResult:
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


@contextmanager
def watched() -> Iterator[Callable[[], object]]:
    """All signals on. Yields what sends off the spans that have ended."""
    tracers, meters, loggers = TracerProvider(), MeterProvider([InMemoryMetricReader()]), LoggerProvider()
    tracers.add_span_processor(BatchSpanProcessor(DiscardSpans()))
    loggers.add_log_record_processor(BatchLogRecordProcessor(DiscardLogs()))
    autogen_streamtrace.instrument(tracer_provider=tracers, meter_provider=meters, logger_provider=loggers)
    try:
        yield tracers.force_flush
    finally:
        autogen_streamtrace.uninstrument()
        for provider in (tracers, meters, loggers):
            provider.shutdown()


@contextmanager
def bare() -> Iterator[Callable[[], object]]:
    yield lambda: None


@contextmanager
def model_server() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdin is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(10)


def agent(port: int, path: str, name: str = "agent") -> AssistantAgent:
    client = OpenAIChatCompletionClient(
        model="gpt-4o", api_key="x", base_url=f"http://127.0.0.1:{port}/{path}/v1", max_retries=0, model_info=MODEL_INFO
    )
    return AssistantAgent(name, model_client=client, model_client_stream=True)


async def sliced(stream: AsyncIterator[Any]) -> list[float]:
    """Microseconds of CPU per chunk, for each full slice of a stream but the first."""
    count, marks = 0, [time.process_time()]
    async for _ in stream:
        count += 1
        if count % SLICE == 0:
            marks.append(time.process_time())
    return [(b - a) / SLICE * 1e6 for a, b in itertools.pairwise(marks)]


async def agent_chunks(port: int) -> list[float]:
    one = agent(port, f"flood/{CHUNKS}")
    costs = await sliced(one.run_stream(task="go"))
    await one._model_client.close()
    return costs


async def team_chunks(port: int) -> list[float]:
    one = agent(port, f"flood/{CHUNKS}")
    team = RoundRobinGroupChat([one], termination_condition=MaxMessageTermination(2))
    costs = await sliced(team.run_stream(task="go"))
    await one._model_client.close()
    return costs


async def turns(port: int) -> list[float]:
    """Microseconds of CPU for a short turn over a kept connection: the mean of many, and of what they leave to do."""
    one = agent(port, "flood/3")
    before = 0.0
    for turn in range(WARM_UP + TURNS):
        if turn == WARM_UP:
            before = time.process_time()
        async for _ in one.run_stream(task="go"):
            pass
        await one.on_reset(CancellationToken())
    await asyncio.sleep(0.3)  # the judging thread works meanwhile; its CPU is the turns'
    cost = (time.process_time() - before) / TURNS * 1e6
    await one._model_client.close()
    return [cost]


def measure(what: Callable[[int], Any], port: int, rounds: int) -> dict[str, float]:
    sides: dict[str, list[float]] = {"bare": [], "control": [], "watched": []}
    for turn in range(rounds):
        for side in ("bare", "watched", "control") if turn % 2 else ("control", "watched", "bare"):
            with watched() if side == "watched" else bare():
                sides[side] += asyncio.run(what(port))
            gc.collect()
    quarter = {side: statistics.quantiles(values, n=4)[0] for side, values in sides.items()}  # of turns, each a mean
    base = (quarter["bare"] + quarter["control"]) / 2
    return {
        "base_us": base,
        "added_us": quarter["watched"] - base,
        "ratio": quarter["watched"] / base,
        "control_us": quarter["control"] - quarter["bare"],
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=8)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--only", choices=["agent", "team", "turn"])
    chosen = arguments.parse_args()
    cases = {"agent": agent_chunks, "team": team_chunks, "turn": turns}
    with model_server() as port:
        for name, what in cases.items():
            if chosen.only in (None, name):
                row = measure(what, port, chosen.rounds)
                unit = "turn" if name == "turn" else "chunk"
                print(
                    json.dumps({"name": name, **row}) if chosen.json else TEXT.format(name, unit=unit, **row),
                    flush=True,
                )


if __name__ == "__main__":
    main()
