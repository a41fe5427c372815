"""Each configuration in backends/ starts in the real Collector, and what leaves is what its vendor asks for.

The vendors cannot be had here, so a receiver of ours takes what leaves; each page in docs/backends/ says so.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from dashboards.board import ROOT
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE, AGGREGATION_TEMPORALITY_DELTA

from autogen_streamtrace.core import semconv

from .collector import CONFIG, Collector
from .intake import Intake, intake
from .prometheus import Prometheus
from .runs import holding, recover
from .sending import COMPLETED, TIMED_OUT, Ids, Sender, event, span
from .server import eventually

pytestmark = pytest.mark.timeout(120)

BACKENDS: Final = ROOT / "backends"
SAMPLED: Final = {"SAMPLING_EARLY_PERCENT": "100", "SAMPLING_REST_PERCENT": "100", "SAMPLING_ROOT_WAIT": "1s"}
NAME, LABELS = "streamtrace.ended", {semconv.A_LAYER: semconv.HTTP}
KEY: Final = "a-key-of-the-tests"


@pytest.fixture
def received() -> Iterator[Intake]:
    with intake() as found:
        yield found


@contextlib.contextmanager
def sending(folder: Path, backend: str, **env: str) -> Iterator[Sender]:
    """A program, before a Collector with one backend's configuration."""
    with (
        Collector(folder, CONFIG, BACKENDS / f"{backend}.yaml", **SAMPLED, **env) as collector,
        contextlib.closing(Sender(collector.http_port, service_instance_id="worker-1")) as sender,
    ):
        yield sender


def send_all(sender: Sender) -> None:
    """A turn of which a layer failed, an event, and a counter with its first 0."""
    ids = Ids("backend")
    trace, agent = ids.trace(), ids.span()
    layers = {semconv.AGENT: agent, semconv.MODEL: ids.span(), semconv.HTTP: ids.span()}
    spans = [span(ids, trace, {**TIMED_OUT, semconv.A_LAYER: layer}, name=layer) for layer in layers]
    assert sender.spans(*spans)
    assert sender.events(event(semconv.E_END, "told", COMPLETED, trace=trace))
    assert sender.count(NAME, 0, LABELS) and sender.count(NAME, 7, LABELS) and sender.count(NAME, 9, LABELS)


def counted(received: Intake) -> list[int]:
    """The values of the counter, in the order in which they came."""
    metrics = [metric for metric in received.metrics() if metric.name == NAME]
    return [point.as_int for metric in metrics for point in metric.sum.data_points]


def temporality(received: Intake) -> set[int]:
    return {metric.sum.aggregation_temporality for metric in received.metrics() if metric.name == NAME}


def whole(received: Intake) -> bool:
    return len(received.spans()) == 3 and bool(received.events()) and bool(received.metrics())


def test_datadog_gets_deltas_with_its_headers(tmp_path: Path, received: Intake) -> None:
    env = {"DD_API_KEY": KEY, "DD_OTLP_ENDPOINT": received.url}
    with sending(tmp_path, "datadog", **env) as sender:
        send_all(sender)
        eventually(lambda: whole(received) and sum(counted(received)) >= 9, what="everything")
    assert temporality(received) == {AGGREGATION_TEMPORALITY_DELTA}
    assert sum(counted(received)) == 9
    assert {request.headers["dd-api-key"] for request in received.requests} == {KEY}
    assert {request.headers["content-type"] for request in received.requests} == {"application/x-protobuf"}


def test_datadog_gets_no_more_metrics_at_a_time_than_it_takes(tmp_path: Path, received: Intake) -> None:
    """512 KiB, compressed: https://docs.datadoghq.com/opentelemetry/setup/otlp_ingest/#intake-limits"""
    series = [{semconv.A_NAME: f"agent {at}", semconv.A_LAYER: "x" * 1000} for at in range(1000)]
    with sending(tmp_path, "datadog", DD_API_KEY=KEY, DD_OTLP_ENDPOINT=received.url) as sender:
        assert sender.count(NAME, 0, *series) and sender.count(NAME, 1, *series)
        eventually(lambda: sum(counted(received)) == len(series), what="every series")
    assert max(len(request.body) for request in received.to("/v1/metrics")) <= 512 * 1024


