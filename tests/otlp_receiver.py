"""A real OTLP receiver on loopback, gRPC and HTTP/protobuf at once, for tests."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import grpc  # type: ignore[import-untyped]
from google.protobuf.duration_pb2 import Duration  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

T = TypeVar("T")

ASK_AGAIN = 0.2
"""Seconds without an arrival after which what is waited for is asked again: it may be about more than arrivals."""
RETRY_AFTER = 300
"""Seconds that a refused client is asked to wait."""

_MESSAGES: dict[str, tuple[Any, Any]] = {
    "traces": (trace_service_pb2.ExportTraceServiceRequest, trace_service_pb2.ExportTraceServiceResponse),
    "metrics": (metrics_service_pb2.ExportMetricsServiceRequest, metrics_service_pb2.ExportMetricsServiceResponse),
    "logs": (logs_service_pb2.ExportLogsServiceRequest, logs_service_pb2.ExportLogsServiceResponse),
}
_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda body: body,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


@dataclass(frozen=True)
class Request:
    """One export request: its signal, its headers (names in lower case) and its parsed message.

    ``protocol`` is ``grpc`` or ``http/protobuf``; ``path`` is the URL's path or the gRPC method; ``peer`` names the
    client's end of the connection.
    """

    signal: str
    protocol: str
    path: str
    peer: str
    headers: dict[str, str]
    message: Any


@dataclass(frozen=True)
class Received(Generic[T]):
    """One span, metric or log record with the resource and scope that it came under."""

    resource: dict[str, Any]
    scope: str
    data: T

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of a span or log record as Python values."""
        return attributes(self.data.attributes)  # type: ignore[attr-defined]


def attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """OTLP key-value pairs as a dictionary of Python values."""
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return attributes(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)


def points(metrics: Iterable[Received[Metric]], name: str) -> list[NumberDataPoint]:
    """The number points of the counters and gauges called ``name``, in the order of arrival."""
    found: list[NumberDataPoint] = []
    for metric in metrics:
        if metric.data.name == name:
            kind = metric.data.WhichOneof("data")
            assert kind in ("sum", "gauge"), f"{name} is a {kind}"
            found.extend(getattr(metric.data, kind).data_points)
    return found


@dataclass
class _Store:
    """What has arrived, and the condition that tells of each arrival."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    requests: list[Request] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    """The signals whose next request is refused."""

    def refuses(self, signal: str) -> bool:
        with self.changed:
            refuses = signal in self.refused
            self.refused.discard(signal)
            return refuses

    def add(self, request: Request) -> None:
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def snapshot(self) -> list[Request]:
        with self.changed:
            return list(self.requests)


class OtlpReceiver:
    """Listens on two free loopback ports and keeps all that arrives. A context manager.

    ``tls`` is the server's (certificate file, key file) in PEM; without it both ports speak plain text.
    ``env("grpc")`` and ``env("http/protobuf")`` are the variables that send an SDK's exporters here.
    """

    def __init__(self, tls: tuple[str, str] | None = None) -> None:
        self._store = _Store()
        self._tls = tls
        self._grpc, self.grpc_port = _grpc_server(self._store, tls)
        self._http = _http_server(self._store, tls)
        self.http_port = int(self._http.server_address[1])
        self._http_thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> OtlpReceiver:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Answers from now on."""
        self._grpc.start()
        self._http_thread.start()

    def stop(self) -> None:
        """Closes both ports; what has arrived stays readable."""
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(grace=None).wait(5)

    def refuse_once(self) -> None:
        """Refuses the next request of each signal, and asks its client to wait ``RETRY_AFTER`` seconds."""
        self._store.refused |= _MESSAGES.keys()

    def endpoint(self, protocol: str) -> str:
        """The base URL for ``grpc`` or ``http/protobuf``."""
        port = self.grpc_port if protocol == "grpc" else self.http_port
        return f"http{'s' if self._tls else ''}://127.0.0.1:{port}"

    def env(self, protocol: str) -> dict[str, str]:
        """``OTEL_EXPORTER_OTLP_PROTOCOL`` and ``OTEL_EXPORTER_OTLP_ENDPOINT`` for this receiver."""
        return {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint(protocol)}

    def requests(self, signal: str | None = None) -> list[Request]:
        """Every request so far, or those of ``traces``, ``metrics`` or ``logs``."""
        return [each for each in self._store.snapshot() if signal in (None, each.signal)]

    def spans(self) -> list[Received[Span]]:
        """Every span so far, in the order of arrival."""
        return list(_items(self.requests("traces"), "resource_spans", "scope_spans", "spans"))

    def metrics(self) -> list[Received[Metric]]:
        """Every exported metric so far, in the order of arrival; one instrument comes once per export.

        Without those in which an older SDK counts itself.
        """
        found = _items(self.requests("metrics"), "resource_metrics", "scope_metrics", "metrics")
        return [each for each in found if not each.data.name.startswith("otel.sdk.")]

    def logs(self) -> list[Received[LogRecord]]:
        """Every log record so far, in the order of arrival."""
        return list(_items(self.requests("logs"), "resource_logs", "scope_logs", "log_records"))

    def wait_for(self, predicate: Callable[[OtlpReceiver], object], timeout: float = 40.0) -> None:
        """Returns as soon as ``predicate(self)`` is true, which is asked at each arrival, and now and then.

        Raises ``TimeoutError`` after ``timeout`` seconds, with what has arrived by then.
        """
        give_up = time.monotonic() + timeout
        with self._store.changed:
            while not predicate(self):
                left = give_up - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"not within {timeout} s; arrived: {self._summary()}")
                self._store.changed.wait(min(left, ASK_AGAIN))

    def _summary(self) -> str:
        return (
            f"spans {[each.data.name for each in self.spans()]}, metrics {[each.data.name for each in self.metrics()]},"
            f" logs {[each.data.event_name for each in self.logs()]}"
        )


