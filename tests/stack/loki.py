"""A Loki that is on the PATH, with the shipped settings, on free ports."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from ports import free_port

from .server import HOST, Server, get_json

ROOT: Final = Path(__file__).resolve().parents[2]
SETTINGS: Final = ROOT / "stores" / "loki.yaml"
INSTALLED: Final = shutil.which("loki")
COMMAND: Final = (INSTALLED or "loki", f"-config.file={SETTINGS}", "-config.expand-env=true")


@dataclass(frozen=True)
class Line:
    """One log state: its time in nanoseconds, its body, the labels of its stream with its structured metadata."""

    time_ns: int
    body: str
    labels: dict[str, str]


class Loki(Server):
    """Takes OTLP at ``otlp``, answers ``lines`` and ``query``."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        self.otlp = f"{self.url}/otlp"
        super().__init__(COMMAND, folder, f"{self.url}/ready")
        self.env = {
            "LOKI_PORT": str(port),
            "LOKI_GRPC_PORT": str(free_port()),
            "LOKI_DATA": str(folder / "data"),
        }

    def lines(self, selector: str, *, hours: float = 24.0, limit: int = 5000) -> list[Line]:
        """What a log query finds in the last ``hours``, the oldest first."""
        now = time.time_ns()
        data = self._api(
            "query_range",
            query=selector,
            start=now - int(hours * 3600e9),
            end=now + int(60e9),
            limit=limit,
            direction="forward",
        )
        found = [
            Line(int(at), body, stream["stream"]) for stream in data["result"] for at, body, *_ in stream["values"]
        ]
        return sorted(found, key=lambda line: line.time_ns)

    def streams(self, selector: str) -> list[dict[str, str]]:
        """The labels of each stream that the selector fits."""
        now = time.time_ns()
        found: list[dict[str, str]] = self._api(
            "series", **{"match[]": selector, "start": now - int(6 * 3600e9), "end": now + int(60e9)}
        )
        return found

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The instant vector of a metric query, now.

        Raises:
            RuntimeError: the query is refused; with Loki's reason.
        """
        data = self._api("query", query=expression, time=time.time_ns())
        return [(each["metric"], float(each["value"][1])) for each in data["result"]]

    def _api(self, path: str, **parameters: object) -> Any:
        return get_json(f"{self.url}/loki/api/v1/{path}?{urlencode(parameters)}")["data"]
