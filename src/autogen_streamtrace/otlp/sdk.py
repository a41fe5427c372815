"""SDK providers as the ``OTEL_*`` variables configure them, for a program that has set none up."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from autogen_streamtrace.neighbours.opentelemetry import start_metrics_anew
from autogen_streamtrace.otlp import components, exporters
from autogen_streamtrace.otlp.delivery import Delivery
from autogen_streamtrace.otlp.environment import Target

Deliveries = list[Delivery[Any]]


class TwiceCollectingMeterProvider(MeterProvider):
    """Collects twice in ``force_flush`` and in ``shutdown``.

    The first collection of a counter's new attribute set exports 0, the next its count. So a single last collection
    would lose the count.
    """

    collects_twice = True

    def __init__(self, readers: list[MetricReader], resource: Resource) -> None:
        super().__init__(readers, resource, shutdown_on_exit=False)
        self._readers = readers
        self._ended = False

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """As the SDK's; ``timeout_millis`` is for both collections together."""
        deadline = time.monotonic() + timeout_millis / 1000
        super().force_flush(timeout_millis)
        return super().force_flush(max(0.0, (deadline - time.monotonic()) * 1000))

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """As the SDK's, whose own last collection is the second one. A second call does nothing."""
        if self._ended:
            return
        self._ended = True
        deadline = time.monotonic() + timeout_millis / 1000
        try:
            super().force_flush(timeout_millis)
        finally:
            super().shutdown(max(0.0, (deadline - time.monotonic()) * 1000))

    def start_anew(self) -> None:
        """In a forked child: starts at zero, since the parent exports its own sums, and makes new locks."""
        start_metrics_anew(self, self._readers)


def tracer_provider(resource: Resource, chosen: list[Target]) -> tuple[TracerProvider, Deliveries]:
    """A tracer provider with a batch processor for each exporter."""
    provider = TracerProvider(
        components.sampler(), resource, shutdown_on_exit=False, id_generator=components.id_generator()
    )
    deliveries = [Delivery(target, SpanExportResult.FAILURE) for target in chosen]
    for delivery in deliveries:
        provider.add_span_processor(BatchSpanProcessor(exporters.Spans(delivery)))
    return provider, deliveries


def meter_provider(resource: Resource, chosen: list[Target]) -> tuple[MeterProvider, Deliveries]:
    """A meter provider with a periodic reader for each exporter. A target that is a reader itself is used as it is."""
    deliveries = [Delivery(each, MetricExportResult.FAILURE) for each in chosen if not _is_reader(each)]
    makers: list[Callable[[], MetricReader]] = [
        *(partial(_periodic, each) for each in deliveries),
        *(each.exporter for each in chosen if _is_reader(each)),
    ]
    with ExitStack() as undo:  # a reader has its thread, or its port, from the start
        readers: list[MetricReader] = []
        for make in makers:
            readers.append(make())
            undo.callback(readers[-1].shutdown)
        provider = TwiceCollectingMeterProvider(readers, resource)
        undo.pop_all()
    return provider, deliveries


def logger_provider(resource: Resource, chosen: list[Target]) -> tuple[LoggerProvider, Deliveries]:
    """A logger provider with a batch processor for each exporter."""
    provider = LoggerProvider(resource, shutdown_on_exit=False)
    deliveries = [Delivery(target, LogRecordExportResult.FAILURE) for target in chosen]
    for delivery in deliveries:
        provider.add_log_record_processor(BatchLogRecordProcessor(exporters.LogRecords(delivery)))
    return provider, deliveries


def _periodic(delivery: Delivery[MetricExportResult]) -> MetricReader:
    return PeriodicExportingMetricReader(exporters.Metrics(delivery))


def _is_reader(target: Target) -> bool:
    return issubclass(target.exporter, MetricReader)
