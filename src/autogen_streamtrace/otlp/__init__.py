"""The OpenTelemetry SDK where the program has set none up: traces, metrics and logs over OTLP.

``providers`` finds or makes the three providers. ``flush`` and ``shutdown`` export what they hold, in bounded time.
Our providers do not shut down by their own ``atexit``: they all end together, after everything that still uses them.
"""

import functools
import threading
import time
from collections.abc import Set
from functools import partial
from typing import Any, Final

from opentelemetry import _logs, metrics, trace

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.process_end import ProcessEnd
from autogen_streamtrace.neighbours import opentelemetry as private
from autogen_streamtrace.otlp import fork
from autogen_streamtrace.otlp.bounded import Call, Helpers
from autogen_streamtrace.otlp.delivery import Delivery
from autogen_streamtrace.otlp.environment import Signal, Target, sdk_disabled
from autogen_streamtrace.otlp.exporters import arrivals, event_arrivals
from autogen_streamtrace.otlp.pipelines import SIGNALS, Pipelines, current
from autogen_streamtrace.otlp.provider_set import (
    Providers,
    check,
    warn_of_configuration_file,
    warn_of_shared_instance,
)
from autogen_streamtrace.otlp.sdk import TwiceCollectingMeterProvider

__all__ = [
    "SIGNALS",
    "Providers",
    "Signal",
    "arrivals",
    "check",
    "discard",
    "endpoints",
    "event_arrivals",
    "export_failures",
    "find_or_make",
    "flush",
    "install",
    "providers",
    "resource",
    "sdk_disabled",
    "send",
    "shutdown",
    "start_threads",
]

_BESIDE: Final = "endpoints"
"""The name of the thread that looks after endpoints while those of the signals wait for them."""
_ANSWER: Final = 0.2
"""Seconds that it may take for one thing."""
_SHARE_FOR_CLOSING: Final = 0.1
"""Share of a shutdown's time that is reserved for closing the exporters."""

_pipelines = Pipelines()
_helpers: Helpers = Helpers()
_lock = threading.Lock()


def providers(
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
    logger_provider: _logs.LoggerProvider | None = None,
) -> Providers:
    """For each signal the given provider, else the program's global one, else ours, which becomes the global one.

    The API's placeholder (``ProxyTracerProvider``) counts as none. With ``OTEL_SDK_DISABLED`` nothing is made.

    Raises:
        SettingError: an ``OTEL_*`` variable with a value that cannot be used; nothing is set up then.
    """
    chosen = find_or_make(tracer_provider, meter_provider, logger_provider)
    install(chosen)
    return chosen


def find_or_make(
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
    logger_provider: _logs.LoggerProvider | None = None,
) -> Providers:
    """As ``providers``, but no provider is global yet. Call ``install`` or ``discard`` next.

    Raises:
        SettingError: an ``OTEL_*`` variable with a value that cannot be used; nothing is made then.
    """
    given: dict[Signal, Any] = {"traces": tracer_provider, "metrics": meter_provider, "logs": logger_provider}
    with _lock:
        missing = [signal for signal in SIGNALS if _pipelines.found(signal, given[signal]) is None]
        if sdk_disabled():
            missing = []
        if missing:
            warn_of_configuration_file()
            _pipelines.make(missing)
        chosen = {signal: _pipelines.found(signal, given[signal]) or current(signal) for signal in SIGNALS}
    ours = frozenset(signal for signal in SIGNALS if _pipelines.owns(signal, chosen[signal]))
    return Providers(chosen["traces"], chosen["metrics"], chosen["logs"], ours, frozenset(missing))


def install(providers: Providers) -> None:
    """Makes our providers the global ones, and ends them when the process ends."""
    with _lock:
        _pipelines.install()
    theirs = {signal: each for signal, each in providers.by_signal().items() if signal not in providers.ours}
    warn_of_shared_instance(theirs)
    start_threads()
    fork.watch(_pipelines.deliveries, _after_fork)
    if providers.ours:
        _end_with_process()


def discard(providers: Providers) -> None:
    """Undoes ``find_or_make``."""
    with _lock:
        _pipelines.discard(providers.made)


def start_threads() -> None:
    """Starts the threads that call providers. A forked child has none of its parent's threads."""
    for name in (*SIGNALS, _BESIDE):
        _helpers.start(name)


