"""What the stores and the Collector have to bear: the figures of docs/scaling.md.

    PYTHONPATH=tests:tools python bench/scaling.py [series] [bytes] [speed] [memory]

Needs the package's `demo` extra, what the tests need, and `make tools`. Series are counted by a real Prometheus;
the Collector runs with the shipped configuration on one core, and its own CPU time and memory are what counts, so
that a busy machine does not change them much.
"""

import asyncio
import gzip
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from stack.collector import CONFIG, GATEWAY, STORE, Collector
from stack.prometheus import Prometheus
from stack.server import HOST, eventually

import autogen_streamtrace
from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.commands.demo.run import quiet
from autogen_streamtrace.commands.demo.scenarios import SCENARIOS
from autogen_streamtrace.commands.demo.scenarios.program import Program

TURN = """
import asyncio, sys
import autogen_streamtrace
from autogen_agentchat.agents import AssistantAgent
from autogen_core.tools import FunctionTool
from autogen_ext.models.openai import OpenAIChatCompletionClient
from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.commands.demo.run import quiet
from autogen_streamtrace.commands.demo.scenarios.program import MODEL_INFO, TASK, read
from autogen_streamtrace.commands.demo.scenarios.tools import fetch

models, agents, tools, fault = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
autogen_streamtrace.instrument()

async def turn(server, fault, model, agent, tool):
    async def call(claim_id: str) -> str:
        return await fetch(claim_id)
    client = OpenAIChatCompletionClient(model=f"model{model}", api_key="none", base_url=server.url(fault),
                                        model_info=MODEL_INFO, timeout=1.0, max_retries=0)
    tools = [FunctionTool(call, "Fetches a claim.", name="fetch_claim" if not tool else f"fetch_claim{tool}")]
    helper = AssistantAgent(f"agent{agent}", client, tools=tools, model_client_stream=True, reflect_on_tool_use=True)
    try:
        await read(helper.run_stream(task=TASK))
    except Exception:
        pass
    await client.close()

async def main():
    with ModelServer() as server:
        for model in range(models):
            await turn(server, fault, model, 0, 0)
        for agent in range(1, agents):
            await turn(server, fault, 0, agent, 0)
        for tool in range(1, tools):
            await turn(server, fault, 0, 0, tool)

with quiet():
    asyncio.run(main())
"""
COMPLETE = ("ok", "tool_call")
"""Scenarios whose spans stand for the usual turn."""
TRACES_A_REQUEST = 60
WARM_UP_SECONDS = 5.0
SPEED_SECONDS = 20.0
SENDERS = 2
OPEN_TRACES = (20_000, 60_000)
DECIDED_TRACES = (40_000, 120_000)


def main() -> None:
    chosen = sys.argv[1:] or list(MEASURES)
    for name in chosen:
        print(f"# {name}", flush=True)
        for key, value in MEASURES[name]().items():
            print(f"{key}: {value:,.2f}" if isinstance(value, float) else f"{key}: {value:,}", flush=True)


def series() -> dict[str, Any]:
    """Time series of one process in Prometheus, and what another model, agent, tool or kind of ending adds."""
    with tempfile.TemporaryDirectory() as folder, Prometheus(Path(folder)) as prometheus:

        def count(models: int, agents: int, tools: int, fault: str = "tool_call") -> int:
            service = f"{models}-{agents}-{tools}-{fault}"
            env = {
                **os.environ,
                "OTEL_SERVICE_NAME": service,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_ENDPOINT": prometheus.otlp,
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
            }
            command = [sys.executable, "-c", TURN, str(models), str(agents), str(tools), fault]
            subprocess.run(command, env=env, check=True, timeout=120)
            query = f'count({{service_name="{service}"}})'
            return int(eventually(lambda: prometheus.total(query), what=service))

        one = count(1, 1, 1)
        return {
            "one model, one agent, one tool, all turns complete": one,
            "each further model": (count(3, 1, 1) - one) / 2,
            "each further agent": (count(1, 3, 1) - one) / 2,
            "each further tool": (count(1, 1, 3) - one) / 2,
            "the same agent, cut by silence": count(1, 1, 1, "stall"),
            "the same agent, cut by a reset": count(1, 1, 1, "rst"),
        }


