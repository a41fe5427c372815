"""A pytest plugin, ``-p watched_tests``: every test runs under ``instrument()``, with providers in memory.

A defect of ours, which is contained in production, is raised and fails the test in which it shows. How many streams
were watched in a test, by layer, stands in its report as the property ``streams``.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import autogen_streamtrace
from autogen_streamtrace.core import errors
from autogen_streamtrace.core.semconv import A_LAYER

STREAMS: Final = "streams"

_spans: Final = InMemorySpanExporter()
_tracers: Final = TracerProvider()


def pytest_configure() -> None:
    """Watches from before the first test is imported."""
    _tracers.add_span_processor(SimpleSpanProcessor(_spans))
    loggers = LoggerProvider()
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    loggers.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    meters = MeterProvider([InMemoryMetricReader()])
    errors.raise_errors(True)
    autogen_streamtrace.instrument(tracer_provider=_tracers, meter_provider=meters, logger_provider=loggers)


@pytest.fixture(autouse=True)
def watched(record_property: Callable[[str, object], None]) -> Iterator[None]:
    """Judges the streams of the test before the next one begins."""
    before = errors.contained_errors()
    yield
    _tracers.force_flush()
    layers = Counter(str((span.attributes or {}).get(A_LAYER, "")) for span in _spans.get_finished_spans())
    _spans.clear()
    record_property(STREAMS, {layer: count for layer, count in layers.items() if layer})
    assert errors.contained_errors() == before, "an error of our own; the log has its traceback"
