"""A real Prometheus that holds the day, and the series of the recording rules with it."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import yaml
from binaries import binary
from ports import free_port
from stack.server import HOST, Server, get_json

from panels import samples
from panels.traffic import BEGIN, END, Stream

ROOT: Final = Path(__file__).resolve().parents[2]
RULES: Final = ROOT / "dashboards" / "alerts" / "recording-rules.yaml"


class Store(Server):
    """A Prometheus over a folder of blocks, which scrapes nothing."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "prometheus.yaml").write_text("{}\n")
        command: list[str | Path] = [
            binary("prometheus"),
            "--config.file=prometheus.yaml",
            "--storage.tsdb.path=data",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address={HOST}:{port}",
            "--log.level=warn",
        ]
        super().__init__(command, folder, f"{self.url}/-/ready")

    def at(self, expr: str, moment: int) -> list[dict[str, Any]]:
        """The answer to an instant query: labels and value of each series."""
        return self._ask("query", query=expr, time=moment)

    def over(self, expr: str, begin: int, end: int, step: int) -> list[dict[str, Any]]:
        """The answer to a range query: labels and values of each series."""
        return self._ask("query_range", query=expr, start=begin, end=end, step=step)

    def _ask(self, path: str, **parameters: object) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = get_json(f"{self.url}/api/v1/{path}?{urlencode(parameters)}")["data"]["result"]
        return result


@contextmanager
def store(folder: Path, day: list[Stream]) -> Iterator[Store]:
    """It is ready when the block is entered: every rule has been evaluated for every minute of the day."""
    prometheus = Store(folder)
    metrics = folder / "day.om"
    samples.write(metrics, day)
    promtool(folder, "tsdb", "create-blocks-from", "--max-block-duration=64h", "openmetrics", metrics, "data")
    metrics.unlink()
    for level in levels(RULES):
        with prometheus:
            evaluate(folder, prometheus.url, level)
    with prometheus:
        yield prometheus


def levels(file: Path) -> list[list[dict[str, str]]]:
    """The recording rules in an order in which each finds the series of those that it asks for."""
    rules = [rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]
    found: list[list[dict[str, str]]] = []
    while rules:
        left = {rule["record"] for rule in rules}
        ready = [rule for rule in rules if not left & set(re.findall(r"streamtrace:\w+:\w+", rule["expr"]))]
        found.append(ready)
        rules = [rule for rule in rules if rule not in ready]
    return found


def evaluate(folder: Path, url: str, rules: list[dict[str, str]]) -> None:
    """Write the series of some rules beside the others."""
    file = folder / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "day", "interval": "1m", "rules": rules}]}))
    span = (f"--start={BEGIN}", f"--end={END}", f"--url={url}", "--output-dir=data", "--eval-interval=1m")
    promtool(folder, "tsdb", "create-blocks-from", "rules", *span, file)


def promtool(folder: Path, *words: str | Path) -> None:
    """Run it; what it says is shown where it fails."""
    done = subprocess.run([binary("promtool"), *words], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"promtool {' '.join(map(str, words))} failed:\n{done.stderr}")
