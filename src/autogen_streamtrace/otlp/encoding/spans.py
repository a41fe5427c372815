"""Spans as OTLP has them. Field numbers: https://github.com/open-telemetry/opentelemetry-proto, ``trace.proto``."""

from typing import Final

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, TraceState

from autogen_streamtrace.otlp.encoding.values import attributes
from autogen_streamtrace.otlp.encoding.wire import count, delimited, text, time, varint

_KINDS: Final = {
    SpanKind.INTERNAL: b"\x30\x01",
    SpanKind.SERVER: b"\x30\x02",
    SpanKind.CLIENT: b"\x30\x03",
    SpanKind.PRODUCER: b"\x30\x04",
    SpanKind.CONSUMER: b"\x30\x05",
}
_LOCAL: Final = b"\x00\x01\x00\x00"
_REMOTE: Final = b"\x00\x03\x00\x00"
"""Flags: it is known whether the context came from another process; it did."""


def span(one: ReadableSpan) -> bytes:
    """A ``Span``.

    Raises:
        Exception: there is something that only the SDK's encoder can decide about.
    """
    context, parent = one.get_span_context(), one.parent
    if context is None:
        raise TypeError("a span without a context")
    return b"".join(
        (
            b"\x0a\x10" + context.trace_id.to_bytes(16, "big"),
            b"\x12\x08" + context.span_id.to_bytes(8, "big"),
            _trace_state(context.trace_state) if context.trace_state else b"",
            b"\x22\x08" + parent.span_id.to_bytes(8, "big") if parent else b"",
            text(b"\x2a", one.name),
            _KINDS[one.kind],
            time(b"\x39", one.start_time),
            time(b"\x41", one.end_time),
            attributes(b"\x4a", one.attributes),
            count(b"\x50", one.dropped_attributes),
            *(delimited(b"\x5a", _event(event)) for event in one.events),
            count(b"\x60", one.dropped_events),
            *(delimited(b"\x6a", _link(link)) for link in one.links),
            count(b"\x70", one.dropped_links),
            _status(one.status),
            b"\x85\x01" + _flags(parent),
        )
    )


def _trace_state(state: TraceState) -> bytes:
    return text(b"\x1a", ",".join([f"{key}={value}" for key, value in state.items()]))


def _flags(context: SpanContext | None) -> bytes:
    return _REMOTE if context and context.is_remote else _LOCAL


def _event(event: Event) -> bytes:
    return b"".join(
        (
            time(b"\x09", event.timestamp),
            text(b"\x12", event.name),
            attributes(b"\x1a", event.attributes),
            count(b"\x20", event.dropped_attributes),
        )
    )


def _link(link: Link) -> bytes:
    return b"".join(
        (
            b"\x0a\x10" + link.context.trace_id.to_bytes(16, "big"),
            b"\x12\x08" + link.context.span_id.to_bytes(8, "big"),
            attributes(b"\x22", link.attributes),
            count(b"\x28", link.dropped_attributes),
            b"\x35" + _flags(link.context),
        )
    )


def _status(status: Status | None) -> bytes:
    if status is None:
        return b""
    code = status.status_code.value
    return delimited(b"\x7a", text(b"\x12", status.description) + (b"\x18" + varint(code) if code else b""))
