"""Jaeger on free ports: the store of traces in the tests, where users have it or Tempo."""

import json
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from binaries import binary
from ports import free_port

from .collector import Item, attributes
from .server import HOST, Server, get

CONFIG: Final = Path(__file__).with_name("jaeger.yaml")


class Jaeger(Server):
    """Takes OTLP by grpc at ``otlp``, answers ``trace``."""

    def __init__(self, folder: Path) -> None:
        self.otlp, query = f"{HOST}:{free_port()}", free_port()
        self.url = f"http://{HOST}:{query}"
        super().__init__([binary("jaeger"), f"--config={CONFIG}"], folder, f"{self.url}/api/services")
        self.env: Mapping[str, str] = {
            "OTLP_ENDPOINT": self.otlp,
            "QUERY_ENDPOINT": f"{HOST}:{query}",
            "QUERY_GRPC_ENDPOINT": f"{HOST}:{free_port()}",
        }

    def stop(self) -> None:
        """At once: it waits ten seconds for queries that may come, and has everything in memory."""
        self.kill()

    def trace(self, trace_id: str) -> list[Item]:
        """The spans of a trace; none where it is not known."""
        # Source: https://www.jaegertracing.io/docs/2.11/architecture/apis/#query-json-over-http
        try:
            answer: dict[str, Any] = json.loads(get(f"{self.url}/api/v3/traces/{trace_id}"))
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return []
        return [
            Item(attributes(group["resource"]), scope["scope"].get("name", ""), span)
            for group in answer["result"]["resourceSpans"]
            for scope in group["scopeSpans"]
            for span in scope["spans"]
        ]
