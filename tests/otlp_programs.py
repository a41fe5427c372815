"""Small programs that use the SDK as this package sets it up: a process takes its global providers once."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from otlp_receiver import OtlpReceiver

PROTOCOLS = ("grpc", "http/protobuf")
SOURCES = str(Path(__file__).resolve().parents[1] / "src")
PREAMBLE = """
import logging, os, sys, time
from opentelemetry import _logs, metrics, trace
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from autogen_streamtrace import otlp

logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")

def record(providers, name):
    with providers.tracer_provider.get_tracer("test").start_as_current_span(name, attributes={"a": 1, "b": 2}):
        providers.meter_provider.get_meter("test").create_counter(name).add(1)
        providers.logger_provider.get_logger("test").emit(body=name, event_name=name)
"""
DELIVER = """
providers = otlp.providers()
record(providers, "work")
otlp.shutdown(providers, timeout=40)
"""


def run(script: str, env: dict[str, str], timeout: float = 50) -> subprocess.CompletedProcess[str]:
    """Runs a program to its proper end; its output is in the result."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + script],
        env={**os.environ, "PYTHONPATH": SOURCES, **env},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def warnings_in(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.startswith(("WARNING", "ERROR"))]


def everything(receiver: OtlpReceiver) -> bool:
    return bool(receiver.spans() and receiver.metrics() and receiver.logs())


def names(receiver: OtlpReceiver) -> set[str]:
    return {
        *(each.data.name for each in receiver.spans()),
        *(each.data.name for each in receiver.metrics()),
        *(each.data.event_name for each in receiver.logs()),
    }


def resources(receiver: OtlpReceiver, name: str) -> list[dict[str, Any]]:
    """The resources of the span, the metric and the event called ``name``."""
    return [
        *(each.resource for each in receiver.spans() if each.data.name == name),
        *(each.resource for each in receiver.metrics() if each.data.name == name),
        *(each.resource for each in receiver.logs() if each.data.event_name == name),
    ]


def instances(receiver: OtlpReceiver, name: str) -> set[str]:
    return {str(each["service.instance.id"]) for each in resources(receiver, name)}
