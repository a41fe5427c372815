"""The demo's whole run arrives: every span in Jaeger, every stream in Prometheus, every event in VictoriaLogs."""

import ssl
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import polars as pl
import pytest
import trustme

from autogen_streamtrace.commands.demo.run import SERVICE
from autogen_streamtrace.commands.reading import remote
from autogen_streamtrace.core import semconv

from .collector import CONFIG, FILES, ROOT, SECURE, STORED, Collector
from .jaeger import Jaeger
from .prometheus import Prometheus
from .runs import Given, demo
from .server import eventually
from .victorialogs import Line, VictoriaLogs

pytestmark = pytest.mark.timeout(240)

VICTORIA = ROOT / "backends" / "jaeger-victorialogs.yaml"
KEEP_ALL = {"SAMPLING_EARLY_PERCENT": "100", "SAMPLING_REST_PERCENT": "100"}
WHOLE = {("plain", "grpc"), ("secure", "http/protobuf")}
"""All scenarios go these ways, and ``FEW`` the other two: of the protocols and of TLS they bring nothing new."""
FEW = ("--only=team_stall", "--only=tool_call", "--only=rst", "--only=retry")
TOKEN = "a-token-of-the-tests"
VERSION = "4.7.11"
UNITS = {"s": "_seconds", "ms": "_milliseconds", "By": "_bytes"}
"""What Prometheus appends for a unit; nothing for those in braces."""


@dataclass(frozen=True)
class Arrived:
    """One run of the demo under a deployment environment of its own, and where it went."""

    given: Given
    environment: str
    collector: Collector
    prometheus: Prometheus
    victorialogs: VictoriaLogs
    jaeger: Jaeger

    def lines(self) -> list[Line]:
        return self.victorialogs.lines({"service.name": SERVICE, "deployment.environment.name": self.environment})

    def series(self, metric: str) -> str:
        return f'{metric}{{deployment_environment_name="{self.environment}"}}'


@pytest.fixture(scope="module", params=["plain", "secure"])
def collector(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    prometheus: Prometheus,
    victorialogs: VictoriaLogs,
    jaeger: Jaeger,
) -> Iterator[tuple[Collector, dict[str, str]]]:
    """A Collector, and the variables that let a program in."""
    folder = tmp_path_factory.mktemp(request.param)
    stores = {"PROMETHEUS": prometheus.otlp, "LOKI": victorialogs.otlp, "TEMPO": jaeger.otlp}
    to = {**{f"{store}_OTLP_ENDPOINT": address for store, address in stores.items()}, **KEEP_ALL}
    if request.param == "plain":
        to |= {"JAEGER_OTLP_ENDPOINT": jaeger.otlp, "VICTORIALOGS_OTLP_ENDPOINT": victorialogs.otlp}
        with Collector(folder, CONFIG, VICTORIA, FILES, STORED, **to) as running:
            yield running, {}
        return
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "certificate.pem"))
    secrets = {"TLS_CERT_FILE": "certificate.pem", "TLS_KEY_FILE": "key.pem", "OTLP_TOKEN": TOKEN}
    with Collector(folder, CONFIG, SECURE, FILES, STORED, **to, **secrets) as running:
        yield (
            running,
            {
                "OTEL_EXPORTER_OTLP_CERTIFICATE": str(folder / "authority.pem"),
                "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{TOKEN}",
            },
        )


@pytest.fixture(scope="module", params=["grpc", "http/protobuf"])
def arrived(
    request: pytest.FixtureRequest,
    collector: tuple[Collector, dict[str, str]],
    prometheus: Prometheus,
    victorialogs: VictoriaLogs,
    jaeger: Jaeger,
) -> Arrived:
    running, secrets = collector
    environment = f"{request.param} {running.folder.name}"
    env = {
        **running.sdk(request.param, "https" if secrets else "http"),
        **secrets,
        "OTEL_SERVICE_NAME": SERVICE,
        "OTEL_RESOURCE_ATTRIBUTES": f"deployment.environment.name={environment},service.version={VERSION}",
    }
    given = demo(env, *(() if ("secure" if secrets else "plain", request.param) in WHOLE else FEW))
    return Arrived(given, environment, running, prometheus, victorialogs, jaeger)


def test_every_span_arrives_once(arrived: Arrived) -> None:
    def ids() -> Counter[str]:
        spans = arrived.collector.spans()
        return Counter(
            span.data["spanId"] for span in spans if span.resource["deployment.environment.name"] == arrived.environment
        )

    eventually(lambda: len(ids()) >= len(arrived.given.spans), what="the spans")
    assert ids() == dict.fromkeys(arrived.given.spans, 1)


def test_each_trace_is_found_by_its_id_with_every_span(arrived: Arrived) -> None:
    def sent() -> dict[str, set[str]]:
        spans = [span for span in arrived.collector.spans() if span.data["spanId"] in arrived.given.spans]
        return {
            trace: {span.data["spanId"] for span in spans if span.data["traceId"] == trace}
            for trace in {span.data["traceId"] for span in spans}
        }

    def found() -> dict[str, set[str]]:
        return {trace: {span.data["spanId"] for span in arrived.jaeger.trace(trace)} for trace in sent()}

    eventually(lambda: sum(map(len, found().values())) >= len(arrived.given.spans), what="the spans")
    assert found() == sent()


