"""Private names of OpenTelemetry's API and SDK, and of its instrumentation of httpx.

``opentelemetry._logs`` and ``opentelemetry.sdk._logs`` are what OpenTelemetry documents, whatever their names say.
"""

import threading
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, set_span_in_context

from autogen_streamtrace.neighbours import Private

_API: Final = "opentelemetry-api"
SDK: Final = "opentelemetry-sdk"

CONTEXT_VARIABLE: Final = Private(
    _API, "ContextVarsRuntimeContext", "_current_context", "a watched item costs three times as much"
)
RUNTIME_CONTEXT: Final = Private(
    _API, "opentelemetry.context", "_RUNTIME_CONTEXT", "a watched item costs three times as much"
)
METER_CONFIG: Final = Private(
    SDK, "MeterProvider", "_sdk_config", "the resource of a program's own MeterProvider is not known"
)
_SAME_INSTANCE: Final = "a forked child keeps its parent's service.instance.id"
UPDATE_RESOURCE: Final = Private(SDK, "TracerProvider", "_update_resource", _SAME_INSTANCE)
RESOURCE_ATTRIBUTES: Final = Private(SDK, "Resource", "_attributes", _SAME_INSTANCE)
_TWICE: Final = "a forked child counts what its parent had counted a second time"
CONSUMER: Final = Private(SDK, "MeterProvider", "_measurement_consumer", _TWICE)
CONSUMER_LOCK: Final = Private(SDK, "SynchronousMeasurementConsumer", "_lock", "a forked child may hang at an export")
CONSUMER_CONFIG: Final = Private(SDK, "SynchronousMeasurementConsumer", "_sdk_config", _TWICE)
STORAGES: Final = Private(SDK, "SynchronousMeasurementConsumer", "_reader_storages", _TWICE)
EXPORT_LOCK: Final = Private(
    SDK, "PeriodicExportingMetricReader", "_export_lock", "a forked child may hang at an export"
)
TEMPORALITY: Final = Private(
    SDK, "MetricExporter", "_preferred_temporality", "metrics go out with the SDK's default temporality"
)
AGGREGATION: Final = Private(
    SDK, "MetricExporter", "_preferred_aggregation", "metrics go out with the SDK's default aggregation"
)


def _official_http(name: str) -> Private:
    return Private(
        "opentelemetry-instrumentation-httpx",
        "opentelemetry.instrumentation.httpx",
        name,
        "the HTTP span of a request takes more time than it needs",
    )


NORMALIZE_HEADERS: Final = _official_http("_normalize_headers")
EXTRACT_PARAMETERS: Final = _official_http("_extract_parameters")


SPAN_KEY: Final = next(iter(set_span_in_context(INVALID_SPAN, Context())))
"""The key of a context's current span."""


def span_of(context: Context) -> Span:
    """As ``get_current_span``, which makes three calls more."""
    span = context.get(SPAN_KEY)
    return span if isinstance(span, Span) else INVALID_SPAN


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
