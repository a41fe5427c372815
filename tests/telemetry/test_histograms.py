"""Values that are noted in rows come out of the SDK as values that were recorded one by one."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, AlwaysOnExemplarFilter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    SumAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.body.finish_reasons import load
from autogen_streamtrace.core.stream.state import Ending, StreamInfo, StreamState
from autogen_streamtrace.core.telemetry import rows
from autogen_streamtrace.core.telemetry.histograms import Histograms
from autogen_streamtrace.core.telemetry.meters import Meters
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.verdict.rules import Verdict
from autogen_streamtrace.neighbours import opentelemetry_histograms
from autogen_streamtrace.neighbours.opentelemetry_histograms import takes_values

pytestmark = pytest.mark.once

ATTRIBUTES = {
    sc.AGENT: ((sc.GEN_AI_OPERATION, "invoke_agent"),),
    sc.MODEL: ((sc.GEN_AI_OPERATION, "chat"), (sc.GEN_AI_PROVIDER, "openai"), ("gen_ai.request.seed", 7)),
}
LIMITED = "aggregation_cardinality_limit" in inspect.signature(View).parameters
DELTA, CUMULATIVE = AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE


class Stream(NamedTuple):
    """A finished stream. Its times are eighths, of which sums are exact in whatever order."""

    layer: sc.Layer
    name: str
    outcome: sc.Outcome
    chunks: int
    eighths: int
    tokens: int | None
    streamed: bool

    def measure(self, into: Histograms) -> None:
        info = StreamInfo(self.layer, self.name, attributes=ATTRIBUTES.get(self.layer, ()), streamed=self.streamed)
        state = StreamState(info, None, 0)
        state.start = state.asked = 0.0
        state.first, state.last = self.eighths / 16, self.eighths / 8
        state.longest_gap, state.caller_time = self.eighths / 32, self.eighths / 64
        state.chunks, state.input_tokens, state.output_tokens = self.chunks, self.tokens, self.chunks
        state.span = NonRecordingSpan(SpanContext(1, self.eighths + 1, False, TraceFlags(TraceFlags.SAMPLED)))
        node = StreamNode(state, None, REASONS)
        node.finished_at = self.eighths / 4
        node.ending = Ending("returned", node.finished_at)
        node.verdict = Verdict(self.outcome, "caller", "none", "", "")
        into.measure(node, self.name, self.outcome if self.outcome == "failed" else "")


REASONS = load()
STREAMS = st.builds(
    Stream,
    st.sampled_from([sc.AGENT, sc.MODEL, sc.HTTP, sc.TOOL, sc.TEAM, sc.SERVER]),
    st.sampled_from(["one", "two", "three"]),
    st.sampled_from(["completed", "completed", "completed", "timeout", "failed"]),
    st.integers(0, 3),
    st.integers(0, 4_000),
    st.none() | st.integers(0, 4_000),
    st.booleans(),
)
COLLECT = "collect"
STEPS = st.lists(st.one_of(STREAMS, st.just(COLLECT)), max_size=25)


def views() -> dict[str, list[View]]:
    def all_of(**changed: Any) -> list[View]:
        return [View(Histogram, "streamtrace.*", **changed), View(Histogram, "gen_ai.*", **changed)]

    duration = sc.M_DURATION
    found = {
        "no view": [],
        "no attributes": all_of(attribute_keys=set()),
        "other buckets": all_of(aggregation=ExplicitBucketHistogramAggregation([1, 100], record_min_max=False)),
        "exponential": all_of(aggregation=ExponentialBucketHistogramAggregation()),
        "sum": all_of(aggregation=SumAggregation()),
        "dropped": all_of(aggregation=DropAggregation()),
        "two": [View(Histogram, duration), View(Histogram, duration, name="again", attribute_keys={sc.A_LAYER})],
    }
    if LIMITED:
        found["limited"] = all_of(aggregation_cardinality_limit=2)
    return found


READERS = {"cumulative": [CUMULATIVE], "delta": [DELTA], "two": [DELTA, CUMULATIVE]}


class Side:
    """A provider with its histograms."""

    def __init__(self, temporalities: list[AggregationTemporality], chosen: list[View]) -> None:
        self.readers = [InMemoryMetricReader({Histogram: each}) for each in temporalities]
        self.provider = MeterProvider(self.readers, Resource({}), views=chosen, shutdown_on_exit=False)
        self.meters = Meters(self.provider.get_meter("scope", "1"))

    def collected(self) -> list[Any]:
        return [told(reader) for reader in self.readers]


def told(reader: InMemoryMetricReader) -> list[Any]:
    """What a reader has of histograms, but for the times of measurements."""
    data = reader.get_metrics_data()
    return sorted(
        (scope.scope.name, metric.name, metric.unit, metric.description, type(metric.data).__name__, *point(each))
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if not metric.name.startswith(("streamtrace.instrument", "streamtrace.oldest"))
        for each in metric.data.data_points
    )


def point(each: Any) -> tuple[str, ...]:
    assert each.start_time_unix_nano is None or each.start_time_unix_nano <= each.time_unix_nano
    kept = {key: value for key, value in vars(each).items() if key not in ("start_time_unix_nano", "time_unix_nano")}
    exemplars = [(e.value, e.span_id, e.trace_id, e.filtered_attributes) for e in each.exemplars]
    if not hasattr(each, "bucket_counts"):
        exemplars = []  # the SDK draws them by lot
    return str(sorted({**dict(each.attributes)}.items())), str({**kept, "attributes": 0, "exemplars": exemplars})


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Side]:
    """Makes a side that records every value when it comes."""

    def made(*arguments: Any) -> Side:
        with monkeypatch.context() as patch:
            patch.setattr(opentelemetry_histograms, "takes_values", lambda histogram: False)
            return Side(*arguments)

    return made


@pytest.mark.parametrize("readers", READERS)
@pytest.mark.parametrize("view", views())
def test_rows_come_out_as_recorded_values(readers: str, view: str, one_by_one: Callable[..., Side]) -> None:
    if view == "limited" and readers != "cumulative":
        pytest.skip("which sets overflow is a matter of their order, anew in each collection")

    @settings(max_examples=12)
    @given(STEPS)
    def compared(steps: list[Any]) -> None:
        sides = [make(READERS[readers], views()[view]) for make in (Side, one_by_one)]
        for step in (*steps, COLLECT, COLLECT):
            if step is COLLECT:
                noted, recorded = (side.collected() for side in sides)
                assert noted == recorded
            else:
                for side in sides:
                    step.measure(side.meters.histograms)

    compared()


def completed(eighths: int = 8) -> Stream:
    return Stream(sc.AGENT, "one", "completed", 3, eighths, None, True)


def waiting(side: Side) -> int:
    """Values that the SDK has not got yet."""
    return sum(len(row.values) for row in side.meters.histograms.rows._rows)


@pytest.fixture
def side() -> Side:
    made = Side([CUMULATIVE], [])
    if not takes_values(made.provider.get_meter("program").create_histogram("any")):
        pytest.skip("this SDK takes values one by one")
    return made


def test_values_wait_until_they_are_collected(side: Side) -> None:
    for _ in range(3):
        completed().measure(side.meters.histograms)
    assert waiting(side) == 2 * 5  # the first of each row is recorded at once
    side.collected()
    assert waiting(side) == 0


def test_a_sum_starts_with_its_first_value(side: Side) -> None:
    completed().measure(side.meters.histograms)
    side.provider.get_meter("program").create_histogram("next").record(1)
    completed().measure(side.meters.histograms)
    data = side.readers[0].get_metrics_data()
    starts = {
        metric.name: metric.data.data_points[0].start_time_unix_nano
        for scope in (data.resource_metrics[0].scope_metrics if data else ())
        for metric in scope.metrics
        if metric.name in ("next", sc.M_DURATION)
    }
    assert starts[sc.M_DURATION] <= starts["next"]


def test_values_that_nobody_collects_are_added_when_there_are_many(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST", 100)
    for _ in range(1_000):
        completed().measure(side.meters.histograms)
        assert waiting(side) < 100
    assert f"'count': {1_000}" in str(side.collected())


def test_a_forked_child_has_none_of_its_parents_values(side: Side) -> None:
    for _ in range(3):
        completed().measure(side.meters.histograms)
    side.meters.clear()
    assert waiting(side) == 0


def test_where_every_value_may_have_an_exemplar_values_are_recorded() -> None:
    taken = {
        kept: takes_values(MeterProvider(exemplar_filter=kept()).get_meter("program").create_histogram("any"))
        for kept in (AlwaysOnExemplarFilter, AlwaysOffExemplarFilter)
    }
    assert not taken[AlwaysOnExemplarFilter]


NAMES = ("HISTOGRAMS_CONSUMER", "STORAGES", "VIEWS_OF", "AGGREGATION_OF", "AGGREGATIONS_LOCK", "VIEW", "VIEWS_KEYS")


@pytest.mark.parametrize("name", [*NAMES, "KEY_OF"])
def test_without_a_private_name_values_are_recorded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getattr(opentelemetry_histograms, name), "attribute", "_of_yore")
    opentelemetry_histograms._tried_histogram.cache_clear()
    try:
        side = Side([CUMULATIVE], [])
        for _ in range(3):
            completed().measure(side.meters.histograms)
        assert waiting(side) == 0
        assert "'count': 3" in str(side.collected())
    finally:
        opentelemetry_histograms._tried_histogram.cache_clear()
