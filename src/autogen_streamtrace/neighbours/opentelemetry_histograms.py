"""Adds values to histograms of OpenTelemetry's SDK, past ``record``: by private names, tried before they are used."""

import functools
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from autogen_streamtrace.neighbours import Private
from autogen_streamtrace.neighbours.opentelemetry import CONSUMER_CONFIG, SDK, STORAGES

_SLOWER: Final = "a stream's end costs more"
HISTOGRAMS_CONSUMER: Final = Private(SDK, "Histogram", "_measurement_consumer", _SLOWER)
VIEWS_OF: Final = Private(SDK, "MetricReaderStorage", "_get_or_init_view_instrument_match", _SLOWER)
AGGREGATION_OF: Final = Private(SDK, "_ViewInstrumentMatch", "_get_or_create_aggregation", _SLOWER)
AGGREGATIONS_LOCK: Final = Private(SDK, "_ViewInstrumentMatch", "_lock", _SLOWER)
VIEW: Final = Private(SDK, "_ViewInstrumentMatch", "_view", _SLOWER)
VIEWS_KEYS: Final = Private(SDK, "View", "_attribute_keys", _SLOWER)
KEY_OF: Final = Private(SDK, "opentelemetry.sdk.metrics._internal._view_instrument_match", "_hash_attributes", _SLOWER)

logger = logging.getLogger(__name__)


class _Measured:
    """The part of an SDK's measurement that an aggregation reads where no exemplar is wanted."""

    __slots__ = ("value",)

    value: float


def add_values(histogram: Any, attributes: Mapping[str, Any], values: Sequence[float]) -> None:
    """Adds values to an SDK's histogram as its ``record`` does, each without a span: an exemplar needs one.

    Every reader has aggregations of its own, one for each of its views and attribute set.

    Raises:
        GoneError: the SDK does not have a name.
    """
    key_of = KEY_OF.need(_module_of_views())
    measured = _Measured()
    for storage in STORAGES.need(HISTOGRAMS_CONSUMER.need(histogram)).values():
        for view in VIEWS_OF.need(storage)(histogram):
            keys = VIEWS_KEYS.need(VIEW.need(view))
            kept = {key: value for key, value in attributes.items() if keys is None or key in keys}
            with AGGREGATIONS_LOCK.need(view):
                aggregate = AGGREGATION_OF.need(view)(key_of(kept), kept).aggregate
                for value in values:
                    measured.value = value
                    aggregate(measured, False)


def takes_values(histogram: Any) -> bool:
    """Whether ``add_values`` can be used for a histogram: it is the SDK's own, and tried to be what is known here.

    Where every value may have an exemplar, it cannot.
    """
    if not type(histogram).__module__.startswith("opentelemetry.sdk."):
        return False
    known = _tried_histogram()
    if known is None or type(histogram) is not type(known):
        return False
    consumer = HISTOGRAMS_CONSUMER.of(histogram)
    exemplars = type(getattr(CONSUMER_CONFIG.of(consumer), "exemplar_filter", None)).__name__
    return type(consumer) is type(HISTOGRAMS_CONSUMER.of(known)) and exemplars in _NO_EXEMPLARS_WITHOUT_SPAN


_NO_EXEMPLARS_WITHOUT_SPAN: Final = ("TraceBasedExemplarFilter", "AlwaysOffExemplarFilter")
_TRIED: Final = (0.5, 7.0, 7.0, 90.0)


@functools.cache
def _tried_histogram() -> Any:
    """A histogram for which ``add_values`` and ``record`` came to the same; None where they did not."""
    from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.resources import Resource

    try:
        reader = InMemoryMetricReader()
        provider = MeterProvider([reader], Resource({}), AlwaysOffExemplarFilter(), shutdown_on_exit=False)
        meter = provider.get_meter("autogen_streamtrace")
        added, recorded = (meter.create_histogram(name) for name in ("added", "recorded"))
        for value in _TRIED:
            recorded.record(value, {"a": "b"})
        add_values(added, {"a": "b"}, _TRIED)
        one, other = _points(reader)
    except Exception as defect:
        logger.debug("Values of histograms are recorded one by one: the SDK is not what is known (%s)", defect)
        return None
    return added if one == other else None


def _points(reader: Any) -> list[Any]:
    metrics = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    points = [metric.data.data_points[0] for metric in metrics]
    return [(dict(p.attributes), p.count, p.sum, p.bucket_counts, p.explicit_bounds, p.min, p.max) for p in points]


def _module_of_views() -> Any:
    from opentelemetry.sdk.metrics._internal import _view_instrument_match

    return _view_instrument_match
