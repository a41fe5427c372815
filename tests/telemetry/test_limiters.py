"""The attribute sets of an instrument stay below the SDK's limit, whatever the labels multiply to."""

import itertools
import logging

import pytest
from opentelemetry.metrics import CallbackOptions
from programs.watching import watching

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.state import StreamInfo
from autogen_streamtrace.core.telemetry.baggage import Baggage
from autogen_streamtrace.core.telemetry.counters import Counters
from autogen_streamtrace.core.telemetry.limiters import SetLimiter

pytestmark = pytest.mark.once

SDK_LIMIT = 2_000
ENDINGS = [
    {
        sc.A_OUTCOME: outcome,
        sc.A_ENDED_BY: ended_by,
        sc.A_FAULT: True,
        sc.A_ORIGIN: True,
        sc.A_OUTERMOST: outermost,
        sc.A_EARLY: True,
        sc.A_WAITING_ON_TYPE: "http",
        sc.A_WAITING_ON_NAME: f"host {outcome}",
        sc.A_CAUSE_TYPE: f"error {ended_by}",
    }
    for outcome, ended_by, outermost in itertools.product(sc.OUTCOMES, ("caller", "upstream"), (True, False))
]


def counted(max_names: int, tenants: int) -> Counters:
    """Streams of every name, tenant and ending."""
    counters = Counters(max_names, Baggage({"tenant": [str(tenant) for tenant in range(tenants)]}))
    endings = itertools.cycle(ENDINGS)
    for name, tenant in itertools.product(range(300), range(tenants)):
        attributes = (("tenant", str(tenant)),)
        labels = counters.labels(StreamInfo("model", f"n{name}", attributes=attributes, streamed=bool(name % 2)))
        counters.start(labels)
        counters.end(labels, next(endings))
    return counters


@pytest.mark.parametrize(("max_names", "tenants"), [(1_000, 20), (100, 50)])
def test_no_counter_reaches_the_sdks_limit_and_none_loses_a_stream(max_names: int, tenants: int) -> None:
    counters = counted(max_names, tenants)
    streams = 300 * tenants
    for table in (counters.started, counters.ended, counters.cut):
        assert len(table.values()) < SDK_LIMIT
        assert sum(table.values().values()) == streams
    assert len(counters.open.keys()) < SDK_LIMIT
    assert counters.capped > 0


def test_a_stream_ends_under_the_labels_under_which_it_started() -> None:
    counters = counted(100, 50)
    started: dict[object, int] = {}
    for key, value in counters.started.values().items():
        started[dict(key)[sc.A_NAME]] = started.get(dict(key)[sc.A_NAME], 0) + value
    assert all(observed.value == 0 for observed in counters.open.observe(CallbackOptions()))
    assert started[sc.OTHER] > 0


def test_names_go_before_tenants_and_tenants_before_outcomes() -> None:
    limit = SetLimiter("m", most=1)
    assert limit({sc.A_NAME: "a", "tenant": "t", sc.A_OUTCOME: "length"})[sc.A_NAME] == "a"
    assert limit({sc.A_NAME: "b", "tenant": "t", sc.A_OUTCOME: "length"}) == {
        sc.A_NAME: sc.OTHER,
        "tenant": "t",
        sc.A_OUTCOME: "length",
    }
    for tenant in range(1_000):
        folded = limit({sc.A_NAME: "b", "tenant": str(tenant), sc.A_OUTCOME: "length"})
    assert folded == {sc.A_NAME: sc.OTHER, "tenant": sc.OTHER, sc.A_OUTCOME: "length"}
    assert limit({sc.A_NAME: "a", "tenant": "t", sc.A_OUTCOME: "length"})[sc.A_NAME] == "a"


def test_it_is_said_once_and_names_the_metric(caplog: pytest.LogCaptureFixture) -> None:
    limit = SetLimiter("streamtrace.ended", most=1)
    for name in "abcd":
        limit({sc.A_NAME: name})
    (said,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "streamtrace.ended" in said.message and "max_names" in said.message
    assert limit.capped == 3


def test_a_histogram_of_many_names_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autogen_streamtrace.core.telemetry.limiters.SETS", 5)
    with watching(max_names=1_000, events="none") as told:
        tracker = told.tracker
        for name in range(30):
            state = tracker.begin(StreamInfo("tool", f"t{name}", span_name="t"))
            assert state is not None
            tracker.end(state, "returned")
        assert tracker.settle(40)
        data = told._reader.get_metrics_data()
    assert data is not None
    metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
    (tools,) = [each.data.data_points for each in metrics if each.name == sc.M_GEN_AI_TOOL]
    assert {(point.attributes or {})[sc.GEN_AI_TOOL_NAME] for point in tools} >= {"t0", sc.OTHER}
    assert len(tools) <= 6
