"""The providers under which a test's streams are watched."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

import autogen_streamtrace
from autogen_streamtrace import applied


@contextmanager
def instrumented(**settings: Any) -> Iterator[None]:
    """Instruments, unless the program has done so itself. Nothing is exported but by providers of the program's own."""
    if applied.tracker is not None:
        yield
        return
    with mock.patch.dict(os.environ):
        os.environ.pop("OTEL_SDK_DISABLED", None)
        autogen_streamtrace.instrument(**{"recorder": False, **_providers(), **settings})
    try:
        yield
    finally:
        autogen_streamtrace.uninstrument()


def _providers() -> dict[str, Any]:
    """The program's own where it has set them up, else ones that keep nothing."""
    tracers, meters, loggers = trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()
    return {
        "tracer_provider": tracers if _is_real(tracers) else TracerProvider(shutdown_on_exit=False),
        "meter_provider": meters if _is_real(meters) else MeterProvider(shutdown_on_exit=False),
        "logger_provider": loggers if _is_real(loggers) else LoggerProvider(shutdown_on_exit=False),
    }


def _is_real(provider: object) -> bool:
    """It is no stand-in of the API's."""
    return not type(provider).__module__.startswith("opentelemetry.") or ".sdk." in type(provider).__module__
