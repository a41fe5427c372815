"""The metric series of a dead process, continued."""

from typing import Any, Final

from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.recorder.orphans import Orphan

_METRICS: Final = (sc.M_STARTED, sc.M_ENDED, sc.M_CUT, sc.M_OPEN, sc.M_STALLED, sc.M_OLDEST)


def continued(reader: InMemoryMetricReader, orphan: Orphan) -> MetricsData | None:
    """The dead process's own series after one more collection by ``reader``; None where it has none."""
    data = reader.get_metrics_data()
    if data is None:
        return None
    first_exports = {
        (name, tuple(labels.items())): shown_ns
        for name, table in (
            (sc.M_STARTED, "started"),
            (sc.M_ENDED, "ended"),
            (sc.M_CUT, "cut"),
        )
        for labels, _, shown_ns in orphan.counters.tables.get(table, ())
        if shown_ns
    }
    return MetricsData(
        [
            ResourceMetrics(
                resource.resource,
                [
                    ScopeMetrics(
                        scope.scope,
                        [_starting(metric, first_exports) for metric in scope.metrics if metric.name in _METRICS],
                        scope.schema_url,
                    )
                    for scope in resource.scope_metrics
                ],
                resource.schema_url,
            )
            for resource in data.resource_metrics
        ]
    )


def _starting(metric: Metric, first_exports: dict[tuple[str, tuple[tuple[str, Any], ...]], int]) -> Metric:
    """A counter whose series start when the dead process first exported them."""
    if not isinstance(metric.data, Sum) or not metric.data.is_monotonic:
        return metric
    points = [
        NumberDataPoint(
            attributes=point.attributes,
            start_time_unix_nano=first_exports.get(
                (metric.name, tuple((point.attributes or {}).items())), point.start_time_unix_nano
            ),
            time_unix_nano=point.time_unix_nano,
            value=point.value,
            exemplars=point.exemplars,
        )
        for point in metric.data.data_points
    ]
    data = Sum(points, metric.data.aggregation_temporality, metric.data.is_monotonic)
    return Metric(metric.name, metric.description, metric.unit, data)
