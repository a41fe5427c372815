"""Export requests in protobuf, as OTLP JSON has them."""

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from autogen_streamtrace.commands.reading.otlp_json import ShapeError

Signal = Literal["traces", "logs", "metrics"]
Document = dict[str, Any]

_DEEPEST: Final = 32
"""Values inside values that are read."""


def document(signal: Signal, data: bytes) -> Document:
    """An export request as OTLP JSON has it.

    Of metrics nothing but the message's form is looked at, since nothing reads them.

    Raises:
        ShapeError: it is no such request.
    """
    try:
        return _READERS[signal](data)
    except DecodeError as error:
        raise ShapeError(f"no OTLP: no protobuf of {signal} ({error})") from None


def of_traces(message: ExportTraceServiceRequest) -> Document:
    """The same for a request that is parsed."""
    return {
        "resourceSpans": [
            {
                "resource": _resource(each.resource),
                "scopeSpans": [
                    {"scope": {"name": scope.scope.name}, "spans": [_span(span) for span in scope.spans]}
                    for scope in each.scope_spans
                ],
            }
            for each in message.resource_spans
        ]
    }


def of_logs(message: ExportLogsServiceRequest) -> Document:
    """The same for a request that is parsed."""
    return {
        "resourceLogs": [
            {
                "resource": _resource(each.resource),
                "scopeLogs": [
                    {"scope": {"name": scope.scope.name}, "logRecords": [_record(one) for one in scope.log_records]}
                    for scope in each.scope_logs
                ],
            }
            for each in message.resource_logs
        ]
    }


def _of_metrics(data: bytes) -> Document:
    ExportMetricsServiceRequest.FromString(data)
    return {"resourceMetrics": []}


_READERS: Final[dict[Signal, Callable[[bytes], Document]]] = {
    "traces": lambda data: of_traces(ExportTraceServiceRequest.FromString(data)),
    "logs": lambda data: of_logs(ExportLogsServiceRequest.FromString(data)),
    "metrics": _of_metrics,
}


def _resource(resource: Resource) -> Document:
    return {"attributes": _pairs(resource.attributes)}


def _span(span: Span) -> Document:
    found: Document = {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex(),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": span.start_time_unix_nano,
        "endTimeUnixNano": span.end_time_unix_nano,
        "attributes": _pairs(span.attributes),
    }
    if span.status.code or span.status.message:
        found["status"] = {"code": span.status.code, "message": span.status.message}
    if span.events:
        found["events"] = [
            {"timeUnixNano": each.time_unix_nano, "name": each.name, "attributes": _pairs(each.attributes)}
            for each in span.events
        ]
    if span.links:
        found["links"] = [{"traceId": each.trace_id.hex(), "spanId": each.span_id.hex()} for each in span.links]
    return found


def _record(record: LogRecord) -> Document:
    return {
        "traceId": record.trace_id.hex(),
        "spanId": record.span_id.hex(),
        "timeUnixNano": record.time_unix_nano or record.observed_time_unix_nano,
        "severityNumber": record.severity_number,
        "severityText": record.severity_text,
        "eventName": record.event_name,
        "body": _value(record.body, 0),
        "attributes": _pairs(record.attributes),
    }


def _pairs(pairs: Iterable[KeyValue], depth: int = 0) -> list[Document]:
    return [{"key": pair.key, "value": _value(pair.value, depth)} for pair in pairs]


def _value(value: AnyValue, depth: int) -> Document:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return {"stringValue": value.string_value}
    if kind is None or depth > _DEEPEST:
        return {}
    if kind == "array_value":
        return {"arrayValue": {"values": [_value(each, depth + 1) for each in value.array_value.values]}}
    if kind == "kvlist_value":
        return {"kvlistValue": {"values": _pairs(value.kvlist_value.values, depth + 1)}}
    if kind == "bytes_value":
        return {"bytesValue": value.bytes_value.hex()}
    return {_NAMES[kind]: getattr(value, kind)}


_NAMES: Final = {"bool_value": "boolValue", "int_value": "intValue", "double_value": "doubleValue"}
