"""Tracers for the official HTTP instrumentation, which make light spans of its spans."""

import time
from contextlib import AbstractContextManager
from typing import Any

from opentelemetry.context import get_current
from opentelemetry.trace import Span, SpanKind, Tracer, TracerProvider, use_span
from opentelemetry.util.types import Attributes

from autogen_streamtrace.neighbours.opentelemetry_spans import LightSpans, light_spans_of


class LightTracers(TracerProvider):
    """The tracers of a provider, whose spans are light where they can be."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    def get_tracer(self, *args: Any, **kwargs: Any) -> Tracer:
        tracer = self._provider.get_tracer(*args, **kwargs)
        spans = light_spans_of(tracer)
        return tracer if spans is None else _LightTracer(tracer, spans)


class _LightTracer(Tracer):
    """A tracer as far as the official HTTP instrumentation uses one."""

    def __init__(self, tracer: Tracer, spans: LightSpans) -> None:
        self._tracer = tracer
        self._spans = spans

    def start_span(self, *args: Any, **kwargs: Any) -> Span:
        return self._tracer.start_span(*args, **kwargs)

    def start_as_current_span(  # type: ignore[override]
        self, name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes = None, **others: Any
    ) -> AbstractContextManager[Span]:
        """As the SDK's. The span starts at once, so this is no decorator."""
        if not others:
            span = self._spans.start(name, get_current(), kind, dict(attributes or {}), time.time_ns())
            if span is not None:
                return use_span(span, end_on_exit=True)
        return self._tracer.start_as_current_span(name, kind=kind, attributes=attributes, **others)
