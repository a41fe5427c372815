"""Lets a provider's ``force_flush()`` send what our own thread has not yet handed to it."""

import threading
from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

Drain = Callable[[], None]


def drain_before_flush(tracer_provider: Any, logger_provider: Any, drain: Drain) -> None:
    """Drains on ``force_flush()`` and ``shutdown()`` of the SDK's tracer and logger providers.

    A provider flushes its processors in the order in which they were added: ours drains, and where that brought
    something new it flushes the provider once more.
    """
    if isinstance(tracer_provider, TracerProvider):
        tracer_provider.add_span_processor(_SpanDrain(drain, tracer_provider))
    add = getattr(logger_provider, "add_log_record_processor", None)
    if add is not None:
        add(_log_drain(drain, logger_provider))


class _Again:
    """Drains, then flushes the provider again, without end in itself."""

    def __init__(self, drain: Drain, provider: Any) -> None:
        self._drain = drain
        self._provider = provider
        self._inside = threading.local()

    def __call__(self, timeout_millis: int = 30000) -> bool:
        if getattr(self._inside, "flushing", False):
            return True
        self._inside.flushing = True
        try:
            self._drain()
            return bool(self._provider.force_flush(timeout_millis))
        finally:
            self._inside.flushing = False


class _SpanDrain(SpanProcessor):
    def __init__(self, drain: Drain, provider: Any) -> None:
        self._again = _Again(drain, provider)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._again(timeout_millis)


def _log_drain(drain: Drain, provider: Any) -> Any:
    from opentelemetry.sdk._logs import LogRecordProcessor

    class LogDrain(LogRecordProcessor):
        def __init__(self) -> None:
            self._again = _Again(drain, provider)

        def on_emit(self, log_record: Any) -> None:
            pass

        def shutdown(self) -> None:
            pass

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            return self._again(timeout_millis)

    return LogDrain()