def test_a_killed_process_is_counted_once_where_sums_become_deltas(tmp_path: Path, received: Intake) -> None:
    """Its series come again from the process that recovers it, with what was killed added."""
    open_streams = 12
    folder = tmp_path / "collector"
    env = {"DD_API_KEY": KEY, "DD_OTLP_ENDPOINT": received.url}

    def total(name: str, **labels: str) -> int:
        return sum(
            point.as_int
            for metric in received.metrics()
            if metric.name == name
            for point in metric.sum.data_points
            if labels.items() <= {pair.key: pair.value.string_value for pair in point.attributes}.items()
        )

    with Collector(folder, CONFIG, BACKENDS / "datadog.yaml", **SAMPLED, **env) as collector:
        program = {**collector.sdk("http/protobuf"), "OTEL_SERVICE_NAME": "killed"}
        with holding(open_streams, {**program, "OTEL_METRIC_EXPORT_INTERVAL": "500"}) as process:
            eventually(lambda: total(semconv.M_STARTED) >= open_streams, what="the starts")
            process.kill()
            process.wait()
        recover(program)
        killed = {semconv.A_OUTCOME: semconv.KILLED}
        eventually(lambda: total(semconv.M_ENDED) >= total(semconv.M_STARTED) > 0, what="the ends")
    assert total(semconv.M_ENDED, **killed) == open_streams
    assert total(semconv.M_ENDED) == total(semconv.M_STARTED)


@pytest.mark.parametrize(
    ("backend", "env", "headers"),
    [
        ("honeycomb", {"HONEYCOMB_API_KEY": KEY}, {"x-honeycomb-team": KEY}),
        ("signoz", {"SIGNOZ_KEY": KEY}, {"signoz-ingestion-key": KEY}),
    ],
)
def test_everything_goes_over_otlp_with_the_vendors_key(
    tmp_path: Path, received: Intake, backend: str, env: dict[str, str], headers: dict[str, str]
) -> None:
    with sending(tmp_path, backend, **env, **{f"{backend.upper()}_ENDPOINT": received.url}) as sender:
        send_all(sender)
        eventually(lambda: whole(received) and max(counted(received), default=0) == 9, what="everything")
    assert temporality(received) == {AGGREGATION_TEMPORALITY_CUMULATIVE}
    assert all(headers.items() <= request.headers.items() for request in received.requests)


def test_signozs_promql_finds_series_under_opentelemetrys_names(tmp_path: Path) -> None:
    """In a Prometheus that keeps those names, as SigNoz does."""
    page = (ROOT / "docs" / "backends" / "signoz.md").read_text()
    (query,) = re.findall(r"```promql\n(.*?)\n```", page, re.DOTALL)
    told = {semconv.A_LAYER: semconv.HTTP, semconv.A_OUTCOME: semconv.TIMEOUT, semconv.A_FAULT: True}
    with (
        Prometheus(tmp_path / "prometheus", names="NoTranslation") as prometheus,
        Collector(tmp_path / "collector", CONFIG, PROMETHEUS_OTLP_ENDPOINT=prometheus.otlp) as collector,
        contextlib.closing(Sender(collector.http_port)) as sender,
    ):
        assert sender.count(NAME, 0, told, ago=60) and sender.count(NAME, 7, told)
        ((labels, value),) = eventually(lambda: prometheus.query(query), what="the query's answer")
    assert labels == {semconv.A_LAYER: semconv.HTTP, semconv.A_OUTCOME: semconv.TIMEOUT} and value > 0


def test_honeycombs_metrics_have_a_dataset_of_their_own(tmp_path: Path, received: Intake) -> None:
    with sending(tmp_path, "honeycomb", HONEYCOMB_API_KEY=KEY, HONEYCOMB_ENDPOINT=received.url) as sender:
        send_all(sender)
        eventually(lambda: received.metrics(), what="metrics")
    datasets = {request.path: request.headers.get("x-honeycomb-dataset") for request in received.requests}
    assert datasets["/v1/metrics"] == "streamtrace-metrics"
    assert datasets.get("/v1/traces") is None


