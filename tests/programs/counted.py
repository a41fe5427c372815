"""`counted.py [the demo's arguments]`: the demo, sending; its last line is a JSON list of what the SDK was to send.

Each entry is ``["span", trace id, span id, layer, outcome]`` or ``["log", trace id, event name]``.
"""

import json
import sys
from typing import Any

from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from autogen_streamtrace import otlp
from autogen_streamtrace.cli import app
from autogen_streamtrace.core import semconv

given: list[list[Any]] = []


class Spans(SpanProcessor):
    def on_end(self, span: ReadableSpan) -> None:
        attributes = span.attributes or {}
        layer, outcome = attributes.get(semconv.A_LAYER), attributes.get(semconv.A_OUTCOME)
        given.append(["span", f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}", layer, outcome])


class Logs(LogRecordProcessor):
    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        record = log_record.log_record
        given.append(["log", f"{record.trace_id or 0:032x}", record.event_name])

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


providers: Any = otlp.providers()
providers.tracer_provider.add_span_processor(Spans())
providers.logger_provider.add_log_record_processor(Logs())
try:
    app(["demo", "--otlp", *sys.argv[1:]])
finally:
    print(json.dumps(given))
