"""Lets ``force_flush()`` and ``shutdown()`` of the SDK's providers send what our thread has not yet handed to them."""

import weakref
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from autogen_streamtrace.neighbours.opentelemetry import log_processor_first, span_processor_first

Drain = Callable[[], None]

_drains: Final[weakref.WeakKeyDictionary[Any, list[Drain]]] = weakref.WeakKeyDictionary()
"""What is drained before a provider's own processors flush."""


def drain_before_flush(tracer_provider: Any, logger_provider: Any, drain: Drain) -> Callable[[], None]:
    """Calls ``drain`` before ``tracer_provider`` and ``logger_provider`` flush or shut down; returns how to stop it.

    Providers that are not the SDK's are left alone.
    """
    watched = [provider for provider in (tracer_provider, logger_provider) if _reaches(provider)]
    for provider in watched:
        _drains[provider].append(drain)

    def stop() -> None:
        for provider in watched:
            _drains[provider].remove(drain)

    return stop


def _reaches(provider: Any) -> bool:
    """Puts a processor of ours before all others, once for each provider: last, they have flushed, or shut down."""
    if provider in _drains:
        return True
    drains: list[Drain] = []
    if isinstance(provider, TracerProvider):
        span_processor_first(provider, _SpanDrain(drains))
    elif isinstance(provider, LoggerProvider):
        log_processor_first(provider, _LogDrain(drains))
    else:
        return False
    _drains[provider] = drains
    return True


def _run(drains: list[Drain]) -> bool:
    for drain in list(drains):
        drain()
    return True


class _SpanDrain(SpanProcessor):
    def __init__(self, drains: list[Drain]) -> None:
        self._all = drains

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return _run(self._all)

    def shutdown(self) -> None:
        _run(self._all)


class _LogDrain(LogRecordProcessor):
    def __init__(self, drains: list[Drain]) -> None:
        self._all = drains

    def on_emit(self, log_record: Any) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return _run(self._all)

    def shutdown(self) -> None:
        _run(self._all)
