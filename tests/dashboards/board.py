"""The checked-in dashboards and rules, parsed, and what can be asked of them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "dashboards"
ALERTS: Final = FOLDER / "alerts"
RUNBOOKS: Final = ROOT / "docs" / "runbooks"
BOARDS: Final[dict[str, dict[str, Any]]] = {
    file.name: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))
}

RANGES: Final = {"$__range": "1h", "$__rate_interval": "4m", "$__interval": "1m", "$__auto": "5m"}
"""What Grafana puts for its own variables."""
WORD: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`')


@dataclass(frozen=True)
class Target:
    """One query of one panel."""

    board: str
    panel: str
    kind: str
    """``prometheus``, ``loki`` or ``tempo``."""
    query: str

    def __str__(self) -> str:
        return f"{self.board}: {self.panel}: {self.query}"


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """All panels but the rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def targets(kind: str = "") -> Iterator[Target]:
    """Every query of every panel and annotation; of one kind of store where it is named."""
    for name, board in BOARDS.items():
        asked = [(panel["title"], target) for panel in panels(board) for target in panel["targets"]]
        asked += [(each["name"], each) for each in board["annotations"]["list"]]
        for title, target in asked:
            found = target["datasource"]["type"]
            if kind in ("", found):
                yield Target(name, title, found, target.get("expr") or target["query"])


def variables(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in board["templating"]["list"]}


def filled(query: str) -> str:
    """A query as Grafana sends it while every variable stands at its first value."""
    for name, value in RANGES.items():
        query = query.replace(name, value)
    for board in BOARDS.values():
        for name, variable in variables(board).items():
            everything = variable.get("allValue") or variable.get("query") or ""
            query = re.sub(rf"\$({name}\b|{{{name}}})", str(everything).replace("\\", r"\\"), query)
    return query


def words(query: str) -> set[str]:
    """The names in a query, without what stands in quotes."""
    return set(WORD.findall(QUOTED.sub("", query)))


def rules(file: str) -> list[dict[str, Any]]:
    """The rules of one file of ``dashboards/alerts``."""
    return [rule for group in yaml.safe_load((ALERTS / file).read_text())["groups"] for rule in group["rules"]]


def runbook_queries(language: str) -> list[str]:
    """The queries to copy of the runbooks, in ``promql``, ``logql`` or ``traceql``."""
    texts = [file.read_text() for file in sorted(RUNBOOKS.glob("*.md"))]
    return [query.strip() for text in texts for query in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)]


def alert_rules() -> list[dict[str, Any]]:
    return [*rules("alert-rules.yaml"), *rules("loki-alert-rules.yaml")]