@pytest.mark.parametrize(
    ("backend", "variable", "path", "secret", "header"),
    [
        ("langfuse", "LANGFUSE_OTLP_ENDPOINT", "/api/public/otel", {"LANGFUSE_AUTH": KEY}, f"Basic {KEY}"),
        ("phoenix", "PHOENIX_OTLP_ENDPOINT", "", {"PHOENIX_API_KEY": KEY}, f"Bearer {KEY}"),
    ],
)
def test_a_store_of_traces_gets_agents_models_and_tools_alone(
    tmp_path: Path, received: Intake, backend: str, variable: str, path: str, secret: dict[str, str], header: str
) -> None:
    with sending(tmp_path, backend, **secret, **{variable: received.url + path}) as sender:
        send_all(sender)
        eventually(lambda: len(received.spans(f"{path}/v1/traces")) >= 2, what="the spans of both layers")
    assert {each.name for each in received.spans(f"{path}/v1/traces")} == {semconv.AGENT, semconv.MODEL}
    assert {request.headers["authorization"] for request in received.requests} == {header}
    assert {request.path for request in received.requests} == {f"{path}/v1/traces"}


def values(received: Intake) -> list[int]:
    """What Azure got of the counter."""
    metrics = [
        each["data"]["baseData"] for each in received.lines("/v2.1/track") if each["data"]["baseType"] == "MetricData"
    ]
    return [metric["value"] for data in metrics for metric in data["metrics"] if metric["name"] == NAME]


def dependencies(received: Intake) -> list[Any]:
    """What Azure makes of spans."""
    tracked = [each["data"] for each in received.lines("/v2.1/track")]
    return [data["baseData"] for data in tracked if data["baseType"] == "RemoteDependencyData"]


def test_azure_gets_spans_events_and_deltas_in_its_own_form(tmp_path: Path, received: Intake) -> None:
    key = "00000000-0000-0000-0000-000000000001"
    told = f"InstrumentationKey={key};IngestionEndpoint={received.url}/"
    with sending(tmp_path, "azure-monitor", APPLICATIONINSIGHTS_CONNECTION_STRING=told) as sender:
        send_all(sender)
        kinds = {"RemoteDependencyData", "MessageData", "MetricData"}
        eventually(lambda: kinds <= {each["data"]["baseType"] for each in received.lines("/v2.1/track")}, what="all")
        eventually(lambda: sum(values(received)) == 9, what="the counter")
        spans = eventually(lambda: dependencies(received)[2:] and dependencies(received), what="the spans")
    assert {each["iKey"] for each in received.lines("/v2.1/track")} == {key}
    asked = [(span["properties"][semconv.A_EARLY], span["properties"][semconv.A_OUTCOME]) for span in spans]
    assert asked == [("true", semconv.TIMEOUT)] * 3  # as texts, as the page's query asks for them


def test_azures_deltas_are_made_as_datadogs() -> None:
    """So what is shown above of the first 0 and of killed processes holds for both."""
    datadog, azure = (yaml.safe_load((BACKENDS / f"{name}.yaml").read_text()) for name in ("datadog", "azure-monitor"))
    assert azure["processors"] == datadog["processors"]
    metrics = [each["service"]["pipelines"]["metrics"]["processors"] for each in (datadog, azure)]
    assert metrics[0] == metrics[1]


def test_every_configuration_has_its_test_and_its_page() -> None:
    tested = {
        "datadog",
        "honeycomb",
        "signoz",
        "langfuse",
        "phoenix",
        "azure-monitor",
        "clickhouse",
        "jaeger-victorialogs",
    }
    assert {file.stem for file in BACKENDS.glob("*.yaml")} == tested
    assert {file.stem for file in (ROOT / "docs" / "backends").glob("[!R]*.md")} >= tested