def sizes() -> dict[str, Any]:
    """Bytes of OTLP."""
    result: dict[str, Any] = {}
    for kind, names in (("complete", COMPLETE), ("cut", ("stall", "team_stall"))):
        played = play(*names)
        spans, logs = encode_spans(played.spans).SerializeToString(), encode_logs(played.logs).SerializeToString()
        result |= {
            f"{kind}: spans a turn": len(played.spans) / len(names),
            f"{kind}: bytes a span": len(spans) / len(played.spans),
            f"{kind}: bytes a span, gzip": len(gzip.compress(spans)) / len(played.spans),
            f"{kind}: events a turn": len(played.logs) / len(names),
            f"{kind}: bytes an event": len(logs) / len(played.logs),
        }
        metrics = encode_metrics(played.metrics).SerializeToString()
        result[f"{kind}: bytes of one export of the metrics"] = len(metrics)
    return result


def speed() -> dict[str, Any]:
    """What one core of the Collector takes a second, with redaction, sampling and the queue on disk."""
    result: dict[str, Any] = {}
    for kind, config, request in (
        ("spans, all complete", CONFIG, request_of_spans()),
        ("spans, one turn in twenty cut", CONFIG, request_of_spans(cut_every=20)),
        ("spans through an agent", GATEWAY, request_of_spans(cut_every=20)),
        ("events", CONFIG, request_of_events()),
    ):
        with collector(config) as running:
            send_for(running, request, WARM_UP_SECONDS)
            before, began = cpu_seconds(running.pid), time.monotonic()
            items = send_for(running, request, SPEED_SECONDS)
            eventually(lambda: settled(running), limit=60, what="the Collector to rest")
            used = cpu_seconds(running.pid) - before
            result |= {
                f"{kind}: sent a second": items / (time.monotonic() - began),
                f"{kind}: a second of CPU": items / used,
                f"{kind}: peak memory, MB": peak_mb(running.pid),
            }
    return result


def memory() -> dict[str, Any]:
    """Bytes that one open trace, and one decided trace, hold in the Collector."""
    result: dict[str, Any] = {}
    for kind, steps, with_root in (("open", OPEN_TRACES, False), ("decided", DECIDED_TRACES, True)):
        request = request_of_spans(with_root=with_root)
        with collector(CONFIG, SAMPLING_OPEN_TRACES="200000") as running, httpx.Client(timeout=30) as client:
            sizes = []
            sent = 0
            for target in steps:
                while sent < target:
                    sent += TRACES_A_REQUEST
                    request.send(client, running)
                eventually(lambda: settled(running), limit=60, what="the Collector to rest")
                sizes.append(resident(running.pid))
            result[f"{kind}: bytes a trace"] = (sizes[1] - sizes[0]) / (steps[1] - steps[0])
            result[f"{kind}: resident with {steps[1]:,} traces, MB"] = sizes[1] / 1e6
        result[f"{kind}: spans of it that have come"] = request.items // TRACES_A_REQUEST
    return result


class Played:
    """The spans, log records and metrics of some of the demo's scenarios."""

    def __init__(self, spans: Any, logs: Any, metrics: Any) -> None:
        self.spans, self.logs, self.metrics = spans, logs, metrics


def play(*names: str) -> Played:
    spans, logs, reader = InMemorySpanExporter(), InMemoryLogRecordExporter(), InMemoryMetricReader()
    tracers, meters, loggers = TracerProvider(), MeterProvider([reader]), LoggerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(logs))
    autogen_streamtrace.instrument(tracer_provider=tracers, meter_provider=meters, logger_provider=loggers)
    try:
        with quiet(), ModelServer() as server:
            for name in names:
                asyncio.run(run(name, server, tracers))
        tracers.force_flush()
        loggers.force_flush()
        reader.collect()
        return Played(spans.get_finished_spans(), logs.get_finished_logs(), reader.get_metrics_data())
    finally:
        autogen_streamtrace.uninstrument()


