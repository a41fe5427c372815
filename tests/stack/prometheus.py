"""Prometheus as it is shipped, on a free port."""

import json
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from binaries import binary
from ports import free_port

from .server import HOST, Server, get_json

ROOT: Final = Path(__file__).resolve().parents[2]
SETTINGS: Final = ROOT / "stores" / "prometheus.yaml"

Sample = tuple[dict[str, str], float]
"""Labels and value."""


class Prometheus(Server):
    """Takes OTLP at ``otlp``, evaluates ``rules``, answers ``query``."""

    def __init__(
        self,
        folder: Path,
        *rules: Path,
        evaluate_every: str = "1s",
        tells: int | None = None,
        names: str = "UnderscoreEscapingWithSuffixes",
    ) -> None:
        """``rules`` are rule files, or patterns of them; ``evaluate_every`` is Prometheus' own notation.

        ``tells`` is the port of the Alertmanager that gets what fires, ``names`` how OTLP's names are translated.
        """
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        self.otlp = f"{self.url}/api/v1/otlp"
        folder.mkdir(parents=True, exist_ok=True)
        settings = SETTINGS.read_text().replace("evaluation_interval: 15s", f"evaluation_interval: {evaluate_every}")
        settings = settings.replace("UnderscoreEscapingWithSuffixes", names)
        files = json.dumps([str(rule.resolve()) for rule in rules])
        managers = [] if tells is None else [{"static_configs": [{"targets": [f"{HOST}:{tells}"]}]}]
        alerting = json.dumps({"alertmanagers": managers})
        (folder / "prometheus.yaml").write_text(f"{settings}\nrule_files: {files}\nalerting: {alerting}\n")
        command: list[str | Path] = [
            binary("prometheus"),
            "--config.file=prometheus.yaml",
            "--storage.tsdb.path=data",
            f"--web.listen-address={HOST}:{port}",
            "--web.enable-otlp-receiver",
            "--enable-feature=exemplar-storage",
            "--log.level=warn",
        ]
        super().__init__(command, folder, f"{self.url}/-/ready")

    def query(self, expression: str, at: float | None = None) -> list[Sample]:
        """The instant vector (or the scalar, without labels) at a time in seconds; now where none is given.

        Raises:
            RuntimeError: the query is refused; with Prometheus' reason.
        """
        data = self.api("query", query=expression, time=time.time() if at is None else at)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(each["metric"], float(each["value"][1])) for each in data["result"]]

    def total(self, expression: str, at: float | None = None) -> float:
        """The sum of all samples; 0 where there is none."""
        return sum(value for _, value in self.query(expression, at))

    def api(self, path: str, **parameters: object) -> Any:
        """``data`` of an answer of the HTTP API: ``alerts``, ``rules``, ``series``, ``query_exemplars``, …"""
        return get_json(f"{self.url}/api/v1/{path}?{urlencode(parameters)}")["data"]
