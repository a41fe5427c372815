"""Light spans: spans of OpenTelemetry's SDK that make what few of them need only when it is asked for.

A span of the SDK's makes four locks and two deques when it starts, and copies and cleans its attributes. A light span
is such a span, by its class, and whoever has it may do with it what the SDK allows: then it makes what is missing.
What nobody has touched is ended at one go.

This depends on the SDK's private names as a whole. So a light span is compared with the SDK's own before any is used.
"""

import functools
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
)

from autogen_streamtrace.neighbours import GoneError, Private
from autogen_streamtrace.neighbours.opentelemetry import SDK, span_of
from autogen_streamtrace.neighbours.opentelemetry_light import PLAIN, KnownProcessors, comes_out_alike, light_of

_SLOWER: Final = "a span costs more"
LIMITS: Final = Private(SDK, "Tracer", "_span_limits", _SLOWER)
SCOPE: Final = Private(SDK, "Tracer", "_instrumentation_scope", _SLOWER)
METRICS: Final = Private(SDK, "Tracer", "_tracer_metrics", _SLOWER)
ENABLED: Final = Private(SDK, "Tracer", "_is_enabled", _SLOWER)
PROCESSORS: Final = Private(SDK, "SynchronousMultiSpanProcessor", "_span_processors", _SLOWER)

_PLAIN_OR_TUPLE: Final = PLAIN | {tuple}
_ROOMS: Final = frozenset({"_lock", "_attributes", "_events", "_links"})
"""What a light span makes when it is asked for."""
_FLAGS: Final = {flags: TraceFlags(flags) for flags in range(4)}


class LightSpans:
    """The light spans of a tracer.

    They cannot be told from the SDK's own: the sampler decides, and the processors get the same at the end. At the
    start they get nothing, so each of them has to be one of those that ask for nothing.

    Raises:
        GoneError: the tracer's are not the SDK's, or have settings for which there are no light spans.
    """

    def __init__(self, tracer: Any) -> None:
        from opentelemetry.sdk import trace
        from opentelemetry.sdk.trace import sampling
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

        self._tracer = tracer
        limits, metrics = LIMITS.need(tracer), METRICS.need(tracer)
        for thing, is_known in (
            (PROCESSORS, type(tracer.span_processor) is trace.SynchronousMultiSpanProcessor),
            (LIMITS, limits.max_span_attribute_length is None and type(tracer) is trace.Tracer),
            (METRICS, type(metrics).__name__ == "NoOpTracerMetrics"),
        ):
            if not is_known:
                raise GoneError(thing)
        self._most: int | None = limits.max_span_attributes
        self._is_enabled: Callable[[], bool] = ENABLED.need(tracer)
        PROCESSORS.need(tracer.span_processor)
        self._known = KnownProcessors(PROCESSORS, BatchSpanProcessor, SimpleSpanProcessor)
        """Those that do not look at a span before its end."""
        self._default = sampling.DEFAULT_ON
        """It takes every span but those inside one that was not taken, so it need not be asked about the others."""
        self._readable: Any = trace.ReadableSpan
        self._class: Any = _class_for(tracer, self.end)
        self._new: Any = self._class.__new__

    def start(
        self, name: str, context: Context, kind: SpanKind, attributes: dict[str, Any], start_time: int
    ) -> Span | None:
        """As ``Tracer.start_span``; None where the span has to be the SDK's own. ``attributes`` become the span's."""
        if not self._is_enabled() or not self._known.are_all_of(self._tracer.span_processor):
            return None
        tracer, parent = self._tracer, span_of(context).get_span_context()
        ids = tracer.id_generator
        state: TraceState | None
        trace_id, _, _, above, state, is_inside = parent
        is_random = bool(above & TraceFlags.RANDOM_TRACE_ID)
        if not is_inside:
            trace_id, state, is_random = ids.generate_trace_id(), None, ids.is_trace_id_random()
        initial, flags, is_recording = attributes, TraceFlags.SAMPLED, True
        if tracer.sampler is not self._default or (is_inside and not above & TraceFlags.SAMPLED):
            sampled = tracer.sampler.should_sample(context, trace_id, name, kind, attributes, ())
            initial, state, is_recording = sampled.attributes, sampled.trace_state, sampled.decision.is_recording()
            flags = TraceFlags.SAMPLED if sampled.decision.is_sampled() else TraceFlags.DEFAULT
        if is_random:
            flags |= TraceFlags.RANDOM_TRACE_ID
        own = SpanContext(trace_id, ids.generate_span_id(), False, _FLAGS[flags], state)
        if not is_recording:
            return NonRecordingSpan(own)
        span = self._new(self._class)
        span._name = name
        span._context = own
        span._parent = parent if is_inside else None
        span._kind = kind
        span._resource = tracer.resource
        span._start_time = start_time
        span._initial = attributes
        if initial is not attributes:
            span._initial = dict(initial or {})
            if span._initial != attributes:
                span._attributes  # noqa: B018 - made now: the SDK has to clean what the sampler said
        found: Span = span
        return found

    def end(self, span: Span, attributes: Mapping[str, Any], status: Status | None, end_time: int) -> bool:
        """Sets attributes and status, and ends a light span; returns whether that could be done at one go."""
        own = vars(span)
        if (
            type(span) is not self._class
            or not _ROOMS.isdisjoint(own)
            or not self._known.are_all_of(self._tracer.span_processor)
        ):
            return False
        initial = own["_initial"]
        merged = {**initial, **attributes}
        full = self._most is not None and len(merged) > self._most
        repeated = len(merged) != len(initial) + len(attributes)
        plain = PLAIN.issuperset(map(type, initial.values())) and "" not in initial
        if full or repeated or not plain or not _PLAIN_OR_TUPLE.issuperset(map(type, attributes.values())):
            return False  # the SDK has to clean them
        own["_end_time"] = end_time
        own["_attributes"] = merged
        if status is not None:
            own["_status"] = status
        self._tracer.span_processor.on_end(self._read(span))
        return True

    def _read(self, span: Any) -> Any:
        return self._readable(
            name=span._name,
            context=span._context,
            parent=span._parent,
            resource=span._resource,
            attributes=span._attributes,
            kind=span._kind,
            status=span._status,
            start_time=span._start_time,
            end_time=span._end_time,
            instrumentation_info=span._instrumentation_info,
            instrumentation_scope=span._instrumentation_scope,
        )


