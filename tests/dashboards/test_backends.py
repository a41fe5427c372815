"""The queries on the backends' pages are ones that their language knows, also where no store runs them."""

import json
import re
from typing import Final

import pytest

from .board import ROOT, rules, targets
from .grammar import NEEDS_NODE, misspelt

pytestmark = [pytest.mark.once, NEEDS_NODE]

PAGES: Final = ROOT / "docs" / "backends"
AZURE: Final = (PAGES / "azure-monitor.md").read_text()
JAEGER_AND_VICTORIALOGS: Final = (PAGES / "jaeger-victorialogs.md").read_text()


def test_azures_queries_are_ones_that_kusto_knows() -> None:
    queries = re.findall(r"```kusto\n(.*?)```", AZURE, re.DOTALL)
    assert queries and not misspelt("kql", queries)


def test_the_logql_beside_logsql_parses_with_grafanas_grammar() -> None:
    queries = re.findall(r"\| `((?:\{|sum).*?)` \|", JAEGER_AND_VICTORIALOGS)
    assert len(queries) == 4 and not misspelt("logql", (query.replace("\\|", "|") for query in queries))


def test_every_panel_and_alert_that_asks_loki_has_its_like_for_victorialogs() -> None:
    panels = json.loads((ROOT / "dashboards" / "victorialogs" / "log-events.json").read_text())["panels"]
    assert {panel["title"] for panel in panels} == {target.panel for target in targets("loki")}
    asked = {each["type"] for panel in panels for each in (panel["datasource"], panel["targets"][0]["datasource"])}
    assert asked == {"victoriametrics-logs-datasource"}
    alerts = rules("../victorialogs/alert-rules.yaml")
    assert {rule["alert"] for rule in alerts} == {rule["alert"] for rule in rules("loki-alert-rules.yaml")}


def test_a_function_or_a_column_that_is_none_is_found() -> None:
    wrong = "dependencies | summarize streams = cont() by layer"
    assert len(misspelt("kql", [wrong])[wrong]) == 2
