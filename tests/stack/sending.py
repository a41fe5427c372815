"""Spans, events and counters as a program's SDK would send them, at any time and in any order."""

import contextlib
import itertools
import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from autogen_streamtrace.core import semconv

SCOPE: Final = InstrumentationScope(name=semconv.SCOPE)
COMPLETED: Final = {semconv.A_OUTCOME: semconv.COMPLETED, semconv.A_EARLY: False, semconv.A_FAULT: False}
TIMED_OUT: Final = {semconv.A_OUTCOME: semconv.TIMEOUT, semconv.A_EARLY: True, semconv.A_FAULT: True}
ABANDONED: Final = {semconv.A_OUTCOME: semconv.ABANDONED, semconv.A_EARLY: True, semconv.A_FAULT: False}
KILLED: Final = {
    semconv.A_OUTCOME: semconv.KILLED,
    semconv.A_EARLY: True,
    semconv.A_FAULT: True,
    semconv.A_LAST_SEEN: "2026-01-01T00:00:00Z",
}


@dataclass
class Ids:
    """Trace and span ids: the same ones in each run of a test."""

    seed: str
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def trace(self) -> bytes:
        return self._random.randbytes(16)

    def span(self) -> bytes:
        return self._random.randbytes(8)


def span(
    ids: Ids,
    trace: bytes,
    told: Mapping[str, Any],
    *,
    parent: bytes = b"",
    seconds: float = 1.0,
    ended_ago: float = 0.0,
    name: str = "stream",
) -> Span:
    """A span that lasted ``seconds`` and ended ``ended_ago`` seconds ago; a root where it has no ``parent``."""
    end = time.time_ns() - int(ended_ago * 1e9)
    return Span(
        trace_id=trace,
        span_id=ids.span(),
        parent_span_id=parent,
        name=name,
        start_time_unix_nano=end - int(seconds * 1e9),
        end_time_unix_nano=end,
        attributes=pairs(told),
    )


def event(name: str, body: str, told: Mapping[str, Any], *, ago: float = 0.0, trace: bytes = b"") -> LogRecord:
    """A log record of ``ago`` seconds ago."""
    return LogRecord(
        time_unix_nano=time.time_ns() - int(ago * 1e9),
        event_name=name,
        body=AnyValue(string_value=body),
        trace_id=trace,
        attributes=pairs(told),
    )


class Sender:
    """One process that exports to a Collector by http/protobuf."""

    def __init__(self, http_port: int, **resource: str) -> None:
        """``resource``: its attributes, with ``_`` for each dot."""
        self.url = f"http://127.0.0.1:{http_port}/v1"
        told = {"service_name": "sender", **resource}
        self.resource = Resource(attributes=pairs({key.replace("_", "."): told[key] for key in told}))
        self._client = httpx.Client(timeout=10)
        self._began = time.time_ns()

    def spans(self, *spans: Span) -> bool:
        """Whether they were accepted."""
        group = ResourceSpans(resource=self.resource, scope_spans=[ScopeSpans(scope=SCOPE, spans=spans)])
        return self._send("traces", ExportTraceServiceRequest(resource_spans=[group]))

    def events(self, *events: LogRecord) -> bool:
        """Whether they were accepted."""
        group = ResourceLogs(resource=self.resource, scope_logs=[ScopeLogs(scope=SCOPE, log_records=events)])
        return self._send("logs", ExportLogsServiceRequest(resource_logs=[group]))

    def count(self, name: str, value: int, *series: Mapping[str, Any], ago: float = 0.0) -> bool:
        """Send the value that each series of a counter had ``ago`` seconds ago; whether it was accepted."""
        now = time.time_ns() - int(ago * 1e9)
        start = min(self._began, now)
        points = [
            NumberDataPoint(start_time_unix_nano=start, time_unix_nano=now, as_int=value, attributes=pairs(told))
            for told in series
        ]
        temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
        total = Sum(data_points=points, is_monotonic=True, aggregation_temporality=temporality)
        scope = ScopeMetrics(scope=SCOPE, metrics=[Metric(name=name, unit="{stream}", sum=total)])
        group = ResourceMetrics(resource=self.resource, scope_metrics=[scope])
        return self._send("metrics", ExportMetricsServiceRequest(resource_metrics=[group]))

    def close(self) -> None:
        self._client.close()

    def _send(self, signal: str, message: Any) -> bool:
        headers = {"Content-Type": "application/x-protobuf"}
        try:
            answer = self._client.post(f"{self.url}/{signal}", content=message.SerializeToString(), headers=headers)
        except httpx.TransportError:
            return False
        return answer.status_code == 200


