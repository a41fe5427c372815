"""Counters as tables of our own: 0 first, an explicit 0, a cap."""

from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import set_span_in_context

from autogen_streamtrace.core.telemetry.counts import Counter, UpDownCounter
from autogen_streamtrace.core.telemetry.limiters import CardinalityLimiter

OPTIONS = CallbackOptions()


def seen(table: Counter | UpDownCounter) -> list[tuple[float, dict[str, Any]]]:
    """One collection."""
    return [(each.value, dict(each.attributes or {})) for each in table.observe(OPTIONS)]


def test_nothing_counted_is_nothing_exported() -> None:
    assert seen(Counter()) == []
    assert seen(UpDownCounter()) == []


def test_a_new_set_is_0_at_its_first_collection_and_its_count_from_the_next() -> None:
    count = Counter()
    for _ in range(3):
        count.add({"layer": "http"})
    assert [seen(count) for _ in range(3)] == [[(each, {"layer": "http"})] for each in (0, 3, 3)]


def test_each_set_has_a_first_collection_of_its_own() -> None:
    count = Counter()
    count.add({"layer": "http"})
    assert seen(count) == [(0, {"layer": "http"})]
    count.add({"layer": "http"})
    count.add({"layer": "model"})
    assert seen(count) == [(2, {"layer": "http"}), (0, {"layer": "model"})]
    assert seen(count) == [(2, {"layer": "http"}), (1, {"layer": "model"})]


def test_a_count_never_falls() -> None:
    count = Counter()
    values = []
    for _ in range(5):
        count.add({"layer": "http"})
        values.append(seen(count)[0][0])
    assert values == [0, 2, 3, 4, 5]


def test_a_forgotten_count_begins_anew_with_0() -> None:
    count = Counter()
    count.add({"layer": "http"})
    seen(count)
    count.clear()
    assert seen(count) == []
    count.add({"layer": "http"})
    assert [seen(count), seen(count)] == [[(0, {"layer": "http"})], [(1, {"layer": "http"})]]


def test_a_level_keeps_an_explicit_0_for_every_set_once_seen() -> None:
    level = UpDownCounter()
    level.add(1, {"layer": "http"})
    level.add(1, {"layer": "model"})
    level.add(-1, {"layer": "http"})
    expected = [(0, {"layer": "http"}), (1, {"layer": "model"})]
    assert [seen(level), seen(level)] == [expected, expected]


def test_a_forgotten_level_is_nothing() -> None:
    level = UpDownCounter()
    level.add(1, {"layer": "http"})
    level.clear()
    assert seen(level) == []


def test_a_cap_lets_so_many_values_through_and_calls_the_rest_other() -> None:
    cap = CardinalityLimiter(2)
    assert [cap(each) for each in "abcab"] == ["a", "b", "_OTHER", "a", "b"]


def test_a_cap_counts_what_it_capped() -> None:
    cap = CardinalityLimiter(1)
    for each in "abca":
        cap(each)
    assert cap.capped == 2


@pytest.mark.parametrize(("sampler", "sampled"), [(ALWAYS_ON, True), (ALWAYS_OFF, False)])
def test_the_exemplar_of_a_count_is_the_span_in_whose_context_it_was_added(sampler: Sampler, sampled: bool) -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    span = TracerProvider(sampler, shutdown_on_exit=False).get_tracer("tests").start_span("a stream")
    count = Counter()
    meters.get_meter("tests").create_observable_counter("cut", [count.observe])
    count.add({"layer": "http"}, set_span_in_context(span, Context()))
    points = [_point(reader), _point(reader)]
    assert [point.value for point in points] == [0, 1]
    found = [(each.trace_id, each.span_id) for each in points[1].exemplars]
    ids = span.get_span_context()
    assert found == ([(ids.trace_id, ids.span_id)] if sampled else [])
    meters.shutdown()


def _point(reader: InMemoryMetricReader) -> Any:
    data = reader.get_metrics_data()
    assert data is not None
    return data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0]
