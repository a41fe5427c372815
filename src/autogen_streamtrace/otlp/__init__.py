"""The OpenTelemetry SDK where the program has set none up: traces, metrics and logs over OTLP.

``providers`` finds or makes the three providers; ``flush`` and ``shutdown`` bring out what they hold, in bounded time.
Who calls ``providers`` calls ``shutdown`` at the end: no provider of ours is shut down by ``atexit``.
"""

import logging
import os
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.neighbours import opentelemetry as private
from autogen_streamtrace.otlp import fork
from autogen_streamtrace.otlp.bounded import Call, Helpers
from autogen_streamtrace.otlp.environment import Signal, sdk_disabled
from autogen_streamtrace.otlp.exporters import arrivals
from autogen_streamtrace.otlp.pipelines import SIGNALS, Pipelines, current
from autogen_streamtrace.otlp.sdk import TwiceCollectingMeterProvider

__all__ = [
    "SIGNALS",
    "Providers",
    "Signal",
    "arrivals",
    "export_failures",
    "flush",
    "providers",
    "resource",
    "sdk_disabled",
    "send",
    "shutdown",
]

OTEL_CONFIG_FILE: Final = "OTEL_CONFIG_FILE"
"""The SDK has no name of its own for it before 1.43."""

_LEFT_FOR_CLOSING: Final = 0.1
"""Share of a shutdown's time that is kept for closing the exporters."""

_logger = logging.getLogger(__name__)
_pipelines = Pipelines()
_helpers: Helpers[Signal] = Helpers()
_lock = threading.Lock()
_said: set[str] = set()


@dataclass(frozen=True)
class Providers:
    """Where telemetry goes, and for which of ``traces``, ``metrics``, ``logs`` the provider is one of ours."""

    tracer_provider: trace.TracerProvider
    meter_provider: metrics.MeterProvider
    logger_provider: _logs.LoggerProvider
    ours: frozenset[str] = frozenset()

    def by_signal(self) -> dict[Signal, Any]:
        """The provider of each signal."""
        return {"traces": self.tracer_provider, "metrics": self.meter_provider, "logs": self.logger_provider}


def providers(
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
    logger_provider: _logs.LoggerProvider | None = None,
) -> Providers:
    """For each signal the given provider, else the program's global one, else one of ours, set as the global one.

    The API's placeholder (``ProxyTracerProvider``) counts as none. With ``OTEL_SDK_DISABLED`` nothing is made.

    Raises:
        SettingError: an ``OTEL_*`` variable with a value that cannot be used; nothing is set up then.
    """
    given: dict[Signal, Any] = {"traces": tracer_provider, "metrics": meter_provider, "logs": logger_provider}
    with _lock:
        if not sdk_disabled():
            _make([signal for signal in SIGNALS if _pipelines.found(signal, given[signal]) is None])
        chosen = {signal: _pipelines.found(signal, given[signal]) or current(signal) for signal in SIGNALS}
    ours = frozenset(signal for signal in SIGNALS if _pipelines.owns(signal, chosen[signal]))
    _warn_of_shared_instance({signal: chosen[signal] for signal in SIGNALS if signal not in ours})
    return Providers(chosen["traces"], chosen["metrics"], chosen["logs"], ours)


def flush(providers: Providers, timeout: float = 5.0) -> None:
    """Has everything recorded so far exported; metrics are collected twice. Never raises.

    Args:
        providers: ours or the program's; one without ``force_flush`` is passed over.
        timeout: seconds for all of it; what takes longer goes on by itself.
    """
    with contained("flushing"):
        deadline = time.monotonic() + timeout
        _run({signal: partial(_flush, each, deadline) for signal, each in _flushable(providers)}, timeout)


def shutdown(providers: Providers, timeout: float = 5.0) -> None:
    """Flushes, then ends the providers that are ours. Never raises.

    Args:
        providers: the program's own are flushed only.
        timeout: seconds for all of it; exports still under way then are given up, and what they held is lost.
    """
    with contained("shutting down"):
        deadline = time.monotonic() + timeout
        calls: dict[Signal, Call] = {}
        for signal, provider in _flushable(providers):
            ending = _end if _pipelines.owns(signal, provider) else _flush
            calls[signal] = partial(ending, provider, deadline)
        _run(calls, timeout * (1 - _LEFT_FOR_CLOSING))
        for signal in SIGNALS:
            if signal in providers.ours:
                _pipelines.close(signal)


def send(signal: Signal, batch: Any) -> bool:
    """Exports a batch of ready-made spans, log records or metrics through our exporters of ``signal``, if any.

    Returns whether all of them took it. Waits for it.
    """
    return _pipelines.send(signal, batch)


def resource(providers: Providers) -> Any:
    """The SDK's resource under which the telemetry goes out; ``None`` where no provider is the SDK's."""
    return next(filter(None, map(private.resource, providers.by_signal().values())), None)


def export_failures() -> int:
    """How many exports of ours failed in this process."""
    return _pipelines.failures()


def _make(signals: list[Signal]) -> None:
    if signals:
        _warn_of_configuration_file()
        _pipelines.make(signals)
    for signal in SIGNALS:
        _helpers.start(signal)
    fork.watch(_pipelines.deliveries, _after_fork)


def _after_fork() -> None:
    _pipelines.after_fork()
    _helpers.after_fork()


def _flushable(providers: Providers) -> list[tuple[Signal, Any]]:
    """A shut-down provider of ours has nothing left to flush; one of the program's may not flush at all."""
    return [
        (signal, provider)
        for signal, provider in providers.by_signal().items()
        if hasattr(provider, "force_flush") and not _pipelines.closed(provider)
    ]


def _flush(provider: Any, deadline: float) -> None:
    foreign_metrics = isinstance(provider, metrics.MeterProvider) and not isinstance(
        provider, TwiceCollectingMeterProvider
    )
    for _ in range(2 if foreign_metrics else 1):
        provider.force_flush(max(1, int((deadline - time.monotonic()) * 1000)))


def _end(provider: Any, deadline: float) -> None:
    try:
        if not isinstance(provider, TwiceCollectingMeterProvider):
            _flush(provider, deadline)
    finally:
        provider.shutdown()


def _run(calls: dict[Signal, Call], timeout: float) -> None:
    """Makes the calls, and tells of the endpoints that keep them from returning."""
    late = _helpers.run(calls, timeout)
    for delivery in _pipelines.deliveries():
        if delivery.target.signal in late and delivery.busy:
            delivery.warn("no answer in time")


def _warn_of_shared_instance(foreign: dict[Signal, Any]) -> None:
    resources = {signal: private.resource(provider) for signal, provider in foreign.items()}
    nameless = [
        signal for signal, each in resources.items() if each is not None and SERVICE_INSTANCE_ID not in each.attributes
    ]
    if nameless and "instance" not in _said:
        _said.add("instance")
        _logger.warning(
            "The program's own OpenTelemetry provider for %s has no %s in its resource. Two processes of one service"
            " then share their time series and their counts make no sense: give each process its own.",
            ", ".join(nameless),
            SERVICE_INSTANCE_ID,
        )


def _warn_of_configuration_file() -> None:
    if os.environ.get(OTEL_CONFIG_FILE) and "file" not in _said:
        _said.add("file")
        _logger.warning(
            "%s is set, but only the other OTEL_* variables are read here. To use the file, let the program or"
            " opentelemetry-instrument set the SDK up from it before instrument() is called.",
            OTEL_CONFIG_FILE,
        )