def pairs(told: Mapping[str, Any]) -> list[KeyValue]:
    """Attributes in OTLP."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in told.items()]


def any_value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(array_value=ArrayValue(values=[any_value(each) for each in value]))


ALERTED: Final = {"EventLoopBlocked": ("blocked", 1), "EventLoopLate": ("late", 5)}
"""For each alert on log events the service whose events ``beyond_the_demo`` sends for it, and how many."""


def beyond_the_demo(http_port: int) -> None:
    """Send the events that no scenario of the demo brings."""
    blocked_loop(http_port)
    late_loop(http_port)
    lost_and_refused(http_port)


def blocked_loop(http_port: int) -> None:
    """Send the event of a blocked loop."""
    told = {semconv.A_LOOP_BLOCKED: True, semconv.A_WAITING_ON_TYPE: semconv.TOOL}
    resource = {"service_instance_id": "worker-1", "deployment_environment_name": "production"}
    with contextlib.closing(Sender(http_port, service_name="blocked", **resource)) as sender:
        assert sender.events(event(semconv.E_STALL, "tool lookup stalls", told))


def late_loop(http_port: int) -> None:
    """Send the ends of turns while the event loop was late, as often as the alert asks for."""
    told = {semconv.A_LAYER: semconv.AGENT, semconv.A_OUTERMOST: True, semconv.A_LOOP_LATE: 1.5, **COMPLETED}
    resource = {"service_instance_id": "worker-1", "deployment_environment_name": "production"}
    with contextlib.closing(Sender(http_port, service_name="late", **resource)) as sender:
        ids = Ids("late")
        assert sender.events(*(event(semconv.E_END, "agent helper", told, trace=ids.trace()) for _ in range(5)))


def lost_and_refused(http_port: int) -> None:
    """Send the ends of a request that was lost on a kept connection, and of one that nginx refused itself."""
    of_http = {semconv.A_LAYER: semconv.HTTP, semconv.A_ORIGIN: True, semconv.A_EARLY: True, semconv.A_FAULT: True}
    lost = {**of_http, semconv.A_OUTCOME: semconv.DISCONNECTED, semconv.A_CONNECTION_REUSED: True}
    refused = {
        **of_http,
        semconv.A_OUTCOME: semconv.REJECTED,
        semconv.A_REFUSAL_PAGE: "nginx",
        semconv.A_INTERMEDIARY: "nginx",
        semconv.A_TIME_TO_HEADERS: 0.002,
        semconv.HTTP_STATUS: 502,
    }
    resource = {"service_instance_id": "worker-1", "deployment_environment_name": "production"}
    with contextlib.closing(Sender(http_port, service_name="refused", **resource)) as sender:
        ids = Ids("refused")
        assert sender.events(
            *(event(semconv.E_END, "http api.example", each, trace=ids.trace()) for each in (lost, refused))
        )


def hex_ids(spans: Iterable[Span]) -> set[str]:
    """The span ids as they stand in OTLP's JSON."""
    return {each.span_id.hex() for each in spans}


def batches(spans: Iterable[Span], size: int) -> Iterable[tuple[Span, ...]]:
    """Tuples of ``size`` spans, the last one shorter."""
    rest = iter(spans)
    while batch := tuple(itertools.islice(rest, size)):
        yield batch
