"""The encoders that our exporters use in the place of the SDK's."""

import logging
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.neighbours.otlp_exporters import ENCODE_LOGS, ENCODE_SPANS, replace_encoder
from autogen_streamtrace.otlp.encoding.log_records import log_record
from autogen_streamtrace.otlp.encoding.requests import request
from autogen_streamtrace.otlp.encoding.spans import span

Encode = Callable[[Sequence[Any]], Any]
"""Takes a batch; returns the request as a message."""

logger = logging.getLogger(__name__)

_PAIRS: Final[dict[str, Any]] = {
    "text": "é",
    "yes": True,
    "number": -1,
    "part": 0.5,
    "bytes": b"\x00",
    "list": ("a", "b"),
}
_SCOPE: Final = InstrumentationScope("scope", "1", "https://scope", {"of": "scope"})
_RESOURCE: Final = Resource({"of": "resource"}, "https://resource")
_CONTEXT: Final = SpanContext(
    2**127, 2**63, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("a", "b")])
)


def speed_up(exporter: Any, signal: str) -> None:
    """Lets an OTLP exporter encode spans and log records as here. One that is not as the tested ones keeps the SDK's.

    Metrics are exported once a minute: they are left to the SDK.
    """
    with contained("giving an exporter its encoder"):
        if signal == "traces":
            replace_encoder(exporter, ENCODE_SPANS, lambda sdk: own(sdk, _spans, _a_span))
        elif signal == "logs":
            replace_encoder(exporter, ENCODE_LOGS, lambda sdk: own(sdk, _log_records, _a_log_record))


def own(sdk: Encode, encode: Encode, sample: Callable[[], Any]) -> Encode:
    """``encode``, with ``sdk`` for a batch that it cannot encode; only ``sdk`` where the two differ in a sample."""
    try:
        agreed = encode([sample()]) == sdk([sample()])
    except Exception:
        agreed = False
        logger.debug("a sample cannot be encoded", exc_info=True)
    if not agreed:
        logger.debug("the SDK encodes otherwise than expected, and is left to it")
        return sdk

    def either(batch: Sequence[Any]) -> Any:
        try:
            return encode(batch)
        except Exception:
            logger.debug("a batch is left to the SDK's encoder", exc_info=True)
            return sdk(batch)

    return either


def _spans(batch: Sequence[ReadableSpan]) -> Any:
    message = import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2").ExportTraceServiceRequest
    return message.FromString(request(batch, span))


def _log_records(batch: Sequence[ReadableLogRecord]) -> Any:
    message = import_module("opentelemetry.proto.collector.logs.v1.logs_service_pb2").ExportLogsServiceRequest
    return message.FromString(request(batch, log_record))


def _a_span() -> ReadableSpan:
    """A span that has something in every field."""
    return ReadableSpan(
        "name",
        _CONTEXT,
        _CONTEXT,
        _RESOURCE,
        _PAIRS,
        [Event("event", _PAIRS, 1)],
        [Link(_CONTEXT, _PAIRS)],
        SpanKind.CLIENT,
        status=Status(StatusCode.ERROR, "description"),
        start_time=1,
        end_time=2**63,
        instrumentation_scope=_SCOPE,
    )


def _a_log_record() -> ReadableLogRecord:
    """The same of a log record."""
    record = LogRecord(
        timestamp=1,
        observed_timestamp=2,
        severity_text="WARN",
        severity_number=SeverityNumber.WARN,
        body="body",
        attributes=_PAIRS,
        event_name="name",
    )
    record.trace_id, record.span_id, record.trace_flags = _CONTEXT.trace_id, _CONTEXT.span_id, _CONTEXT.trace_flags
    return ReadableLogRecord(record, _RESOURCE, _SCOPE)
