"""Log records as OTLP has them. Field numbers: ``logs.proto`` of opentelemetry-proto."""

from opentelemetry.sdk._logs import ReadableLogRecord

from autogen_streamtrace.otlp.encoding.values import any_value, attributes
from autogen_streamtrace.otlp.encoding.wire import UINT32, count, delimited, text, time, varint


def log_record(one: ReadableLogRecord) -> bytes:
    """A ``LogRecord``.

    Raises:
        Exception: there is something that only the SDK's encoder can decide about.
    """
    record = one.log_record
    severity, flags = record.severity_number, int(record.trace_flags or 0)
    if not 0 <= flags < UINT32:
        raise OverflowError(flags)
    return b"".join(
        (
            time(b"\x09", record.timestamp),
            b"\x10" + varint(severity.value) if severity and severity.value else b"",
            text(b"\x1a", record.severity_text),
            delimited(b"\x2a", any_value(record.body)),
            attributes(b"\x32", record.attributes),
            count(b"\x38", one.dropped_attributes),
            b"\x45" + flags.to_bytes(4, "little") if flags else b"",
            b"\x4a\x10" + record.trace_id.to_bytes(16, "big") if record.trace_id else b"",
            b"\x52\x08" + record.span_id.to_bytes(8, "big") if record.span_id else b"",
            time(b"\x59", record.observed_timestamp),
            text(b"\x62", record.event_name),
        )
    )
