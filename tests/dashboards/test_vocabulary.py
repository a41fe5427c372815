"""Dashboards, rules and alerts name what the code sends, and all of its metrics are on some panel."""

import re

import pytest
from boards import vocabulary

from autogen_streamtrace.core import semconv

from .board import BOARDS, alert_rules, rules, runbook_queries, targets, variables, words

pytestmark = pytest.mark.once

OURS = re.compile(r"^(streamtrace|gen_ai|error|http|server)[._:]")
SUFFIXES = ("", "_total", "_seconds", "_bucket", "_count", "_sum", "_seconds_bucket", "_seconds_count", "_seconds_sum")

PUBLIC = {value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str)}
METRICS = {value for name, value in vars(semconv).items() if name.startswith("M_")}
RECORDED = {rule["record"] for rule in rules("recording-rules.yaml")}
KNOWN = {vocabulary.label(name) + suffix for name in PUBLIC for suffix in SUFFIXES} | RECORDED

QUERIES = [
    *(target.query for target in targets("prometheus")),
    *(target.query for target in targets("loki")),
    *(rule["expr"] for rule in [*rules("recording-rules.yaml"), *alert_rules()]),
    *(
        variable["query"]["query"]
        for board in BOARDS.values()
        for variable in variables(board).values()
        if variable["type"] == "query"
    ),
]
COPIED = [*runbook_queries("promql"), *runbook_queries("logql")]
TRACEQL = [*(target.query for target in targets("tempo")), *runbook_queries("traceql")]


def test_every_name_in_a_query_is_public() -> None:
    named = {word for query in [*QUERIES, *COPIED] for word in words(query) if OURS.match(word)}
    assert named <= KNOWN


def test_every_attribute_in_traceql_is_public() -> None:
    named = {name for query in TRACEQL for name in re.findall(r"span\.([a-z_.]+)", query)}
    assert named and named <= PUBLIC


def test_every_label_in_an_alerts_text_is_one_of_its_series() -> None:
    for rule in alert_rules():
        told = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        assert told <= words(rule["expr"]), rule["alert"]


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_a_metric_is_on_some_panel(metric: str) -> None:
    shown = {word for target in targets("prometheus") for word in words(target.query)}
    assert shown & {vocabulary.label(metric) + suffix for suffix in SUFFIXES}


def test_the_events_are_asked_for_by_their_names() -> None:
    asked = re.findall(r'event_name="([^"]+)"', str(QUERIES))
    assert asked and set(asked) <= PUBLIC


def test_every_recorded_series_is_read_by_a_panel_or_an_alert() -> None:
    read = {word for query in QUERIES for word in words(query)}
    assert read >= RECORDED
