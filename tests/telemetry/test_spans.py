"""A light span comes out as the SDK's own: whatever is recorded, and whatever the program does with it meanwhile."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    ReadableSpan,
    SpanLimits,
    SpanProcessor,
    TracerProvider,
)
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_ON,
    Decision,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.state import StreamInfo
from autogen_streamtrace.core.telemetry.spans import Spans
from autogen_streamtrace.neighbours import opentelemetry_spans

pytestmark = pytest.mark.once

ERROR = Status(StatusCode.ERROR, "failed")


class Ids(RandomIdGenerator):
    """Counts."""

    def __init__(self) -> None:
        self.last = 0

    def generate_span_id(self) -> int:
        self.last += 1
        return self.last

    generate_trace_id = generate_span_id


class Marking(Sampler):
    """Decides, adds an attribute, and changes the trace state."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision

    def should_sample(self, *seen: Any, **more: Any) -> SamplingResult:
        _, _, name, kind, attributes, links = seen
        marks = {**attributes, "sampler": [str(each) for each in (name, kind, links)]}
        return SamplingResult(self.decision, marks, TraceState([("sampler", "marks")]))

    def get_description(self) -> str:
        return "marking"


SAMPLERS = [ALWAYS_ON, ALWAYS_OFF, DEFAULT_ON, *map(Marking, Decision)]
PARENTS = [Context()] + [
    set_span_in_context(NonRecordingSpan(SpanContext(trace, 8, remote, TraceFlags(flags), TraceState([("a", "b")]))))
    for trace, remote, flags in ((7, True, 1), (7, False, 0), (7, False, 3), (7, True, 2), (0, False, 1))
]

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.text(max_size=3),
    st.booleans(),
    st.integers(-9, 9),
    st.floats(allow_nan=False),
    st.lists(st.text(max_size=2), max_size=2),
    st.tuples(st.text(max_size=2)),
    st.none(),
    st.binary(max_size=2),
    st.dictionaries(st.text(max_size=1), st.integers(), max_size=1),
    st.builds(object),
)
ATTRIBUTES = st.dictionaries(st.sampled_from(["", *"abcdefghijkl"]), VALUES, max_size=6)
PLAIN = st.one_of(st.text(max_size=3), st.booleans(), st.integers(), st.floats(0, 1))
AT_START = st.dictionaries(st.sampled_from("abcdef"), PLAIN)
AT_END = st.dictionaries(st.sampled_from("fghijklmn"), PLAIN | st.tuples(st.text()))


def linked(span: Span) -> None:
    span.add_link(SpanContext(9, 9, False), {"a": 1})


def changing(span: Span) -> None:
    """What was a value goes on to change."""
    words = ["a"]
    span.set_attribute("w", words)
    words.append("b")


ACTS: list[Callable[[Any], object]] = [
    lambda span: span.set_attribute("a", ["changed"]),
    lambda span: span.set_attribute("a", "changed"),
    lambda span: span.set_attribute("k", 5),
    lambda span: span.set_attribute("y", True),
    lambda span: span.set_attribute("", 1),
    lambda span: span.set_attribute("x", None),
    lambda span: span.set_attributes({"z": 1, "": 2}),
    lambda span: span.add_event("event", {"a": [1]}, 4),
    lambda span: [span.add_event(str(each), timestamp=each) for each in range(150)],
    linked,
    changing,
    lambda span: span.update_name("renamed"),
    lambda span: span.set_status(StatusCode.OK),
    lambda span: span.set_status(Status(StatusCode.UNSET), "ignored"),
    lambda span: span.set_status(Status(StatusCode.ERROR, "theirs")),
    lambda span: span.record_exception(KeyError("a"), timestamp=5, attributes={"exception.stacktrace": ""}),
    lambda span: span.end(6),
    lambda span: span.__exit__(None, None, None) if not span.is_recording() else None,
    lambda span: (
        span.attributes,
        len(span.events),
        len(span.links),
        span.name,
        span.context,
        span.parent,
        span.status.status_code,
        span.start_time,
        span.end_time,
        span.dropped_attributes,
        span.resource.attributes,
        span.instrumentation_scope,
        repr(span),
    ),
]


