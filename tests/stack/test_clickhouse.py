"""The demo, and killed streams, in ClickHouse's real engine, in tables that the exporter itself made.

What its page shows is run here. The server's HTTP interface is a mock: tests/programs/clickhouse.py.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from dashboards.board import ROOT

from autogen_streamtrace.core import semconv

from .clickhouse import HAVE, ClickHouse
from .collector import CONFIG, Collector
from .runs import Given, demo, holding, recover
from .sending import KILLED, Ids, Sender, span
from .server import eventually

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not HAVE, reason="not installed: ClickHouse's engine (`--group clickhouse`)"),
]

PAGE: Final = (ROOT / "docs" / "backends" / "clickhouse.md").read_text()
QUERIES: Final[dict[str, str]] = dict(re.findall(r"```sql\n-- (.*)\n([^`]*)```", PAGE))
ROOT_CAUSES = "the root causes of the last day"
ONE_TURN = "one turn, all its layers"
FAULTS = "the faults of the last hour, in a sentence each"
ENDED = "how many streams ended in the last day, sampled or not"
OF_KILLED = "the streams of killed processes"
SETTINGS: Final = {"SAMPLING_EARLY_PERCENT": "100", "SAMPLING_REST_PERCENT": "100"}
OPEN: Final = 12


@dataclass(frozen=True)
class Store:
    """A Collector with the shipped configuration, and the ClickHouse behind it."""

    collector: Collector
    clickhouse: ClickHouse

    def rows(self, query: str, **parameters: str) -> list[dict[str, Any]]:
        """What a query of the page finds."""
        return self.clickhouse.query(QUERIES[query], **parameters)


@dataclass(frozen=True)
class Arrived(Store):
    """One run of the demo has gone there."""

    given: Given

    def spans(self) -> list[dict[str, Any]]:
        """Those of the demo."""
        found = self.clickhouse.query("SELECT * FROM otel.otel_traces")
        return [each for each in found if each["SpanId"] in self.given.spans]


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Store]:
    with ClickHouse(folder / "clickhouse") as clickhouse:
        to = {"CLICKHOUSE_ENDPOINT": clickhouse.endpoint, **SETTINGS}
        with Collector(folder / "collector", CONFIG, ROOT / "backends" / "clickhouse.yaml", **to) as collector:
            yield Store(collector, clickhouse)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with started(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arrived]:
    with started(tmp_path_factory.mktemp("arrived")) as running:
        given = demo(running.collector.sdk("http/protobuf"))
        yield Arrived(running.collector, running.clickhouse, given)


def origins(spans: list[dict[str, Any]]) -> Counter[tuple[str, ...]]:
    """Of the streams that ended early where they began to: how many of each layer, outcome, cause and limit."""
    told = [each["SpanAttributes"] for each in spans]
    names = (semconv.A_LAYER, semconv.A_OUTCOME, semconv.A_CAUSE_TYPE, semconv.A_LIMIT_ID)
    early = [each for each in told if each.get(semconv.A_EARLY) == each.get(semconv.A_ORIGIN) == "true"]
    return Counter(tuple(each.get(name, "") for name in names) for each in early)


def test_every_span_is_there_once_and_found_by_its_trace(arrived: Arrived) -> None:
    eventually(lambda: len(arrived.spans()) >= len(arrived.given.spans), what="the spans")
    traces = Counter(each["TraceId"] for each in arrived.spans())
    assert Counter(each["SpanId"] for each in arrived.spans()) == dict.fromkeys(arrived.given.spans, 1)
    assert {trace: len(arrived.rows(ONE_TURN, trace=trace)) for trace in traces} == traces


def test_every_event_is_there_under_its_name_and_trace(arrived: Arrived) -> None:
    def events() -> Counter[tuple[str, str]]:
        found = arrived.clickhouse.query("SELECT TraceId, EventName FROM otel.otel_logs")
        return Counter((each["TraceId"], each["EventName"]) for each in found)

    eventually(lambda: events().total() >= arrived.given.events.total(), what="the events")
    assert events() == arrived.given.events


def test_the_root_causes_are_those_of_the_spans(arrived: Arrived) -> None:
    eventually(lambda: len(arrived.spans()) >= len(arrived.given.spans), what="the spans")
    found = {tuple(row.values())[:4]: row["streams"] for row in arrived.rows(ROOT_CAUSES)}
    assert found == origins(arrived.spans())
    assert any(limit for *_, limit in found)


def test_a_fault_is_told_in_a_sentence(arrived: Arrived) -> None:
    rows = eventually(lambda: arrived.rows(FAULTS), what="the faults")
    assert all(row["Body"] and row["layer"] for row in rows)


def test_every_stream_is_counted(arrived: Arrived) -> None:
    def ended() -> Counter[tuple[str, str]]:
        rows = arrived.rows(ENDED)
        return Counter({(row["layer"], row["outcome"]): int(row["streams"]) for row in rows if row["streams"]})

    eventually(lambda: ended().total() >= arrived.given.streams.total(), what="the counts")
    assert ended() == arrived.given.streams


def test_a_stream_that_was_killed_hours_ago_is_found_under_its_own_time(store: Store) -> None:
    ids = Ids("killed")
    spans = [span(ids, ids.trace(), KILLED, seconds=60, ended_ago=hours * 3600.0) for hours in (3, 30)]
    with contextlib.closing(Sender(store.collector.http_port, service_name="died")) as sender:
        assert sender.spans(*spans)
    eventually(lambda: len(store.rows(OF_KILLED)) >= len(spans), what="the late spans")
    asked = "SELECT toUnixTimestamp64Nano(Timestamp) AS start FROM otel.otel_traces ORDER BY Timestamp DESC"
    assert [int(row["start"]) for row in store.clickhouse.query(asked)] == [each.start_time_unix_nano for each in spans]
    assert [row["last_seen"] for row in store.rows(OF_KILLED)] == [KILLED[semconv.A_LAST_SEEN]] * len(spans)


def test_the_streams_of_a_killed_process_are_counted_once(store: Store) -> None:
    env = {**store.collector.sdk("http/protobuf"), "OTEL_SERVICE_NAME": "killed"}

    def counted() -> dict[str, int]:
        return {row["outcome"]: int(row["streams"]) for row in store.rows(ENDED) if row["streams"]}

    open_ = "SELECT max(Value) AS most FROM otel.otel_metrics_sum WHERE MetricName = 'streamtrace.started'"
    with holding(OPEN, {**env, "OTEL_METRIC_EXPORT_INTERVAL": "300"}) as process:
        eventually(lambda: store.clickhouse.query(open_)[0]["most"] == OPEN, what="the starts")
        process.kill()
        process.wait()
    recover(env)
    eventually(lambda: counted().get(semconv.KILLED, 0) >= OPEN, what="the killed streams")
    assert counted()[semconv.KILLED] == OPEN
