"""ClickHouse: its real engine, behind a mock of its server's HTTP interface."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any, Final

import httpx
from ports import free_port

from .runs import PROGRAMS
from .server import HOST, Server

HAVE: Final = importlib.util.find_spec("chdb") is not None


class ClickHouse(Server):
    """Takes what the Collector's exporter sends to ``endpoint``, answers ``query``."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        self.endpoint = f"{self.url}?compress=none"
        super().__init__([sys.executable, PROGRAMS / "clickhouse.py", "data", str(port)], folder, f"{self.url}/ping")

    def query(self, statement: str, **parameters: str) -> list[dict[str, Any]]:
        """The rows; ``parameters`` are those that stand in the statement as ``{name:Type}``.

        Raises:
            RuntimeError: the engine refuses the statement; with its reason.
        """
        told = {"default_format": "JSONEachRow", **{f"param_{name}": value for name, value in parameters.items()}}
        answer = httpx.post(self.url, params=told, content=statement, timeout=10)
        if answer.is_error:
            raise RuntimeError(answer.text)
        return [json.loads(line) for line in answer.text.splitlines()]
