"""The dashboards against Grafana's own published schema and grammar: `npm ci --prefix tools/grafana`."""

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .board import BOARDS, FOLDER, ROOT, filled, targets

TOOLS = ROOT / "tools" / "grafana"
HAVE = bool(shutil.which("node")) and (TOOLS / "node_modules" / "@grafana" / "schema").is_dir()
NEEDS_NODE = pytest.mark.skipif(not HAVE, reason="not installed: Grafana's schema; run `npm ci --prefix tools/grafana`")

pytestmark = pytest.mark.once


def node(script: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = ["node", str(TOOLS / script), *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=50, check=False)


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
    queries = [filled(target.query).replace("\n", " ") for target in targets("tempo")]
    done = node("traceql.mjs", given="\n".join(queries))
    assert done.returncode == 0, done.stderr
    unknown = {query: json.loads(line) for query, line in zip(queries, done.stdout.splitlines(), strict=True)}
    assert not {query: found for query, found in unknown.items() if found}


@NEEDS_NODE
def test_traceql_that_is_none_is_found() -> None:
    assert json.loads(node("traceql.mjs", given="{ span.a = } | by(").stdout)


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
