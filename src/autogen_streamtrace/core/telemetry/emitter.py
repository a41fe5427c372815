"""Spans and log events: the only place that calls the Tracer and the Logger. The Meter's is ``meters``."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from opentelemetry._logs import Logger, LoggerProvider, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    TracerProvider,
    get_current_span,
    set_span_in_context,
)

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import report, safely
from autogen_streamtrace.core.evidence.content import NOWHERE, Capture, as_text
from autogen_streamtrace.core.stream.facts import Stall
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState
from autogen_streamtrace.core.telemetry import attributes as of_span
from autogen_streamtrace.core.telemetry import listeners, sentences
from autogen_streamtrace.core.telemetry.baggage import Baggage
from autogen_streamtrace.core.telemetry.counters import Counters
from autogen_streamtrace.core.telemetry.histograms import GEN_AI_NAMES
from autogen_streamtrace.core.telemetry.limiters import Attributes
from autogen_streamtrace.core.telemetry.meters import Watched, meters_of
from autogen_streamtrace.core.telemetry.spans import Spans
from autogen_streamtrace.core.telemetry.unknown_reasons import UnknownReasons
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.verdict.rules import Verdict
from autogen_streamtrace.core.watching.recorder import CounterLabels, Report
from autogen_streamtrace.neighbours.opentelemetry_logs import light_logs_of

VERSION: Final = "0.1.0"


class Telemetry:
    """Spans, metrics and log events of streams.

    Args:
        tracer_provider, meter_provider, logger_provider: where they go.
        events: ``turns`` (outermost streams, and early endings of all), ``all`` or ``none``.
        caller_endings: ``error`` gives endings that the reader chose the span status ERROR too.
        max_names: distinct values of one metric label; the rest reads ``_OTHER``.
        capture: where contents are recorded.
        baggage: the entries that are recorded, each with the values that it may have on metrics.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider,
        meter_provider: MeterProvider,
        logger_provider: LoggerProvider,
        *,
        events: str = "turns",
        caller_endings: str = "unset",
        max_names: int = 100,
        capture: Capture = NOWHERE,
        baggage: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._spans = Spans(tracer_provider.get_tracer(sc.SCOPE, VERSION))
        self.logger: Logger = logger_provider.get_logger(sc.SCOPE, VERSION)
        self._light_logs = light_logs_of(self.logger)
        self._events = events
        self._callers_count = caller_endings == "error"
        self._capture = capture
        self._baggage = Baggage(baggage or {})
        self._meters = meters_of(meter_provider, sc.SCOPE, VERSION)
        self.counters = Counters(max_names, self._baggage, self._meters.tables)
        self.carried: Final = self._baggage.carried
        self.labels: Final = self.counters.labels
        self._unknown = UnknownReasons()

    def watch(
        self,
        waiting: Callable[[], int],
        oldest: Callable[[], dict[str, float]],
        stalled: Callable[[], list[StreamNode]],
    ) -> None:
        """Observes the tracker: waiting facts, the age in seconds of each layer's oldest stream, stalled streams."""
        self._meters.watch(Watched(waiting, oldest, stalled, self.counters))
        unknown = "Replies whose finish reason is in no table."
        self.observe(sc.M_UNKNOWN_FINISH, "{reply}", unknown, lambda: self._unknown.count)

    def leave(self) -> None:
        """Stops observing."""
        self._meters.leave(self.counters)

    def observe(self, name: str, unit: str, description: str, value: Callable[[], int]) -> None:
        """Observes a number of the instrument's own health that only grows."""
        self._meters.count(name, unit, description, value)

    def observe_state(self, name: str, description: str, value: Callable[[], int]) -> None:
        """Observes a state of the instrument's own."""
        self._meters.state(name, description, value)

    def span(self, state: StreamState) -> Span:
        """The span of a stream; starts it if needed.

        If a span processor of the program fails, the stream has no span of its own and uses the one around it.
        """
        context = state.context
        if context is not None:
            try:
                state.span = self._spans.start(state.info, context, state.start_ns)
            except Exception as defect:
                state.span = NonRecordingSpan(get_current_span(context).get_span_context())
                report("starting a span", defect)
            finally:
                state.context = None
        return state.span

    def started(self, state: StreamState, outermost: bool) -> None:
        """Counts a stream that started, and emits its event where the settings ask for it."""
        self.counters.start(state.labels)
        if self._events == "all" or (self._events == "turns" and outermost):
            attributes = {sc.A_LAYER: state.layer, sc.A_NAME: state.name, sc.A_OUTERMOST: outermost}
            attributes |= {**_framework(state.info), **self._baggage.attributes(state.info)}
            body = f"{state.layer} {state.name} started"
            self._emit(sc.E_START, SeverityNumber.INFO, body, attributes, self.span(state), state.start_ns)

    def stalled(self, node: StreamNode, stall: Stall) -> None:
        """Emits an event for a silent stream, with what it waits for."""
        if self._events == "none":
            return
        state = node.state
        told: Attributes = {
            sc.A_LAYER: state.layer,
            sc.A_NAME: state.name,
            sc.A_SILENCE: stall.silence,
            sc.A_WAITING_ON_TYPE: stall.waiting_on,
            sc.A_CHUNKS: state.chunks,
            sc.A_OUTERMOST: node.outermost,
            sc.A_STALLS: node.stalls,
            sc.A_LOOP_BLOCKED: stall.loop_blocked,
            **_framework(state.info),
        }
        if stall.waiting_on_name:
            told[sc.A_WAITING_ON_NAME] = stall.waiting_on_name
        if stall.stack:
            told[sc.STACK_TRACE] = stall.stack
        body = sentences.of_stall(state, stall)
        self._emit(sc.E_STALL, SeverityNumber.WARN, body, told, self.span(state), time.time_ns())

    def counted(self, node: StreamNode) -> Report:
        """Counts a finished stream; returns what is to be reported."""
        state, verdict = node.state, node.verdict
        assert verdict is not None and node.finished_at is not None
        attributes = self.attributes(node)
        if node.meaning == "unknown" and state.finish is not None:
            self._unknown.add(state.finish, state.name)
        span = self.span(state)
        counted = self.counters.end(state.labels, attributes, set_span_in_context(span) if verdict.early else None)
        return Report(span, attributes, counted, state.nanoseconds(node.finished_at), of_span.contents(node))

    def ended(self, reported: Sequence[tuple[StreamNode, Report]]) -> None:
        """Ends the streams' spans and reports their ends. If one of the steps fails, the others still happen."""
        for doing, step in (
            ("ending a span", self._end_span),
            ("measuring a stream", self._measure),
            ("reporting how a stream ended", self._tell_end),
            ("telling a listener", listeners.tell_end),
        ):
            for each in reported:
                safely(doing, step, *each)

    def _end_span(self, node: StreamNode, report: Report) -> None:
        attributes = report.attributes
        if self._capture.spans:
            attributes = {**attributes, **as_text(report.contents)}
        self._spans.end(node.state.info, report.span, attributes, report.end_ns)

    def _measure(self, node: StreamNode, report: Report) -> None:
        verdict = node.verdict
        assert verdict is not None
        error = self.counters.cause(verdict.error_type) if verdict.fault else ""
        self._meters.histograms.measure(node, report.counted.started[sc.A_NAME], error)

    def _tell_end(self, node: StreamNode, report: Report) -> None:
        attributes, contents = report.attributes, report.contents
        if self._capture.events and contents:
            self._tell_contents(node.state, attributes, contents, report.end_ns)
            attributes |= {key: contents[key] for key in (sc.A_EXCEPTION_MESSAGE,) if key in contents}
        self._tell(node.state.info, attributes, report.span, report.end_ns)

    def recovered(
        self,
        state: StreamState,
        attributes: Attributes,
        end_ns: int,
        counted: CounterLabels | None = None,
        *,
        told: bool = False,
    ) -> None:
        """Ends, counts and reports a stream of a process that has died.

        Its event has the present time, since stores refuse old ones.

        Args:
            state: the stream.
            attributes: its span's.
            end_ns: when it ended, in nanoseconds since the epoch.
            counted: the labels under which that process counted its end; None where it did not count it.
            told: its event has arrived, and is not sent again.
        """
        span = self.span(state)
        if counted is None:
            self.counters.end(state.labels, attributes, set_span_in_context(span))
        else:
            self.counters.end_again(state.labels, counted, set_span_in_context(span))
        self._spans.end(state.info, span, attributes, end_ns)
        if not told:
            self._tell(state.info, attributes, span, time.time_ns())

    def attributes(self, node: StreamNode) -> Attributes:
        """The attributes of a judged stream's span."""
        verdict = node.verdict
        assert verdict is not None
        return self._explained(verdict, of_span.of_judged(node))

    def never_started(self, info: StreamInfo, above: Context, parent: StreamState | None) -> CounterLabels:
        """Counts and reports a stream that was created and never read.

        Args:
            info: about it.
            above: the context of its span.
            parent: the stream in which it was created.
        """
        outermost = parent is None and info.layer != sc.HTTP
        verdict = Verdict(sc.NEVER_STARTED, "caller", "caller", "", "never read")
        now = time.time_ns()
        span = self._spans.start(info, above, now)
        attributes = self._explained(
            verdict, {**of_span.of_verdict(verdict), sc.A_OUTERMOST: outermost, sc.A_CHUNKS: 0}
        )
        counted = self.counters.never(info, attributes, set_span_in_context(span))
        safely("ending a span", self._spans.end, info, span, attributes, now)
        safely("reporting how a stream ended", self._tell, info, attributes, span, now)
        safely("telling a listener", listeners.tell, info, attributes, None, parent)
        return counted

    def reset_after_fork(self) -> None:
        """After a fork: drops the counts, which are the parent's."""
        self._meters.clear()

    def _explained(self, verdict: Verdict, attributes: Attributes) -> Attributes:
        """Adds ``error.type`` where the span's status is ERROR."""
        theirs = verdict.early and verdict.ended_by in (sc.CALLER, sc.END_USER)
        if verdict.fault or (self._callers_count and theirs):
            attributes[sc.A_ERROR_TYPE] = verdict.error_type
        return attributes

    def _tell(self, info: StreamInfo, attributes: Attributes, span: Span, time_ns: int) -> None:
        early = attributes[sc.A_EARLY]
        if self._events == "none" or not (self._events == "all" or attributes[sc.A_OUTERMOST] or early):
            return
        severity = SeverityNumber.INFO
        if early:
            severity = SeverityNumber.ERROR if attributes[sc.A_FAULT] else SeverityNumber.WARN
        told = {sc.A_LAYER: info.layer, sc.A_NAME: info.name, **_framework(info), **attributes}
        told |= self._baggage.attributes(info)
        self._emit(sc.E_END, severity, sentences.of_ending(info, attributes), told, span, time_ns)

    def _tell_contents(self, state: StreamState, attributes: Attributes, contents: Attributes, end_ns: int) -> None:
        """Emits messages: the conventions have an event for a model's; those of agents and tools use the same."""
        if state.layer not in GEN_AI_NAMES:
            return
        asked = dict(state.info.attributes)
        replied = {key: value for key, value in attributes.items() if key.startswith("gen_ai.")}
        body = f"{state.layer} {state.name}: messages"
        self._emit(sc.E_INFERENCE, SeverityNumber.INFO, body, {**asked, **replied, **contents}, state.span, end_ns)

    def _emit(
        self, name: str, severity: SeverityNumber, body: str, attributes: Attributes, span: Span, time_ns: int
    ) -> None:
        rest: dict[str, Any] = {
            "event_name": name,
            "severity_number": severity,
            "severity_text": severity.name,
            "body": body,
            "context": set_span_in_context(span, Context()),
            "timestamp": time_ns,
        }
        if self._light_logs is None or not self._light_logs.emit(attributes, **rest):
            self.logger.emit(attributes=attributes, **rest)


def _framework(info: StreamInfo) -> Attributes:
    return {sc.A_FRAMEWORK: info.framework} if info.framework else {}
