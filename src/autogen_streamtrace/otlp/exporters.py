"""The SDK's three exporter interfaces over a ``Delivery``."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.semconv import E_END
from autogen_streamtrace.neighbours.opentelemetry import preferences
from autogen_streamtrace.otlp.delivery import Delivery

Arrived = Callable[[list[int]], object]
"""Takes the ids of spans that have arrived."""

arrivals: Final[list[Arrived]] = []
"""The functions to call with them."""
event_arrivals: Final[list[Arrived]] = []
"""The functions to call with the ids of spans whose end event has arrived."""


def _report(receivers: list[Arrived], ids: list[int]) -> None:
    for arrived in list(receivers) if ids else ():
        with contained("noting what has arrived"):
            arrived(ids)


class Spans(SpanExporter):
    """Exports spans through ``delivery``, and reports which have arrived."""

    def __init__(self, delivery: Delivery[SpanExportResult]) -> None:
        self._delivery = delivery

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._delivery.send(lambda exporter: exporter.export(spans))
        if result is SpanExportResult.SUCCESS:
            _report(arrivals, [span.context.span_id for span in spans])
        return result

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._delivery.flush(timeout_millis)

    def shutdown(self) -> None:
        self._delivery.close()


class Metrics(MetricExporter):
    """Exports metrics through ``delivery``, with the real exporter's temporality and aggregation.

    The SDK asks for these two before the first export, so the real exporter is made at once.
    """

    def __init__(self, delivery: Delivery[MetricExportResult]) -> None:
        super().__init__(*preferences(delivery.probe()))
        self._delivery = delivery

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        return self._delivery.send(lambda exporter: exporter.export(metrics_data, timeout_millis, **kwargs))

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self._delivery.flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self._delivery.close()


class LogRecords(LogRecordExporter):
    """Exports log records through ``delivery``."""

    def __init__(self, delivery: Delivery[LogRecordExportResult]) -> None:
        self._delivery = delivery

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        result = self._delivery.send(lambda exporter: exporter.export(batch))
        if result is LogRecordExportResult.SUCCESS:
            records = [each.log_record for each in batch]
            _report(event_arrivals, [each.span_id for each in records if each.event_name == E_END and each.span_id])
        return result

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._delivery.flush(timeout_millis)

    def shutdown(self) -> None:
        self._delivery.close()
