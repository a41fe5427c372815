"""The SDK pipelines of this process: the provider, processors and exporters of each signal."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry import _logs, metrics, trace
from opentelemetry.environment_variables import OTEL_PYTHON_METER_PROVIDER, OTEL_PYTHON_TRACER_PROVIDER
from opentelemetry.sdk.resources import Resource

from autogen_streamtrace.neighbours.opentelemetry import renew_resource
from autogen_streamtrace.otlp import sdk
from autogen_streamtrace.otlp.delivery import Delivery
from autogen_streamtrace.otlp.environment import Signal, Target, targets
from autogen_streamtrace.otlp.resource import ProcessResource
from autogen_streamtrace.settings import SettingError


@dataclass(frozen=True)
class _Api:
    """How the OpenTelemetry API stores one signal's global provider, and how the SDK makes one.

    The API has two providers of its own: a no-op one, which a program may choose, and a placeholder.
    """

    get_global: Callable[[], Any]
    set_global: Callable[[Any], None]
    package: str
    none: type[Any]
    variable: str
    """Names a provider of another package, which the API then makes."""
    make: Callable[[Resource, list[Target]], tuple[Any, list[Delivery[Any]]]]

    def is_placeholder(self, provider: Any) -> bool:
        """Whether ``provider`` only stands in for one that is still to be set."""
        module = type(provider).__module__
        return (module == self.package or module.startswith(f"{self.package}.")) and type(provider) is not self.none


_APIS: Final[dict[Signal, _Api]] = {
    "traces": _Api(
        trace.get_tracer_provider,
        trace.set_tracer_provider,
        trace.__name__,
        trace.NoOpTracerProvider,
        OTEL_PYTHON_TRACER_PROVIDER,
        sdk.tracer_provider,
    ),
    "metrics": _Api(
        metrics.get_meter_provider,
        metrics.set_meter_provider,
        metrics.__name__,
        metrics.NoOpMeterProvider,
        OTEL_PYTHON_METER_PROVIDER,
        sdk.meter_provider,
    ),
    "logs": _Api(
        _logs.get_logger_provider,
        _logs.set_logger_provider,
        _logs.__name__,
        _logs.NoOpLoggerProvider,
        "OTEL_PYTHON_LOGGER_PROVIDER",
        sdk.logger_provider,
    ),
}


SIGNALS: Final[tuple[Signal, ...]] = tuple(_APIS)


@dataclass(frozen=True)
class Pipeline:
    """A provider of ours and what it exports through."""

    provider: Any
    deliveries: list[Delivery[Any]]

    def give_up(self) -> None:
        """Ends the provider's threads; it has nothing to export."""
        for delivery in self.deliveries:
            delivery.close()
        self.provider.shutdown()


def current(signal: Signal) -> Any:
    """The global provider of ``signal``; it may be the API's placeholder.

    Raises:
        SettingError: the API cannot make the provider that its variable for this signal names.
    """
    api = _APIS[signal]
    try:
        return api.get_global()
    except Exception as error:
        chosen = os.environ.get(api.variable)
        raise SettingError(
            f"{api.variable}: {chosen!r} is not allowed; allowed: a provider that is installed"
        ) from error


class Pipelines:
    """The pipelines that this package has set up in this process."""

    def __init__(self) -> None:
        self._open: dict[Signal, Pipeline] = {}
        self._closed: list[Any] = []
        self._failures = 0
        self._resource: ProcessResource | None = None

    def make(self, signals: Iterable[Signal]) -> None:
        """Makes a pipeline for each signal: all of them, or none. ``install`` makes them the global ones.

        Raises:
            SettingError: an ``OTEL_*`` variable with a value that cannot be used.
        """
        chosen = {signal: targets(signal) for signal in signals}
        self._resource = self._resource or ProcessResource()
        made: dict[Signal, Pipeline] = {}
        for signal, wanted in chosen.items():
            try:
                made[signal] = Pipeline(*_APIS[signal].make(self._resource.resource, wanted))
            except Exception as error:  # what an exporter of another package raises, too
                for each in made.values():
                    each.give_up()
                raise SettingError(f"a value of an OTEL_* variable for {signal} is not allowed: {error}") from error
        self._open.update(made)

    def install(self) -> None:
        """Makes our open providers the global ones, where there are none.

        The API accepts a global provider once. One that replaces a shut-down one is therefore known to us only.
        """
        for signal, pipeline in self._open.items():
            if _APIS[signal].is_placeholder(current(signal)):
                _APIS[signal].set_global(pipeline.provider)

    def discard(self, signals: Iterable[Signal]) -> None:
        """Undoes ``make`` before anything has used the pipelines."""
        for signal in signals:
            pipeline = self._open.pop(signal, None)
            if pipeline is not None:
                pipeline.give_up()

    def found(self, signal: Signal, given: Any = None) -> Any:
        """``given``, else our open one, else the global one; ``None`` where that is a placeholder or shut down."""
        for provider in (given, self._provider(signal), current(signal)):
            if provider is not None and not _APIS[signal].is_placeholder(provider):
                return None if self.closed(provider) else provider
        return None

    def owns(self, signal: Signal, provider: Any) -> bool:
        """Whether ``provider`` is our open one of ``signal``."""
        return provider is not None and provider is self._provider(signal)

    def closed(self, provider: Any) -> bool:
        """Whether ``provider`` was ours and is shut down."""
        return any(provider is each for each in self._closed)

    def close(self, signal: Signal) -> None:
        """Gives up the exports of ``signal`` that are under way; its pipeline counts as shut down from now on."""
        pipeline = self._open.pop(signal, None)
        if pipeline is not None:
            self._closed.append(pipeline.provider)
            self._failures += sum(delivery.failures for delivery in pipeline.deliveries)
            for delivery in pipeline.deliveries:
                delivery.close()

    def send(self, signal: Signal, batch: Any) -> bool:
        """Exports ``batch`` through every exporter of ``signal``; True if all accepted it."""
        if signal not in self._open:
            return False
        taken = [each.succeeds(lambda exporter: exporter.export(batch)) for each in self._open[signal].deliveries]
        return all(taken)

    def failures(self) -> int:
        """How many exports failed in this process."""
        return self._failures + sum(delivery.failures for delivery in self.deliveries())

    def _provider(self, signal: Signal) -> Any:
        return self._open[signal].provider if signal in self._open else None

    def open(self) -> list[tuple[Signal, Any]]:
        """Our open providers."""
        return [(signal, pipeline.provider) for signal, pipeline in self._open.items()]

    def deliveries(self) -> list[Delivery[Any]]:
        """The exporters of every open pipeline."""
        return [delivery for pipeline in self._open.values() for delivery in pipeline.deliveries]

    def after_fork(self) -> None:
        """In a forked child: gives it its own exporters and instance id, and starts its metrics at zero."""
        self._failures = 0
        for delivery in self.deliveries():
            delivery.after_fork()
        for pipeline in self._open.values():
            if self._resource is not None:
                renew_resource(pipeline.provider, self._resource.in_child())
            if isinstance(pipeline.provider, sdk.TwiceCollectingMeterProvider):
                pipeline.provider.start_anew()
