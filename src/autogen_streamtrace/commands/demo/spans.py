"""The finished spans of one trace, as they come."""

import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from autogen_streamtrace.core import semconv

Attributes = dict[str, Any]

WIDEST_FIRST: Final = (semconv.STREAM, semconv.TEAM, semconv.AGENT, semconv.MODEL, semconv.TOOL, semconv.HTTP)


class TraceRecorder(SpanProcessor):
    """Collects the spans that started and ended in each trace until they are taken."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: defaultdict[int, int] = defaultdict(int)
        self._ended: defaultdict[int, list[ReadableSpan]] = defaultdict(list)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        with self._changed:
            self._open[span.context.trace_id] += 1

    def on_end(self, span: ReadableSpan) -> None:
        with self._changed:
            self._open[span.context.trace_id] -= 1
            self._ended[span.context.trace_id].append(span)
            self._changed.notify_all()

    def wait(self, trace_id: int, streams: int, seconds: float) -> bool:
        """Waits until so many streams, and every span that started, have ended; returns whether they have."""
        with self._changed:
            return self._changed.wait_for(lambda: self._complete(trace_id, streams), seconds)

    def take(self, trace_id: int) -> tuple[list[Attributes], int]:
        """The attributes of the trace's stream spans, the outermost layer's first, each layer's by their start.

        And how many spans of the trace have not ended.
        """
        with self._changed:
            unended = self._open.pop(trace_id, 0)
            spans = self._streams(self._ended.pop(trace_id, []))
        spans.sort(key=lambda span: (WIDEST_FIRST.index(attributes(span)[semconv.A_LAYER]), span.start_time or 0))
        return [attributes(span) for span in spans], unended

    def _complete(self, trace_id: int, streams: int) -> bool:
        return not self._open[trace_id] and len(self._streams(self._ended[trace_id])) >= streams

    def _streams(self, spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
        return [span for span in spans if semconv.A_LAYER in attributes(span)]


def attributes(span: ReadableSpan) -> Attributes:
    return dict(span.attributes or {})