def _class_for(tracer: Any, end_light: Callable[[Any, Mapping[str, Any], None, int], bool]) -> Any:
    """The class of a tracer's light spans: what all of them have in common are its attributes."""
    from opentelemetry.attributes import BoundedAttributes
    from opentelemetry.sdk.trace import Span as SdkSpan

    limits = LIMITS.need(tracer)

    class _Span(SdkSpan):
        _initial: dict[str, Any]
        _end_time: int | None = None
        _status = Status(StatusCode.UNSET)
        _sampler = tracer.sampler
        _trace_config = None
        _record_exception = _set_status_on_exception = True
        _span_processor = tracer.span_processor
        _limits = limits
        _instrumentation_info = tracer.instrumentation_info
        _instrumentation_scope = SCOPE.need(tracer)
        _record_end_metrics = None

        def __getattr__(self, name: str) -> Any:
            """Called where an instance lacks an attribute. Two threads that make the same get the same."""
            made: Any
            if name == "_lock":
                made = threading.Lock()
            elif name == "_attributes":
                length = limits.max_span_attribute_length
                initial = dict(self._initial)  # another thread may write to it
                made = BoundedAttributes(limits.max_span_attributes, initial, False, length)
            elif name == "_events":
                made = self._new_events()  # type: ignore[no-untyped-call]
            elif name == "_links":
                made = self._new_links(())
            else:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return vars(self).setdefault(name, made)

        def set_attribute(self, key: str, value: Any) -> None:
            own = vars(self)
            initial = own["_initial"]
            if "_attributes" not in own and type(key) is str and type(value) in PLAIN and key not in initial:
                initial[key] = value
                if "_attributes" not in own:  # another thread may have made them meanwhile
                    return
            super().set_attribute(key, value)

        def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
            if self._end_time is not None or not isinstance(status, Status) or status.status_code != StatusCode.UNSET:
                super().set_status(status, description)

        def end(self, end_time: int | None = None) -> None:
            if not end_light(self, {}, None, time.time_ns() if end_time is None else end_time):
                super().end(end_time)

    return _Span


# -- the trial


@functools.cache
def are_known() -> bool:
    """Whether light spans come out as those of the installed SDK do."""
    return comes_out_alike(_trial, "Spans")


def _trial(*, light: bool) -> list[list[Any]]:
    """Three spans, as their processor gets them: one that nobody touched, one that had success, and one that failed."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import DEFAULT_ON

    class _Ids(IdGenerator):
        def generate_span_id(self) -> int:
            return 1

        def generate_trace_id(self) -> int:
            return 2

        def is_trace_id_random(self) -> bool:
            return True

    exporter = InMemorySpanExporter()
    provider = TracerProvider(DEFAULT_ON, Resource({"a": "b"}), False, None, _Ids())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer: Tracer = provider.get_tracer("autogen_streamtrace")
    spans = LightSpans(tracer)
    for touch in (_leave, _succeed, _fail):
        start: Any = spans.start if light else tracer.start_span
        span = start("name", Context(), kind=SpanKind.CLIENT, attributes={"a": 1, "b": "c"}, start_time=3)
        status = touch(span)
        if span.is_recording():
            end_span(span, {"e": 0.5, "f": ("g", "h")}, status, 5, spans if light else None)
    return [_told(each) for each in exporter.get_finished_spans()]


def _leave(span: Any) -> None:
    """Does nothing."""


def _succeed(span: Any) -> None:
    """Does what the official HTTP instrumentation does where a request has an answer."""
    span.set_attribute("d", True)
    span.set_status(Status(StatusCode.UNSET))
    span.end(5)


def _fail(span: Any) -> Status:
    span.add_event("event", {"a": 1}, 4)
    span.set_attribute("d", True)
    return Status(StatusCode.ERROR, "failed")


def _told(span: Any) -> list[Any]:
    dropped = (span.dropped_attributes, span.dropped_events, span.dropped_links)
    return [span.to_json(), span.kind, span.status.description, span.instrumentation_scope, span.context, dropped]


def end_span(
    span: Span, attributes: Mapping[str, Any], status: Status | None, end_time: int, light: LightSpans | None
) -> None:
    """Sets a span's attributes and status, and ends it."""
    if light is not None and light.end(span, attributes, status, end_time):
        return
    if span.is_recording():
        if status is not None:
            span.set_status(status)
        span.set_attributes(attributes)
    span.end(end_time)


def light_spans_of(tracer: Any) -> LightSpans | None:
    """The light spans of a tracer; None where its spans have to be the SDK's own."""
    return light_of(tracer, LightSpans, are_known)
