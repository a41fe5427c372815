"""Starts and ends the spans of streams."""

from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.state import StreamInfo
from autogen_streamtrace.core.telemetry import sentences
from autogen_streamtrace.core.telemetry.limiters import Attributes
from autogen_streamtrace.neighbours.opentelemetry_spans import end_span, light_spans_of

_KINDS: Final = {sc.MODEL: SpanKind.CLIENT}


class Spans:
    """The spans of one tracer: light ones where they cannot be told from the tracer's own."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._light = light_spans_of(tracer)

    def start(self, info: StreamInfo, parent: Context, start_ns: int) -> Span:
        """Starts the span of a stream inside the span of ``parent``, at nanoseconds since the epoch."""
        attributes: Attributes = {sc.A_LAYER: info.layer, sc.A_NAME: info.name}
        if info.framework:
            attributes[sc.A_FRAMEWORK] = info.framework
        attributes.update(info.attributes)
        kind = _KINDS.get(info.layer, SpanKind.INTERNAL)
        if self._light is not None:
            span = self._light.start(info.span_name, parent, kind, attributes, start_ns)
            if span is not None:
                return span
        return self._tracer.start_span(info.span_name, parent, kind, attributes, start_time=start_ns)

    def end(self, info: StreamInfo, span: Span, attributes: Attributes, end_ns: int) -> None:
        """Ends the span of a stream, with the attributes of its ending."""
        status = None
        if sc.A_ERROR_TYPE in attributes:
            status = Status(StatusCode.ERROR, sentences.of_ending(info, attributes))
        end_span(span, attributes, status, end_ns, self._light)