def flush(providers: Providers, timeout: float = 5.0) -> bool:
    """Exports everything recorded so far; collects metrics twice. Never raises.

    It does not wait for an endpoint that has refused connections and never accepted anything.

    Args:
        providers: ours or the program's; one without ``force_flush`` is skipped.
        timeout: seconds for all of it; what takes longer goes on in the background.

    Returns:
        Whether every provider returned in time and no export of ours failed meanwhile.
    """
    with contained("flushing"):
        deadline, failures = time.monotonic() + timeout, export_failures()
        calls: dict[str, Call] = {signal: partial(_flush, each, deadline) for signal, each in _flushable(providers)}
        return not _run(calls, timeout) and export_failures() == failures
    return False


def shutdown(providers: Providers, timeout: float = 5.0) -> None:
    """Flushes, then ends the providers that are ours. Never raises.

    Args:
        providers: the program's own are only flushed.
        timeout: seconds for all of it; exports still under way then are given up, and their data is lost.
    """
    with contained("shutting down"):
        _shutdown(_flushable(providers), timeout)


def _shutdown(providers: list[tuple[Signal, Any]], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    ours = [signal for signal, provider in providers if _pipelines.owns(signal, provider)]
    calls: dict[str, Call] = {}
    for signal, provider in providers:
        calls[signal] = partial(_end if signal in ours else _flush, provider, deadline)
    _run(calls, timeout * (1 - _SHARE_FOR_CLOSING))
    for signal in ours:
        _pipelines.close(signal)


def send(signal: Signal, batch: Any) -> bool:
    """Exports a batch of ready-made spans, log records or metrics through our exporters of ``signal``, if any.

    Blocks until done; returns whether every exporter accepted the batch.
    """
    return _pipelines.send(signal, batch)


def resource(providers: Providers) -> Any:
    """The resource of the telemetry; ``None`` where no provider is the SDK's."""
    return next(filter(None, map(private.resource, providers.by_signal().values())), None)


def endpoints() -> dict[str, list[str]]:
    """The addresses of our open exporters, by signal."""
    found: dict[str, list[str]] = {}
    for delivery in _pipelines.deliveries():
        found.setdefault(delivery.target.signal, []).append(delivery.target.address)
    return {signal: sorted(addresses) for signal, addresses in found.items()}


def export_failures() -> int:
    """How many exports of ours failed in this process."""
    return _pipelines.failures()


@functools.cache
def _end_with_process() -> ProcessEnd:
    return ProcessEnd(lambda: _shutdown(_pipelines.open(), 5.0))


def _after_fork() -> None:
    _pipelines.after_fork()
    _helpers.after_fork()


def _flushable(providers: Providers) -> list[tuple[Signal, Any]]:
    """The providers that can be flushed: not ours once shut down, nor a program's without ``force_flush``."""
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


def _run(calls: dict[str, Call], timeout: float) -> set[str]:
    """Makes each signal's call, and warns of the endpoints that block them. Returns the signals that are not done."""
    troubled = [each for each in _pipelines.deliveries() if each.target.signal in calls and each.troubled]
    if troubled:
        _helpers.run({_BESIDE: partial(_hurry, troubled)}, _ANSWER)
    late = _helpers.run(calls, timeout, partial(_in_vain, set()))
    for delivery in _pipelines.deliveries():
        if delivery.target.signal in late and delivery.busy:
            delivery.warn("no answer in time")
    return late


def _hurry(deliveries: list[Delivery[Any]]) -> None:
    for each in deliveries:
        each.hurry()


def _in_vain(listening: set[str], late: Set[str]) -> bool:
    """Whether nothing listens at the endpoints of these signals, so that waiting for their exports is useless.

    ``listening`` collects the endpoints that listen, or that could not be checked in time: each is checked once.
    """
    waiting = [each for each in _pipelines.deliveries() if each.target.signal in late and each.busy]
    if not waiting or not late <= {each.target.signal for each in waiting} or any(map(_has_hope, waiting)):
        return False
    targets = {each.target.endpoint: each.target for each in waiting}
    if listening & targets.keys():
        return False
    listening.update(targets)
    _helpers.run({_BESIDE: lambda: listening.difference_update(_deserted(targets))}, _ANSWER)
    return not listening & targets.keys()


def _deserted(targets: dict[str, Target]) -> list[str]:
    return [endpoint for endpoint, target in targets.items() if not target.listens()]


def _has_hope(delivery: Delivery[Any]) -> bool:
    """Whether it has delivered before, or no attempt has failed yet."""
    return delivery.delivered or not delivery.troubled
