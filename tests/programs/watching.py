"""``instrument()`` with providers in memory, for one test."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

import autogen_streamtrace
from autogen_streamtrace.core.tracker import StreamTracker

_RESOURCE = Resource({"service.instance.id": "test"})


class _Ids(RandomIdGenerator):
    """Leaves the global random state alone, which Hypothesis watches while our thread works."""

    def __init__(self) -> None:
        self._random = random.Random()

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128) or 1


class Watching:
    """What was exported so far."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self.tracer_provider = TracerProvider(None, _RESOURCE, shutdown_on_exit=False, id_generator=_Ids())
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self._reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider(
            [self._reader], _RESOURCE, AlwaysOffExemplarFilter(), shutdown_on_exit=False
        )
        self.logger_provider = LoggerProvider(_RESOURCE, shutdown_on_exit=False)

    @property
    def providers(self) -> dict[str, Any]:
        """The keywords of ``instrument()``."""
        return {
            "tracer_provider": self.tracer_provider,
            "meter_provider": self.meter_provider,
            "logger_provider": self.logger_provider,
        }

    @property
    def tracker(self) -> StreamTracker:
        """The tracker of what is applied now."""
        watch = autogen_streamtrace.Instrumentor().watch
        assert watch is not None
        return watch.tracker

    def spans(self) -> list[ReadableSpan]:
        """Every span that has ended."""
        self.tracer_provider.force_flush()
        return list(self._spans.get_finished_spans())

    def reset_after_fork(self) -> None:
        """Lets go of the spans so far."""
        self._spans.clear()

    def span(self, name: str) -> ReadableSpan:
        """The one span of this name."""
        (span,) = [each for each in self.spans() if each.name == name]
        return span

    def parent(self, name: str) -> str | None:
        """The name of the parent of the one span of this name."""
        parent = self.span(name).parent
        if parent is None:
            return None
        return next((each.name for each in self.spans() if each.context.span_id == parent.span_id), "not exported")

    def outcome(self, name: str) -> Any:
        """How the one stream whose span has this name ended."""
        return (self.span(name).attributes or {}).get("streamtrace.outcome")

    def points(self, metric: str) -> dict[str, int]:
        """A counter's values by stream name."""
        self._reader.get_metrics_data()
        data = self._reader.get_metrics_data()
        found: dict[str, int] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for each in scope.metrics:
                    if each.name == metric:
                        for point in each.data.data_points:
                            name = str((point.attributes or {})["streamtrace.name"])
                            found[name] = found.get(name, 0) + int(getattr(point, "value", 0))
        return found


@contextlib.contextmanager
def watching(**settings: Any) -> Iterator[Watching]:
    """Instruments, and takes everything back."""
    told = Watching()
    autogen_streamtrace.instrument(**told.providers, **settings)
    try:
        yield told
    finally:
        autogen_streamtrace.uninstrument()
        told.tracer_provider.shutdown()
        told.meter_provider.shutdown()
        told.logger_provider.shutdown()
