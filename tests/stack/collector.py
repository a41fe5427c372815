"""The Collector with the shipped configuration, on free ports, and what it wrote to files."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from binaries import binary
from ports import free_port

from .server import HOST, Server

ROOT: Final = Path(__file__).resolve().parents[2]
CONFIG: Final = ROOT / "collector-config.yaml"
GATEWAY: Final = ROOT / "collector-gateway.yaml"
SECURE: Final = ROOT / "collector-secure.yaml"
FILES: Final = Path(__file__).with_name("files.yaml")
STORED: Final = Path(__file__).with_name("stored.yaml")
STORE: Final = Path(__file__).with_name("store.yaml")
NOWHERE: Final = f"http://{HOST}:1"
"""Nobody listens there."""


class Collector(Server):
    """Takes OTLP at ``grpc`` and ``http``."""

    def __init__(self, folder: Path, *configs: Path, **env: str) -> None:
        """``configs`` are merged, the later ones win; ``env`` are variables of theirs."""
        self.grpc_port, self.http_port, health = free_port(), free_port(), free_port()
        command: list[str | Path] = [
            binary("otelcol"),
            *(f"--config={config}" for config in configs or (CONFIG, FILES)),
        ]
        super().__init__(command, folder, f"http://{HOST}:{health}/")
        self.env = {
            "OTLP_GRPC_ENDPOINT": f"{HOST}:{self.grpc_port}",
            "OTLP_HTTP_ENDPOINT": f"{HOST}:{self.http_port}",
            "HEALTH_ENDPOINT": f"{HOST}:{health}",
            "QUEUE_DIRECTORY": str(folder / "queue"),
            "FILES": str(folder),
            "PROMETHEUS_OTLP_ENDPOINT": NOWHERE,
            "LOKI_OTLP_ENDPOINT": NOWHERE,
            "TEMPO_OTLP_ENDPOINT": NOWHERE.removeprefix("http://"),
            "TELEMETRY_INTERVAL_MS": "1000",
            "SAMPLING_ROOT_WAIT": "2s",
            **env,
        }

    def sdk(self, protocol: str = "grpc", scheme: str = "http") -> Mapping[str, str]:
        """The variables that send an SDK's exporters here."""
        port = self.grpc_port if protocol == "grpc" else self.http_port
        return {
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{scheme}://{HOST}:{port}",
        }

    def spans(self) -> "list[Item]":
        """Every span in the file."""
        return list(self._items("traces", "resourceSpans", "scopeSpans", "spans"))

    def metrics(self) -> "list[Item]":
        """Every metric in the file; one instrument comes once per export."""
        return list(self._items("metrics", "resourceMetrics", "scopeMetrics", "metrics"))

    def logs(self) -> "list[Item]":
        """Every log record in the file."""
        return list(self._items("logs", "resourceLogs", "scopeLogs", "logRecords"))

    def _items(self, signal: str, by_resource: str, by_scope: str, items: str) -> "Iterator[Item]":
        file = self.folder / f"{signal}.jsonl"
        for line in file.read_bytes().splitlines(keepends=True) if file.exists() else ():
            if not line.endswith(b"\n"):
                continue  # still being written
            for resource_group in json.loads(line)[by_resource]:
                resource = attributes(resource_group["resource"])
                for scope_group in resource_group[by_scope]:
                    for item in scope_group[items]:
                        yield Item(resource, scope_group["scope"].get("name", ""), item)


@dataclass(frozen=True)
class Item:
    """One span, metric or log record in OTLP's JSON, with the resource and the scope that it came under."""

    resource: dict[str, Any]
    scope: str
    data: dict[str, Any]

    @property
    def attributes(self) -> dict[str, Any]:
        """Those of a span or a log record."""
        return attributes(self.data)


def attributes(holder: dict[str, Any]) -> dict[str, Any]:
    """The ``attributes`` of anything in OTLP's JSON as Python values."""
    return {pair["key"]: value(pair["value"]) for pair in holder.get("attributes", ())}


def value(any_value: dict[str, Any]) -> Any:
    """An ``AnyValue`` of OTLP's JSON (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding)."""
    if not any_value:
        return None
    ((kind, told),) = any_value.items()
    if kind == "intValue":
        return int(told)
    if kind == "arrayValue":
        return [value(each) for each in told.get("values", ())]
    if kind == "kvlistValue":
        return {pair["key"]: value(pair["value"]) for pair in told.get("values", ())}
    return told
