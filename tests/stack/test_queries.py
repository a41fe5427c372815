"""Every query of every panel and alert finds something in the demo's data.

PromQL runs on the real Prometheus. What LogQL and TraceQL choose by is looked for in the events and spans that arrived.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pytest
from boards import vocabulary
from dashboards.board import Target, filled, rules, targets, words

from autogen_streamtrace.core import semconv
from dashboards import logql

from .collector import CONFIG, FILES, ROOT, Collector
from .prometheus import Prometheus
from .rules_now import sped_up
from .runs import demo
from .sending import ALERTED, beyond_the_demo
from .server import eventually
from .victorialogs import VictoriaLogs

pytestmark = pytest.mark.timeout(240)

RESOURCE: Final = "service.namespace=shop,service.version=1.2.3,deployment.environment.name=production"
JAEGER_AND_VICTORIALOGS: Final = ROOT / "docs" / "backends" / "jaeger-victorialogs.md"
KEEP_ALL: Final = {"SAMPLING_EARLY_PERCENT": "100", "SAMPLING_REST_PERCENT": "100"}
STEP: Final = 5
"""Seconds between two points of a panel."""
LONGEST: Final = 'streamtrace:turns:increase3d{streamtrace_fault="true"}'
"""The recorded series that comes last: its windows begin at whole minutes."""
NOT_THERE: Final = {vocabulary.label(metric) for metric in vocabulary.NOT_IN_THE_DEMO}
ON_THE_PAGE: Final = {
    what: (in_logql.replace("\\|", "|"), in_logsql.replace("\\|", "|"))
    for what, in_logql, in_logsql in re.findall(
        r"^\| ([\w ]+) \| `(\S.*?)` \| `(\S.*?)` \|$", JAEGER_AND_VICTORIALOGS.read_text(), re.MULTILINE
    )
}
"""What a backend's page asks, in both languages."""
IN_LOGSQL: Final = {
    panel["title"]: panel["targets"][0]["expr"]
    for panel in json.loads((ROOT / "dashboards" / "victorialogs" / "log-events.json").read_text())["panels"]
}
"""By the panel's title."""
NEVER_IN_HEALTH: Final = re.compile(r"otelcol_\w+(refused|send_failed|too_early|late_span)\w*")
"""What a Collector reports once it has happened."""


@dataclass(frozen=True)
class Played:
    """The demo has run, and what it sent arrives; ``start`` is the time before it, in seconds."""

    start: float
    prometheus: Prometheus
    victorialogs: VictoriaLogs
    collector: Collector

    def series(self, query: str) -> list[Any]:
        """What a panel gets from the start until now."""
        found = self.prometheus.api("query_range", query=query, start=self.start, end=time.time(), step=STEP)
        assert found["resultType"] == "matrix"
        return list(found["result"])

    def traces(self) -> set[str]:
        """The ids of those that were kept."""
        return {span.data["traceId"] for span in self.collector.spans()}

    def chosen(self, query: str) -> list[dict[str, str]]:
        """The labels of each event that LogQL chooses."""
        events = [logql.labels(line.fields) for line in self.victorialogs.lines({})]
        return [labels for labels in events if logql.chooses(query, labels)]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, victorialogs: VictoriaLogs) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("queries")
    start = time.time()
    with Prometheus(folder / "prometheus", *sped_up(folder)) as prometheus:
        to = {"PROMETHEUS_OTLP_ENDPOINT": prometheus.otlp, "LOKI_OTLP_ENDPOINT": victorialogs.otlp, **KEEP_ALL}
        with Collector(folder / "collector", CONFIG, FILES, **to) as collector:
            settings = {"OTEL_METRIC_EXPORT_INTERVAL": "1000", "OTEL_RESOURCE_ATTRIBUTES": RESOURCE}
            demo({**collector.sdk(), **settings})
            beyond_the_demo(collector.http_port)
            eventually(lambda: prometheus.query(LONGEST), limit=100, what=LONGEST)
            yield Played(start, prometheus, victorialogs, collector)


def lacks(query: str) -> bool:
    """Whether a query asks for nothing but what neither the demo nor a healthy Collector brings."""
    asked = {word for word in words(query) if re.match(r"(streamtrace(?!_.*_(type|name|id|by)\b)|otelcol_)", word)}
    missing = {word for word in asked if NEVER_IN_HEALTH.match(word)}
    missing |= {word for word in asked if any(word.startswith(name) for name in NOT_THERE)}
    return bool(missing)


def expected(target: Target) -> str:
    return f"{target.board} {target.panel}"


@pytest.mark.parametrize(
    "target", [pytest.param(each, id=f"{at} {expected(each)}") for at, each in enumerate(targets("prometheus"))]
)
def test_a_panels_promql_returns_data(target: Target, played: Played) -> None:
    query = filled(target.query)
    assert played.series(query) or lacks(query) or eventually(lambda: played.series(query), what=query)


@pytest.mark.parametrize("target", [pytest.param(each, id=expected(each)) for each in targets("loki")])
def test_a_panels_logql_chooses_events_that_arrived(target: Target, played: Played) -> None:
    query = filled(target.query)
    found = eventually(lambda: played.chosen(query), limit=30, what=query)
    assert logql.named(query) <= {label for labels in found for label in labels}


@pytest.mark.parametrize("rule", rules("recording-rules.yaml"), ids=lambda rule: str(rule["record"]))
def test_a_recording_rule_records(rule: dict[str, str], played: Played) -> None:
    name = rule["record"]
    assert name == "streamtrace:streams_lost:6h" or eventually(lambda: played.series(name), what=name)


