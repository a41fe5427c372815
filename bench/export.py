"""What the export of a turn costs: CPU of the whole process, with the SDK's encoders and with ours.

    python bench/export.py [--rounds 20]

The spans and log events of a hundred short turns go to a receiver in another process, over and over, as a batch each.
"""

import argparse
import asyncio
import os
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from gauge import Gauge
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from programs import model_server, receiver, short_turns
from sides import Providers

import autogen_streamtrace
from autogen_streamtrace.otlp.environment import Signal, targets

TURNS = 100
PROTOCOLS = ("grpc", "http/protobuf")
Batch = Sequence[Any]


def recorded() -> dict[Signal, Batch]:
    """The spans and log events of a hundred turns."""
    spans, events = InMemorySpanExporter(), InMemoryLogRecordExporter()
    providers = Providers.of(spans, InMemoryMetricReader(), events)
    autogen_streamtrace.instrument(**providers.keywords, recorder=False)
    with model_server() as port:
        asyncio.run(short_turns(port, providers.flush, Gauge()))
    autogen_streamtrace.uninstrument()
    kept = [span for span in spans.get_finished_spans() if span.parent is None][-TURNS:]
    traces = {span.context.trace_id for span in kept}
    return {
        "traces": [span for span in spans.get_finished_spans() if span.context.trace_id in traces],
        "logs": [each for each in events.get_finished_logs() if each.log_record.trace_id in traces],
    }


def cost(exporters: dict[str, Any], batch: Batch, rounds: int) -> dict[str, float]:
    """Microseconds of CPU a turn, by exporter."""
    gauge, costs = Gauge(), {name: [] for name in exporters}
    for number in range(rounds + 2):
        for name, exporter in exporters.items():
            started = gauge.mark()
            gauge.run()
            exporter.export(batch)
            gauge.run()
            if number > 1:
                costs[name].append(gauge.costs(started, gauge.mark(), TURNS)[0])
    return {name: statistics.median(values) * gauge.quiet * 1e6 for name, values in costs.items()}


def compared(signal: Signal, protocol: str, compression: str, batch: Batch, rounds: int) -> str:
    os.environ |= {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_COMPRESSION": compression}
    with receiver(protocol) as port:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"
        (target,) = targets(signal)
        make: dict[str, Callable[[], Any]] = {"the SDK's": target.make_plain, "ours": target.make}
        exporters = {name: each() for name, each in make.items()}
        found = cost(exporters, batch, rounds)
        for each in exporters.values():
            each.shutdown()
    return ", ".join(f"{name} {value:.0f} us" for name, value in found.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    for signal, batch in recorded().items():
        for protocol in PROTOCOLS:
            for compression in ("none", "gzip"):
                found = compared(signal, protocol, compression, batch, rounds)
                print(f"{signal} of a turn, {protocol}, {compression}: {found}", flush=True)


if __name__ == "__main__":
    main()