def provider(sampler: Sampler = ALWAYS_ON, **settings: Any) -> tuple[TracerProvider, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    made = TracerProvider(sampler, Resource({"a": "b"}), False, id_generator=Ids(), **settings)
    made.add_span_processor(SimpleSpanProcessor(exporter))
    return made, exporter


def told(span: ReadableSpan) -> tuple[Any, ...]:
    """All that a span has."""
    own: Any = span.context
    return (
        (span.name, span.kind, span.start_time, span.end_time),
        (own, own.trace_flags, own.is_remote, own.trace_state, span.parent),
        (span.status.status_code, span.status.description),
        [*(span.attributes or {}).items()],
        [(event.name, event.timestamp, event.attributes, event.dropped_attributes) for event in span.events],
        [(link.context, link.attributes) for link in span.links],
        (span.dropped_attributes, span.dropped_events, span.dropped_links),
        (span.resource.attributes, span.instrumentation_scope),
    )


class Life(NamedTuple):
    """What a span is started with, what the program does with it, and how it ends."""

    sampler: Sampler
    parent: Context
    initial: dict[str, Any]
    acts: list[Callable[[Any], object]]
    final: dict[str, Any]
    status: Status | None
    most: int | None

    def lived(self, *, light: bool) -> list[Any]:
        """All that came of it."""
        made, exporter = provider(self.sampler, span_limits=SpanLimits(max_span_attributes=self.most))
        tracer = made.get_tracer("scope", "1", "https://example.com/schema")
        spans = opentelemetry_spans.light_spans_of(tracer) if light else None
        start: Any = spans.start if spans else tracer.start_span
        span = start("name", self.parent, kind=SpanKind.CLIENT, attributes=dict(self.initial), start_time=3)
        seen = [act(span) for act in self.acts if isinstance(span, SdkSpan)]
        seen.append(span.is_recording())
        if span.is_recording():
            opentelemetry_spans.end_span(span, self.final, self.status, 7, spans)
        seen.append((span.is_recording(), span.get_span_context(), repr(span)))
        span.set_attribute("late", 1)
        seen += [told(each) for each in (span, *exporter.get_finished_spans()) if isinstance(each, ReadableSpan)]
        return seen


LIVES = st.builds(
    Life,
    st.sampled_from(SAMPLERS),
    st.sampled_from(PARENTS),
    st.one_of(AT_START, ATTRIBUTES),
    st.one_of(st.just([]), st.lists(st.sampled_from(ACTS), max_size=3)),
    AT_END,
    st.sampled_from([None, ERROR]),
    st.sampled_from([128, 128, SpanLimits.UNSET, 3, 0]),
)


@settings(max_examples=200)
@given(LIVES)
def test_a_light_span_comes_out_as_the_sdks_own(life: Life) -> None:
    assert str(life.lived(light=True)) == str(life.lived(light=False))


def info(**changed: Any) -> StreamInfo:
    return StreamInfo(sc.MODEL, "gpt", span_name="name", attributes=(("a", "b"),))._replace(**changed)


def is_light(span: Span) -> bool:
    """A light span has made no room for events."""
    return "_events" not in vars(span)


def test_a_span_that_is_over_is_light_where_nobody_touched_it() -> None:
    made, exporter = provider()
    spans = Spans(made.get_tracer("scope"))
    if spans._light is None:
        pytest.skip("this SDK's spans are not known")
    span = spans.start(info(), Context(), 3)
    spans.end(info(), span, {"c": ("d",), sc.A_CHUNKS: 1}, 7)
    assert is_light(span)
    (ended,) = exporter.get_finished_spans()
    assert dict(ended.attributes or {}) == {
        sc.A_LAYER: "model",
        sc.A_NAME: "gpt",
        "a": "b",
        "c": ("d",),
        sc.A_CHUNKS: 1,
    }


class Watcher(SpanProcessor):
    """One of the program's own."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, list[str]]] = []

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        self.seen.append(("start", [*(span.attributes or {})]))
        span.set_attribute("theirs", 1)

    def _on_ending(self, span: SdkSpan) -> None:
        self.seen.append(("ending", [*(span.attributes or {})]))

    def on_end(self, span: ReadableSpan) -> None:
        self.seen.append(("end", [*(span.attributes or {})]))


@pytest.mark.parametrize("late", [False, True], ids=["from the first", "added meanwhile"])
def test_a_programs_own_processor_sees_and_changes_a_span_as_ever(late: bool) -> None:
    made, exporter = provider()
    watcher = Watcher()
    spans = Spans(made.get_tracer("scope"))
    if late:
        span = spans.start(info(), Context(), 3)
        made.add_span_processor(watcher)
    else:
        made.add_span_processor(watcher)
        span = spans.start(info(), Context(), 3)
    spans.end(info(), span, {"c": "d"}, 7)
    start, theirs = [sc.A_LAYER, sc.A_NAME, "a"], [] if late else ["theirs"]
    ended = [*start, *theirs, "c"]
    assert watcher.seen == [*([] if late else [("start", start)]), ("ending", ended), ("end", ended)]
    (exported,) = exporter.get_finished_spans()
    assert [*(exported.attributes or {})] == ended


class OwnSpans(SimpleSpanProcessor):
    """A kind of the SDK's is the program's own."""


@pytest.mark.parametrize(
    "settings",
    [
        {"span_limits": SpanLimits(max_span_attribute_length=3)},
        {"active_span_processor": ConcurrentMultiSpanProcessor(1)},
    ],
    ids=["attributes are shortened", "processors run side by side"],
)
def test_what_is_not_the_sdks_default_has_the_sdks_spans(settings: Any) -> None:
    made, _ = provider(**settings)
    assert opentelemetry_spans.light_spans_of(made.get_tracer("scope")) is None


def test_a_processor_derived_from_the_sdks_has_the_sdks_spans() -> None:
    made, _ = provider()
    made.add_span_processor(OwnSpans(InMemorySpanExporter()))
    assert not is_light(Spans(made.get_tracer("scope")).start(info(), Context(), 3))


def test_an_sdk_that_counts_its_spans_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    made, _ = provider()
    assert opentelemetry_spans.light_spans_of(made.get_tracer("scope")) is None


@pytest.mark.parametrize("name", ["LIMITS", "SCOPE", "METRICS", "ENABLED", "PROCESSORS"])
def test_without_a_private_name_spans_are_the_sdks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getattr(opentelemetry_spans, name), "attribute", "_of_yore")
    opentelemetry_spans.are_known.cache_clear()
    try:
        made, exporter = provider()
        spans = Spans(made.get_tracer("scope"))
        span = spans.start(info(), Context(), 3)
        assert not is_light(span)
        spans.end(info(), span, {"c": "d"}, 7)
        assert len(exporter.get_finished_spans()) == 1
    finally:
        opentelemetry_spans.are_known.cache_clear()
