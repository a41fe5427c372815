"""Real processes that die, and what a later one tells of them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from otlp_receiver import OtlpReceiver, Received, attributes

from autogen_streamtrace.recorder.recovery import Recovered, recover_all

PROGRAMS = Path(__file__).with_name("programs")
PREFIX = "streamtrace."
LATE = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_METRIC_EXPORT_INTERVAL": "60000"}
"""Nothing is exported on a timer."""


def environment(receiver: OtlpReceiver, protocol: str = "http/protobuf", **more: str) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(PROGRAMS.parent), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, **receiver.env(protocol), **more}


@contextmanager
def victim(receiver: OtlpReceiver, *what: str, **more: str) -> Iterator["subprocess.Popen[str]"]:
    """A program of ``programs/victim.py`` that is ready; killed at the latest at the end."""
    process = subprocess.Popen(
        [sys.executable, str(PROGRAMS / "victim.py"), *what],
        env=environment(receiver, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), process.communicate()[1]
        yield process
    finally:
        process.kill()
        process.communicate(timeout=20)


def kill(process: "subprocess.Popen[Any]") -> None:
    """As the kernel does where memory has run out."""
    process.send_signal(signal.SIGKILL)
    process.wait(20)


class Sender:
    """Exports over HTTP to a receiver. ``refuses`` names a signal that never arrives."""

    def __init__(self, receiver: OtlpReceiver, refuses: str = "") -> None:
        base = receiver.endpoint("http/protobuf")
        self._exporters: dict[str, Any] = {
            "traces": OTLPSpanExporter(f"{base}/v1/traces"),
            "metrics": OTLPMetricExporter(f"{base}/v1/metrics"),
            "logs": OTLPLogExporter(f"{base}/v1/logs"),
        }
        self._refuses = refuses

    def __call__(self, what: str, batch: Any) -> bool:
        if what == self._refuses:
            return False
        return bool(self._exporters[what].export(batch).name == "SUCCESS")


def recover(receiver: OtlpReceiver, refuses: str = "") -> list[Recovered | None]:
    """Recovers what has died, in this process."""
    return [found for _, found in recover_all(Sender(receiver, refuses))]


def command(receiver: OtlpReceiver, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", "autogen_streamtrace.cli", *arguments]
    return subprocess.run(line, env=environment(receiver, **more), capture_output=True, text=True, timeout=40)


def streams(receiver: OtlpReceiver) -> list[Received[Any]]:
    """Our spans, each once, in the order of their start."""
    spans = {s.data.span_id: s for s in receiver.spans() if PREFIX + "layer" in s.attributes}
    return sorted(spans.values(), key=lambda span: int(span.data.start_time_unix_nano))


def told(receiver: OtlpReceiver) -> list[tuple[str, str, str]]:
    """Layer, name and outcome of each."""
    keys = ("layer", "name", "outcome")
    found = [tuple(str(span.attributes[PREFIX + key]) for key in keys) for span in streams(receiver)]
    return sorted((layer, name, outcome) for layer, name, outcome in found)


def sums(receiver: OtlpReceiver, metric: str, *labels: str) -> dict[tuple[str, ...], int]:
    """The last value of each series of a counter, added up by these labels, over all processes."""
    last: dict[tuple[str, frozenset[Any]], int] = {}
    for each in receiver.metrics():
        if each.data.name == PREFIX + metric:
            for point in each.data.sum.data_points:
                series = frozenset(attributes(point.attributes).items())
                last[str(each.resource["service.instance.id"]), series] = int(point.as_int)
    found: dict[tuple[str, ...], int] = {}
    for (_, series), value in last.items():
        key = tuple(str(dict(series).get(PREFIX + label, "")) for label in labels)
        found[key] = found.get(key, 0) + value
    return found


def left_behind(state: Path) -> list[str]:
    """The files of recorders below a state directory, by suffix."""
    return sorted(path.suffix for path in state.rglob("*") if path.is_file())
