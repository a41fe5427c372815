"""The dashboards against Grafana's own published schema and grammars: `npm ci --prefix tools/grafana`."""

import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from .board import BOARDS, FOLDER, ROOT, filled, rules, runbook_queries, targets
from .grammar import NEEDS_NODE, misspelt, node

pytestmark = pytest.mark.once


@NEEDS_NODE
def test_the_dashboards_fit_grafanas_schema() -> None:
    done = node("schema.mjs", *(str(FOLDER / name) for name in BOARDS))
    assert done.returncode == 0, done.stdout + done.stderr


@NEEDS_NODE
def test_a_field_that_grafana_does_not_know_is_found(tmp_path: Path) -> None:
    broken = json.loads((FOLDER / "objectives.json").read_text())
    broken["panels"][1]["titel"] = "A typing error"
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(broken))
    done = node("schema.mjs", str(file))
    assert done.returncode == 1 and "titel" in done.stdout


@NEEDS_NODE
def test_traceql_parses_with_grafanas_grammar() -> None:
    assert not misspelt("traceql", (filled(target.query) for target in targets("tempo")))
    assert not misspelt("traceql", runbook_queries("traceql"))


@NEEDS_NODE
def test_logql_parses_with_grafanas_grammar() -> None:
    assert not misspelt("logql", (filled(target.query) for target in targets("loki")))
    assert not misspelt("logql", (rule["expr"] for rule in rules("loki-alert-rules.yaml")))
    assert not misspelt("logql", runbook_queries("logql"))


@NEEDS_NODE
def test_the_links_to_log_lines_parse_with_grafanas_grammar() -> None:
    stores = yaml.safe_load((ROOT / "compose" / "grafana-datasources.yaml").read_text())["datasources"]
    (to_logs,) = (each["jsonData"]["tracesToLogsV2"]["query"] for each in stores if each["type"] == "tempo")
    panes = [text.partition("&panes=")[2] for text in texts(BOARDS) if "&panes=" in text]
    queries = [query["expr"] for pane in panes for query in json.loads(unquote(pane))["a"]["queries"]]
    assert queries
    assert not misspelt("logql", [*queries, to_logs.replace("$${__tags}", 'service_name="shop"')])


@NEEDS_NODE
@pytest.mark.parametrize(
    ("language", "query"),
    [("traceql", "{ span.a = } | by("), ("logql", 'sum_over_time({a="b"} | unwarp c [5m])'), ("logql", "{a=b}")],
)
def test_a_query_that_is_none_is_found(language: str, query: str) -> None:
    assert misspelt(language, [query])


@pytest.mark.skipif(sys.version_info < (3, 11), reason="grafana-foundation-sdk needs Python 3.11")
@pytest.mark.parametrize("name", BOARDS)
def test_nothing_is_lost_between_the_file_and_the_sdks_model(name: str) -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    kept = json.loads(JSONEncoder().encode(Dashboard.from_json(copy.deepcopy(BOARDS[name]))))
    assert not list(lost(BOARDS[name], kept, name))


def lost(file: Any, model: Any, path: str) -> Iterator[str]:
    """Where the model, which adds its defaults, lacks what the file has."""
    if isinstance(file, dict):
        for key, value in file.items():
            yield from lost(value, model.get(key), f"{path}.{key}") if isinstance(model, dict) else [path]
    elif isinstance(file, list):
        for at, value in enumerate(file):
            yield from lost(value, model[at], f"{path}[{at}]") if len(file) == len(model or ()) else [path]
    elif file != model:
        yield path


def texts(document: Any) -> Iterator[str]:
    """Every text in a JSON document."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, (dict, list)):
        for each in document.values() if isinstance(document, dict) else document:
            yield from texts(each)
