"""Whoever gets what leaves for a vendor that cannot be had here: keeps each request, and answers that all is well."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from .server import HOST


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    """Their names in lower case."""
    body: bytes


@dataclass
class Intake:
    port: int = 0
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def to(self, path: str) -> list[Request]:
        """The requests to a path."""
        return [request for request in list(self.requests) if request.path == path]

    def spans(self, path: str = "/v1/traces") -> list[Span]:
        groups = [
            group for each in self.to(path) for group in ExportTraceServiceRequest.FromString(each.body).resource_spans
        ]
        return [span for group in groups for scope in group.scope_spans for span in scope.spans]

    def metrics(self, path: str = "/v1/metrics") -> list[Metric]:
        groups = [
            group
            for each in self.to(path)
            for group in ExportMetricsServiceRequest.FromString(each.body).resource_metrics
        ]
        return [metric for group in groups for scope in group.scope_metrics for metric in scope.metrics]

    def events(self, path: str = "/v1/logs") -> list[str]:
        """The names of the log events."""
        groups = [
            group for each in self.to(path) for group in ExportLogsServiceRequest.FromString(each.body).resource_logs
        ]
        return [record.event_name for group in groups for scope in group.scope_logs for record in scope.log_records]

    def lines(self, path: str) -> list[dict[str, Any]]:
        """What came as JSON, an object or several."""
        found: list[dict[str, Any]] = []
        for request in self.to(path):
            for line in filter(None, request.body.splitlines()):
                read = json.loads(line)
                found += read if isinstance(read, list) else [read]
        return found


@contextmanager
def intake() -> Iterator[Intake]:
    """A server for every path, until the block ends."""
    found = Intake()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.requests.append(Request(self.path, headers, body))
            self.send_response(200)
            self.send_header("Content-Type", self.headers.get("Content-Type", "text/plain"))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """A test's output has no place for requests."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    found.port = server.server_port
    yield found
    server.shutdown()
    server.server_close()
