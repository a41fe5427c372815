"""Private names of OpenTelemetry's API and SDK, and of its instrumentation of httpx.

``opentelemetry._logs`` and ``opentelemetry.sdk._logs`` are what OpenTelemetry documents, whatever their names say.
"""

import functools
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

from autogen_streamtrace.neighbours import Private

_API: Final = "opentelemetry-api"
_SDK: Final = "opentelemetry-sdk"

CONTEXT_VARIABLE: Final = Private(
    _API, "ContextVarsRuntimeContext", "_current_context", "a watched item costs three times as much"
)
RUNTIME_CONTEXT: Final = Private(
    _API, "opentelemetry.context", "_RUNTIME_CONTEXT", "a watched item costs three times as much"
)
METER_CONFIG: Final = Private(
    _SDK, "MeterProvider", "_sdk_config", "the resource of a program's own MeterProvider is not known"
)
_SAME_INSTANCE: Final = "a forked child keeps its parent's service.instance.id"
UPDATE_RESOURCE: Final = Private(_SDK, "TracerProvider", "_update_resource", _SAME_INSTANCE)
RESOURCE_ATTRIBUTES: Final = Private(_SDK, "Resource", "_attributes", _SAME_INSTANCE)
_TWICE: Final = "a forked child counts what its parent had counted a second time"
CONSUMER: Final = Private(_SDK, "MeterProvider", "_measurement_consumer", _TWICE)
CONSUMER_LOCK: Final = Private(_SDK, "SynchronousMeasurementConsumer", "_lock", "a forked child may hang at an export")
CONSUMER_CONFIG: Final = Private(_SDK, "SynchronousMeasurementConsumer", "_sdk_config", _TWICE)
STORAGES: Final = Private(_SDK, "SynchronousMeasurementConsumer", "_reader_storages", _TWICE)
EXPORT_LOCK: Final = Private(
    _SDK, "PeriodicExportingMetricReader", "_export_lock", "a forked child may hang at an export"
)
TEMPORALITY: Final = Private(
    _SDK, "MetricExporter", "_preferred_temporality", "metrics go out with the SDK's default temporality"
)
AGGREGATION: Final = Private(
    _SDK, "MetricExporter", "_preferred_aggregation", "metrics go out with the SDK's default aggregation"
)
_SLOWER: Final = "a stream's end costs more"
HISTOGRAMS_CONSUMER: Final = Private(_SDK, "Histogram", "_measurement_consumer", _SLOWER)
VIEWS_OF: Final = Private(_SDK, "MetricReaderStorage", "_get_or_init_view_instrument_match", _SLOWER)
AGGREGATION_OF: Final = Private(_SDK, "_ViewInstrumentMatch", "_get_or_create_aggregation", _SLOWER)
AGGREGATIONS_LOCK: Final = Private(_SDK, "_ViewInstrumentMatch", "_lock", _SLOWER)
VIEW: Final = Private(_SDK, "_ViewInstrumentMatch", "_view", _SLOWER)
VIEWS_KEYS: Final = Private(_SDK, "View", "_attribute_keys", _SLOWER)
KEY_OF: Final = Private(_SDK, "opentelemetry.sdk.metrics._internal._view_instrument_match", "_hash_attributes", _SLOWER)

logger = logging.getLogger(__name__)
NORMALIZE_HEADERS: Final = Private(
    "opentelemetry-instrumentation-httpx",
    "opentelemetry.instrumentation.httpx",
    "_normalize_headers",
    "the HTTP span of a request takes more time than it needs",
)


def context_variable(api: Any) -> "ContextVar[Any] | None":
    """The variable in which ``opentelemetry.context`` keeps the current context; ``None`` where another kind does."""
    runtime = RUNTIME_CONTEXT.of(api)
    variable = None if runtime is None else CONTEXT_VARIABLE.of(runtime)
    return variable if isinstance(variable, ContextVar) else None


def resource(provider: Any) -> Any:
    """The SDK's resource of a provider; ``None`` for one that is not the SDK's."""
    known = getattr(provider, "resource", None)
    if known or not any(each.__module__.startswith("opentelemetry.sdk.") for each in type(provider).__mro__):
        return known
    return getattr(METER_CONFIG.of(provider), "resource", None)


def renew_resource(provider: Any, new: Any) -> None:
    """In a forked child: merges ``new`` over the resource of ``provider``, and of what was made of it before."""
    update = getattr(provider, UPDATE_RESOURCE.attribute, None)
    if callable(update):
        update(new)
    else:  # the SDK before 1.44, where tracers, loggers and the provider share one resource
        UPDATE_RESOURCE.attempt(lambda: _overwrite(resource(provider), new))


def _overwrite(shared: Any, new: Any) -> None:
    RESOURCE_ATTRIBUTES.replace(shared, RESOURCE_ATTRIBUTES.need(shared.merge(new)))


def start_metrics_anew(provider: Any, readers: Iterable[Any]) -> None:
    """In a forked child: sums begin at zero, and locks are new.

    The SDK renews neither. A child would count its parent's past a second time, and hang on a lock that one of the
    parent's threads held when it forked.
    """
    for reader in readers:
        if EXPORT_LOCK.of(reader) is not None:
            EXPORT_LOCK.replace(reader, threading.Lock())
    consumer = CONSUMER.of(provider)
    if consumer is not None:
        CONSUMER_LOCK.attempt(lambda: CONSUMER_LOCK.replace(consumer, threading.Lock()))
        STORAGES.attempt(lambda: _forget_sums(consumer, readers))


def _forget_sums(consumer: Any, readers: Iterable[Any]) -> None:
    if hasattr(consumer, "add_metric_reader"):
        for reader in readers:
            consumer.add_metric_reader(reader)
    else:  # the SDK before 1.43
        STORAGES.replace(consumer, STORAGES.need(type(consumer)(CONSUMER_CONFIG.need(consumer))))


def preferences(exporter: Any) -> tuple[Any, Any]:
    """The temporality and the aggregation that a metric exporter prefers; ``None`` where it says nothing."""
    return (TEMPORALITY.of(exporter), AGGREGATION.of(exporter)) if exporter is not None else (None, None)


# -- histograms


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
        logger.info("Values of histograms are recorded one by one: the SDK is not what is known (%s)", defect)
        return None
    return added if one == other else None


def _points(reader: Any) -> list[Any]:
    metrics = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    points = [metric.data.data_points[0] for metric in metrics]
    return [(dict(p.attributes), p.count, p.sum, p.bucket_counts, p.explicit_bounds, p.min, p.max) for p in points]


def _module_of_views() -> Any:
    from opentelemetry.sdk.metrics._internal import _view_instrument_match

    return _view_instrument_match
