"""What a dead process left behind, sent by another one hours later, under the dead process's own resource.

Hours old by hand, since no test can wait that long; at once with a real process that is killed, and `recover`.
"""

import contextlib
import time
from collections.abc import Iterator

import pytest

from autogen_streamtrace.core import semconv

from .collector import CONFIG, FILES, STORED, Collector
from .jaeger import Jaeger
from .prometheus import Prometheus
from .runs import holding, recover
from .sending import COMPLETED, KILLED, Ids, Sender, event, span
from .server import eventually
from .test_counting import NEW
from .victorialogs import VictoriaLogs

pytestmark = pytest.mark.timeout(120)

HOURS = 3 * 3600.0
OPEN = 50


@pytest.fixture(scope="module")
def collector(
    tmp_path_factory: pytest.TempPathFactory, prometheus: Prometheus, victorialogs: VictoriaLogs, jaeger: Jaeger
) -> Iterator[Collector]:
    stores = {
        "PROMETHEUS_OTLP_ENDPOINT": prometheus.otlp,
        "LOKI_OTLP_ENDPOINT": victorialogs.otlp,
        "TEMPO_OTLP_ENDPOINT": jaeger.otlp,
    }
    with Collector(tmp_path_factory.mktemp("collector"), CONFIG, FILES, STORED, **stores) as running:
        yield running


@pytest.fixture
def dead(collector: Collector) -> Iterator[Sender]:
    """Whoever sends for the dead process: its resource is the dead one's."""
    with contextlib.closing(Sender(collector.http_port, service_name="died", service_instance_id="worker-7")) as sender:
        yield sender


def test_killed_spans_of_three_hours_ago_arrive_under_their_own_ids_and_times(
    collector: Collector, dead: Sender, jaeger: Jaeger
) -> None:
    ids = Ids("killed")
    spans = [span(ids, ids.trace(), KILLED, parent=ids.span(), seconds=60, ended_ago=HOURS) for _ in range(OPEN)]
    assert dead.spans(*spans)
    expected = {each.span_id.hex(): (each.trace_id.hex(), str(each.start_time_unix_nano)) for each in spans}

    def arrived() -> dict[str, tuple[str, str]]:
        found = [each.data for each in collector.spans() if each.resource["service.instance.id"] == "worker-7"]
        return {each["spanId"]: (each["traceId"], each["startTimeUnixNano"]) for each in found}

    eventually(lambda: arrived() == expected, what="the killed spans")
    for span_id, (trace_id, started) in expected.items():
        (found,) = eventually(lambda trace=trace_id: jaeger.trace(trace), what="a killed span in Jaeger")  # type: ignore[misc]
        assert (found.data["spanId"], found.data["startTimeUnixNano"]) == (span_id, started)


def test_events_of_three_hours_ago_are_found_under_their_own_time(dead: Sender, victorialogs: VictoriaLogs) -> None:
    late = event(semconv.E_END, "late", KILLED, ago=HOURS)
    assert dead.events(event(semconv.E_END, "fresh", COMPLETED)) and dead.events(late)
    told = {"service.name": "died", semconv.A_OUTCOME: semconv.KILLED}
    (found,) = eventually(lambda: victorialogs.lines(told), what="the late event")
    assert (found.time_ns, found.body) == (late.time_unix_nano, "late")
    assert found.fields["event.name"] == semconv.E_END
    assert found.fields["service.instance.id"] == "worker-7"


def test_samples_of_three_hours_ago_are_found_behind_newer_ones(dead: Sender, prometheus: Prometheus) -> None:
    metric, told = "streamtrace.late", {semconv.A_LAYER: semconv.HTTP}
    series = "streamtrace_late_total"
    assert dead.count(metric, 5, told)
    eventually(lambda: prometheus.query(series), what="the fresh sample")
    assert dead.count(metric, 3, told, ago=HOURS)
    then = time.time() - HOURS + 30
    assert eventually(lambda: prometheus.query(series, at=then), what="the late sample")[0][1] == 3


def test_fifty_streams_of_a_killed_process_are_counted_told_and_no_longer_open(
    collector: Collector, prometheus: Prometheus, victorialogs: VictoriaLogs
) -> None:
    env = {**collector.sdk("http/protobuf"), "OTEL_SERVICE_NAME": "killed"}
    still_open = 'sum(streamtrace_open{service_name="killed"})'
    with holding(OPEN, {**env, "OTEL_METRIC_EXPORT_INTERVAL": "300"}) as process:
        eventually(lambda: prometheus.total(still_open) == OPEN, what="the open streams")
        process.kill()
        process.wait()
    recover(env)
    ended = 'streamtrace_ended_total{service_name="killed", streamtrace_outcome="killed"}'
    eventually(lambda: prometheus.total(NEW.format(x=ended)) == OPEN, what="the killed streams to be counted")
    eventually(lambda: prometheus.query(f"{still_open} == 0"), what="none to be open")
    told = {"service.name": "killed", "event.name": semconv.E_END, semconv.A_OUTCOME: semconv.KILLED}
    eventually(lambda: len(victorialogs.lines(told)) == OPEN, what="the events")

    def killed() -> int:
        spans = [each for each in collector.spans() if each.resource["service.name"] == "killed"]
        return [each.attributes[semconv.A_OUTCOME] for each in spans].count(semconv.KILLED)

    eventually(lambda: killed() >= OPEN, what="the spans")
    assert killed() == OPEN