@pytest.mark.parametrize("rule", rules("alert-rules.yaml"), ids=lambda rule: str(rule["alert"]))
def test_an_alerts_promql_runs_on_series_that_are_there(rule: dict[str, str], played: Played) -> None:
    played.prometheus.query(rule["expr"])
    asked = {word for word in words(rule["expr"]) if re.match(r"streamtrace(:|_.*(total|seconds\w*|open|size)$)", word)}
    for metric in asked - {"streamtrace:streams_lost:6h"}:
        there = f"count(last_over_time({metric}[1h]))"
        assert lacks(metric) or eventually(partial(played.series, there), what=there)


@pytest.mark.parametrize("rule", rules("loki-alert-rules.yaml"), ids=lambda rule: str(rule["alert"]))
def test_an_alerts_logql_chooses_the_event_that_it_is_for(rule: dict[str, str], played: Played) -> None:
    service, count = ALERTED[rule["alert"]]
    chosen = eventually(lambda: played.chosen(rule["expr"]), limit=30, what=rule["alert"])
    assert [labels["service_name"] for labels in chosen] == [service] * count
    assert all(logql.named(rule["expr"]) <= labels.keys() for labels in chosen)


@pytest.mark.parametrize(("asked_in_logql", "asked_in_logsql"), ON_THE_PAGE.values(), ids=ON_THE_PAGE)
def test_the_logsql_beside_logql_finds_the_same_events(
    asked_in_logql: str, asked_in_logsql: str, played: Played
) -> None:
    trace = next(line.fields["trace_id"] for line in played.victorialogs.lines({"event.name": semconv.E_END}))
    chosen = eventually(lambda: played.chosen(asked_in_logql.replace("…", trace)), what=asked_in_logql)
    found = played.victorialogs.ask(asked_in_logsql.replace("…", trace))
    if "| stats" not in asked_in_logsql:
        assert len(found) == len(chosen)
        return
    outcomes = Counter(labels["streamtrace_outcome"] for labels in chosen)
    assert {row[semconv.A_OUTCOME]: int(row["count(*)"]) for row in found} == outcomes


@pytest.mark.parametrize("target", [pytest.param(each, id=expected(each)) for each in targets("loki")])
def test_a_panels_logsql_finds_what_its_logql_chooses(target: Target, played: Played) -> None:
    everything = re.sub(r"\$\{\w+:regex\}", ".*", IN_LOGSQL[target.panel])
    query = re.sub(r"\$(layer|outcome|cause)", "", everything)
    chosen = eventually(lambda: played.chosen(filled(target.query)), what=target.query)
    found = played.victorialogs.ask(query)
    stats = re.search(r'(count|max|sum)\("?(.*?)"?\) (\w+)$', query)
    if stats is None:
        assert len(found) == len(chosen)
        return
    function, attribute, name = stats.groups()
    one = [float(labels[vocabulary.label(attribute)]) if attribute else 1.0 for labels in chosen]
    together = max if function == "max" else sum
    assert together(float(row[name]) for row in found) == pytest.approx(together(one))
    assert played.victorialogs.stats("stats_query_range", query, start=played.start, step="1m")


@pytest.mark.parametrize("rule", rules("../victorialogs/alert-rules.yaml"), ids=lambda rule: str(rule["alert"]))
def test_an_alerts_logsql_finds_the_event_that_it_is_for(rule: dict[str, str], played: Played) -> None:
    service, count = ALERTED[rule["alert"]]
    query = rule["expr"].replace("_time:5m", "_time:1h")  # whenever this test runs
    assert query != rule["expr"]
    (found,) = eventually(lambda: played.victorialogs.stats("stats_query", query), what=rule["alert"])
    assert (found["metric"]["service_name"], int(found["value"][1])) == (service, count)


def test_no_rule_fails_in_a_running_prometheus(played: Played) -> None:
    groups = played.prometheus.api("rules")["groups"]
    failed = [(rule["name"], rule.get("lastError")) for group in groups for rule in group["rules"]]
    assert len(failed) == len(rules("recording-rules.yaml")) + len(rules("alert-rules.yaml"))
    assert not [each for each in failed if each[1]]


def test_the_attributes_that_traceql_names_arrive(played: Played) -> None:
    queries = [target.query for target in targets("tempo")]
    asked = {name for query in queries for name in re.findall(r"(?:span|resource)\.([a-z_.]+)", query)}

    def missing() -> set[str]:
        return asked - {name for span in played.collector.spans() for name in {**span.resource, **span.attributes}}

    eventually(lambda: not missing(), what="the attributes")


def test_the_cuts_lead_to_traces(played: Played) -> None:
    def led_to() -> set[str]:
        cuts = played.prometheus.api("query_exemplars", query="streamtrace_cut_total", start=played.start, end=4e9)
        return {exemplar["labels"]["trace_id"] for series in cuts for exemplar in series["exemplars"]}

    eventually(lambda: led_to() & played.traces(), what="a cut's trace")


def test_a_log_event_carries_the_trace_that_the_links_follow(played: Played) -> None:
    def led_to() -> set[str]:
        return {line.fields["trace_id"] for line in played.victorialogs.lines({"event.name": semconv.E_END})}

    eventually(lambda: led_to() & played.traces(), what="an event's trace")


def test_the_variables_find_their_values(played: Played) -> None:
    for target in targets("prometheus"):
        assert "$" in target.query or "vector" in target.query or "max(" in target.query
    found = played.prometheus.query(
        "group by (deployment_environment_name, service_name, service_version, job, instance) "
        "(last_over_time(streamtrace_instrument_queue_size[1h]))"
    )
    (labels, _), *others = found
    assert not others and labels["job"] == f"shop/{labels['service_name']}"
    assert labels["service_version"] == "1.2.3" and labels["deployment_environment_name"] == "production"