def _items(requests: Iterable[Request], by_resource: str, by_scope: str, items: str) -> Iterator[Received[Any]]:
    for request in requests:
        for resource_group in getattr(request.message, by_resource):
            resource = attributes(resource_group.resource.attributes)
            for scope_group in getattr(resource_group, by_scope):
                for item in getattr(scope_group, items):
                    yield Received(resource, scope_group.scope.name, item)


class _Servicer:
    """The ``Export`` method of one signal's gRPC service."""

    def __init__(self, store: _Store, signal: str) -> None:
        self._store = store
        self._signal = signal

    def Export(self, message: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - the service's own name
        if self._store.refuses(self._signal):
            wait = RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER))
            context.set_trailing_metadata((("google.rpc.retryinfo-bin", wait.SerializeToString()),))
            context.abort(grpc.StatusCode.UNAVAILABLE, "refused once")
        headers = {key: str(value) for key, value in context.invocation_metadata()}
        self._store.add(Request(self._signal, "grpc", "Export", context.peer(), headers, message))
        return _MESSAGES[self._signal][1]()


def _grpc_server(store: _Store, tls: tuple[str, str] | None) -> tuple[grpc.Server, int]:
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Servicer(store, "traces"), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Servicer(store, "metrics"), server)
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(_Servicer(store, "logs"), server)
    if tls is None:
        return server, server.add_insecure_port("127.0.0.1:0")
    certificate, key = (_read(path) for path in tls)
    return server, server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _http_server(store: _Store, tls: tuple[str, str] | None) -> ThreadingHTTPServer:
    class Handler(_HttpHandler):
        arrived = store

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


class _HttpHandler(BaseHTTPRequestHandler):
    """``POST /v1/<signal>``, also below a prefix; any other path is answered with 404."""

    arrived: _Store
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        signal = self.path.rpartition("/")[2]
        if signal not in _MESSAGES:
            self._answer(404, b"")
            return
        if self.arrived.refuses(signal):
            self._answer(503, b"", {"Retry-After": str(RETRY_AFTER)})
            return
        request, response = _MESSAGES[signal]
        message = request.FromString(_DECODERS[headers.get("content-encoding", "")](body))
        peer = "{}:{}".format(*self.client_address)
        self.arrived.add(Request(signal, "http/protobuf", self.path, peer, headers, message))
        self._answer(200, response().SerializeToString())

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Quiet: a test's output is its own."""