def test_every_stream_is_counted_under_its_layer_and_outcome(arrived: Arrived) -> None:
    query = f"sum by (streamtrace_layer, streamtrace_outcome) ({arrived.series('streamtrace_ended_total')})"

    def counted() -> dict[tuple[str, str], int]:
        return {
            (labels["streamtrace_layer"], labels["streamtrace_outcome"]): int(count)
            for labels, count in arrived.prometheus.query(query)
        }

    eventually(lambda: sum(counted().values()) >= arrived.given.streams.total(), what="the counts")
    assert counted() == arrived.given.streams


def test_every_event_arrives_under_its_name_and_trace(arrived: Arrived) -> None:
    def events() -> Counter[tuple[str, str]]:
        return Counter((line.fields["trace_id"], line.fields["event.name"]) for line in arrived.lines())

    eventually(lambda: events().total() >= arrived.given.events.total(), what="the events")
    assert events() == arrived.given.events


def test_diagnose_reads_every_ending_from_victorialogs(arrived: Arrived) -> None:
    ended = sum(count for (_, name), count in arrived.given.events.items() if name == semconv.E_END)
    selector = f'deployment.environment.name:="{arrived.environment}"'

    def read() -> pl.DataFrame:
        return remote.read(arrived.victorialogs.url, 3600.0, selector).table

    eventually(lambda: read().height >= ended, what="the endings")
    assert (read().height, read()["outcome"].null_count()) == (ended, 0)
    assert read()["start"].null_count() < ended


def test_every_metric_that_was_exported_has_its_last_value_in_prometheus(arrived: Arrived) -> None:
    def missing() -> list[tuple[str, object]]:
        return [
            (name, expected)
            for name, expected in last_sums(arrived).items()
            if arrived.prometheus.total(arrived.series(name)) != pytest.approx(expected)
        ]

    some = {"streamtrace_cut_total", "gen_ai_client_operation_duration_seconds_count"}
    eventually(lambda: some <= last_sums(arrived).keys() and not missing(), what="the metrics")


def test_the_labels_of_the_resource_are_on_the_series(arrived: Arrived) -> None:
    query = arrived.series("streamtrace_ended_total")
    labels = eventually(lambda: arrived.prometheus.query(query), what="a series")[0][0]
    assert labels["service_version"] == VERSION
    assert labels["job"] == labels["service_name"] == SERVICE
    assert labels["instance"] == labels["service_instance_id"]


def test_exemplars_of_the_cuts_lead_to_traces_that_arrived(arrived: Arrived) -> None:
    traces = {trace for trace, _ in arrived.given.events}
    found = eventually(
        lambda: arrived.prometheus.api(
            "query_exemplars", query=arrived.series("streamtrace_cut_total"), start=0, end=4e9
        ),
        what="exemplars",
    )
    led = {exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]}
    assert led and led <= traces


def test_the_instance_is_told_by_the_event_and_not_by_the_resource(arrived: Arrived) -> None:
    """Of a resource Loki makes the labels of its streams; VictoriaLogs makes ``_stream`` of it."""
    line = eventually(arrived.lines, what="a line")[0]
    assert line.fields["service.instance.id"]
    assert "service.name" in line.fields["_stream"] and "service.instance.id" not in line.fields["_stream"]


def last_sums(arrived: Arrived) -> dict[str, float]:
    """By Prometheus' name the sum, over all attribute sets, of the last value that the file has of each metric.

    Of a histogram the count.
    """
    last: dict[str, float] = {}
    for item in arrived.collector.metrics():
        if item.resource["deployment.environment.name"] != arrived.environment:
            continue
        metric = item.data
        name = metric["name"].replace(".", "_") + UNITS.get(metric.get("unit", ""), "")
        if "histogram" in metric:
            last[f"{name}_count"] = sum(int(point["count"]) for point in metric["histogram"]["dataPoints"])
            continue
        kind = metric.get("sum") or metric["gauge"]
        suffix = "_total" if kind.get("isMonotonic") else ""
        last[name + suffix] = sum(
            float(point["asInt"] if "asInt" in point else point["asDouble"]) for point in kind["dataPoints"]
        )
    return last


@pytest.mark.parametrize("collector", ["secure"], indirect=True)
def test_what_has_no_token_is_refused(collector: tuple[Collector, dict[str, str]]) -> None:
    running, secrets = collector
    trusting = ssl.create_default_context(cafile=secrets["OTEL_EXPORTER_OTLP_CERTIFICATE"])
    url = f"{running.sdk('http/protobuf', 'https')['OTEL_EXPORTER_OTLP_ENDPOINT']}/v1/traces"
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
    ):
        answer = httpx.post(url, verify=trusting, headers={"Content-Type": "application/json", **headers}, content="{}")
        assert answer.status_code == status