async def run(name: str, server: ModelServer, tracers: TracerProvider) -> None:
    program = Program(server)
    with tracers.get_tracer("bench").start_as_current_span("request"):
        try:
            await SCENARIOS[name].run(program)
        except Exception:
            pass
    await program.close()


@dataclass
class Request:
    """An OTLP request of real spans or events, ``items`` of them; its trace ids are made anew each time it is sent."""

    signal: str
    items: int
    body: bytes
    marks: Sequence[bytes]
    """The trace ids in ``body``."""

    def send(self, client: httpx.Client, to: Collector) -> None:
        body = self.body
        for mark in self.marks:
            body = body.replace(mark, os.urandom(16))
        url = f"http://{HOST}:{to.http_port}/v1/{self.signal}"
        client.post(url, content=body, headers={"Content-Type": "application/x-protobuf"}).raise_for_status()


def request_of_spans(*, cut_every: int = 0, with_root: bool = True) -> Request:
    """``cut_every``: each so many traces one is a cut turn. Without its root a trace stays open."""
    complete, cut = play(COMPLETE[0]).spans, play("stall").spans
    if not with_root:
        complete = [span for span in complete if span.parent is not None]
    marks = [os.urandom(16) for _ in range(TRACES_A_REQUEST)]
    request, items = encode_spans([]), 0
    for number, mark in enumerate(marks):
        chosen = cut if cut_every and number % cut_every == 0 else complete
        items += len(chosen)
        one = encode_spans(chosen)
        for scope in one.resource_spans[0].scope_spans:
            for span in scope.spans:
                span.trace_id = mark
        if request.resource_spans:
            request.resource_spans[0].scope_spans.extend(one.resource_spans[0].scope_spans)
        else:
            request.MergeFrom(one)
    return Request("traces", items, request.SerializeToString(), marks)


def request_of_events() -> Request:
    events = play(COMPLETE[0]).logs * TRACES_A_REQUEST
    return Request("logs", len(events), encode_logs(events).SerializeToString(), ())


def send_for(to: Collector, request: Request, seconds: float) -> int:
    """Send from some threads for so long; how many items."""
    give_up = time.monotonic() + seconds
    counts: list[int] = []

    def sending() -> None:
        sent = 0
        with httpx.Client(timeout=30) as client:
            while time.monotonic() < give_up:
                request.send(client, to)
                sent += request.items
        counts.append(sent)

    threads = [threading.Thread(target=sending) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


@contextmanager
def collector(config: Path, **env: str) -> Iterator[Collector]:
    """The Collector on one core with a shipped configuration, and behind it a store that takes what it keeps."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(Collector(folder / "store", STORE))
        behind = {
            "TEMPO_OTLP_ENDPOINT": f"{HOST}:{store.grpc_port}",
            "PROMETHEUS_OTLP_ENDPOINT": f"http://{HOST}:{store.http_port}",
            "LOKI_OTLP_ENDPOINT": f"http://{HOST}:{store.http_port}",
            "GATEWAYS": f"[{HOST}:{store.grpc_port}]",
        }
        yield stack.enter_context(Collector(folder / "collector", config, GOMAXPROCS="1", **behind, **env))


def settled(running: Collector) -> bool:
    """Whether it used next to no CPU for three seconds: what was sent is decided and delivered."""
    before = cpu_seconds(running.pid)
    time.sleep(3)
    return cpu_seconds(running.pid) - before < 0.15


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in status if line.startswith("VmHWM"))


MEASURES: dict[str, Callable[[], dict[str, Any]]] = {
    "series": series,
    "bytes": sizes,
    "speed": speed,
    "memory": memory,
}

if __name__ == "__main__":
    main()
