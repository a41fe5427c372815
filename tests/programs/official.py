"""One request through the official HTTP instrumentation, whatever answers it."""

import contextlib
from collections.abc import Callable
from typing import Any

import httpx
from opentelemetry.instrumentation import httpx as official
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Sampler
from opentelemetry.trace import TracerProvider as AnyProvider


def spans_of(
    request: httpx.Request,
    answer: Callable[[httpx.Request], httpx.Response],
    sampler: Sampler = DEFAULT_ON,
    tracers: Callable[[TracerProvider], AnyProvider] = lambda provider: provider,
    raises: tuple[type[BaseException], ...] = (),
    **hooks: Any,
) -> tuple[ReadableSpan, ...]:
    """What is exported of it; ``raises`` is what it may end with."""
    spans, provider = InMemorySpanExporter(), TracerProvider(sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    transport = official.SyncOpenTelemetryTransport(httpx.MockTransport(answer), tracers(provider), **hooks)
    with contextlib.suppress(*raises):
        transport.handle_request(request)
    return spans.get_finished_spans()
