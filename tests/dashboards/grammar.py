"""Grafana's own published schema and grammars, and Kusto's, which run on Node: `npm ci --prefix tools/grafana`."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from typing import Final

import pytest

from .board import ROOT

TOOLS: Final = ROOT / "tools" / "grafana"
PACKAGES: Final = (
    *(f"@grafana/{name}" for name in ("lezer-logql", "lezer-traceql", "schema")),
    "@kusto/language-service-next",
)
HAVE: Final = bool(shutil.which("node")) and all((TOOLS / "node_modules" / name).is_dir() for name in PACKAGES)
NEEDS_NODE: Final = pytest.mark.skipif(
    not HAVE, reason="not installed: Grafana's schema and grammars; run `npm ci --prefix tools/grafana`"
)


def node(script: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = ["node", str(TOOLS / script), *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=50, check=False)


def misspelt(language: str, queries: Iterable[str]) -> dict[str, list[str]]:
    """The queries that their language does not know, each with the places or the reasons.

    ``language`` is ``logql`` or ``traceql``, by Grafana's grammar, or ``kql``.
    """
    lines = [query.replace("\n", " ") for query in queries]
    script = ("kql.mjs",) if language == "kql" else ("grammar.mjs", language)
    done = node(*script, given="\n".join(lines))
    assert done.returncode == 0, done.stderr
    unknown = {query: json.loads(line) for query, line in zip(lines, done.stdout.splitlines(), strict=True)}
    return {query: places for query, places in unknown.items() if places}
