"""Spans and log events: the only place that calls the Tracer and the Logger. The Meter's is ``meters``."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from opentelemetry._logs import Logger, LoggerProvider, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, TracerProvider, set_span_in_context

from . import attributes as said
from . import names as n
from . import sentences
from .baggage import Baggage
from .case import Case
from .content import NOWHERE, Capture, as_text
from .counts import Attributes
from .endings import Verdict
from .meters import GEN_AI_NAMES, Meters
from .record import Opening, Record
from .recording import NotRecording, Recorder
from .stalls import Stall
from .tally import Tally

VERSION: Final = "0.1.0"

_KINDS: Final = {n.MODEL: SpanKind.CLIENT}
_NOT_RECORDING: Final = NotRecording()


class Telemetry:
    """Spans, metrics and log events of streams.

    Args:
        tracer_provider, meter_provider, logger_provider: where they go.
        events: ``turns`` (outermost streams, and early endings of all), ``all`` or ``none``.
        caller_endings: ``error`` gives endings that the reader chose the span status ERROR too.
        max_names: distinct values of one metric label, the rest reads ``_OTHER``.
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
        self._tracer: Tracer = tracer_provider.get_tracer(n.SCOPE, VERSION)
        self._logger: Logger = logger_provider.get_logger(n.SCOPE, VERSION)
        self._events = events
        self._callers_count = caller_endings == "error"
        self._capture = capture
        self._baggage = Baggage(baggage or {})
        self.tally = Tally(max_names, self._baggage)
        self.recorder: Recorder = _NOT_RECORDING
        """Learns of each verdict before its span ends."""
        self._meters = Meters(meter_provider.get_meter(n.SCOPE, VERSION), self.tally)

    def watch(
        self, waiting: Callable[[], int], oldest: Callable[[], dict[str, float]], stalled: Callable[[], list[Case]]
    ) -> None:
        """Observes the ledger: facts that wait, the oldest open stream of each layer in seconds, what is stalled."""
        self._meters.watch(waiting, oldest)
        self._meters.watch_stalled(stalled)

    def observe(self, name: str, unit: str, description: str, value: Callable[[], int]) -> None:
        """Observes a number of the instrument's own health that only grows."""
        self._meters.count(name, unit, description, value)

    def observe_state(self, name: str, description: str, value: Callable[[], int]) -> None:
        """Observes a state of the instrument's own."""
        self._meters.state(name, description, value)

    def carried(self, opening: Opening, context: Context) -> Opening:
        """What is known of a stream, with what its context carries."""
        return self._baggage.carried(opening, context)

    def span(self, record: Record) -> Span:
        """The span of a stream, started where it has not been."""
        if record.context is not None:
            record.span = self._start_span(record.opening, record.context, record.start_ns)
            record.context = None
        return record.span

    def _start_span(self, opening: Opening, parent: Context, start_ns: int) -> Span:
        attributes: Attributes = {n.A_LAYER: opening.layer, n.A_NAME: opening.name, **dict(opening.attributes)}
        kind = _KINDS.get(opening.layer, SpanKind.INTERNAL)
        return self._tracer.start_span(opening.span_name, parent, kind, attributes, start_time=start_ns)

    def started(self, record: Record, outermost: bool) -> None:
        """Counts a stream that started; tells it where it is a turn's outermost one."""
        self.tally.start(record.opening)
        if self._events == "all" or (self._events == "turns" and outermost):
            attributes = {n.A_LAYER: record.layer, n.A_NAME: record.name, n.A_OUTERMOST: outermost}
            attributes |= self._baggage.attributes(record.opening)
            body = f"{record.layer} {record.name} started"
            self._emit(n.E_START, SeverityNumber.INFO, body, attributes, self.span(record), record.start_ns)

    def stalled(self, case: Case, stall: Stall) -> None:
        """Tells that a stream is silent, and what it waits for."""
        if self._events == "none":
            return
        record = case.record
        told: Attributes = {
            n.A_LAYER: record.layer,
            n.A_NAME: record.name,
            n.A_SILENCE: stall.silence,
            n.A_WAITING_ON_TYPE: stall.waiting_on,
            n.A_CHUNKS: record.chunks,
            n.A_OUTERMOST: case.outermost,
            n.A_STALLS: case.stalls,
            n.A_LOOP_BLOCKED: stall.loop_blocked,
        }
        if stall.waiting_on_name:
            told[n.A_WAITING_ON_NAME] = stall.waiting_on_name
        if stall.stack:
            told[n.STACK_TRACE] = stall.stack
        body = sentences.of_stall(record, stall)
        self._emit(n.E_STALL, SeverityNumber.WARN, body, told, self.span(record), time.time_ns())

    def ended(self, case: Case) -> None:
        """Ends a stream's span with its verdict, counts it and tells it."""
        record, verdict = case.record, case.verdict
        assert verdict is not None and case.over_at is not None
        attributes = self.attributes(case)
        contents = said.contents(case) if record.content is not None else {}
        end_ns = record.nanoseconds(case.over_at)
        span = self.span(record)
        counted = self.tally.end(record.opening, attributes, set_span_in_context(span) if verdict.early else None)
        self.recorder.judged(record, span, attributes, counted, end_ns)
        on_span = {**attributes, **as_text(contents)} if self._capture.spans else attributes
        _end_span(record.opening, span, on_span, end_ns)
        error = self.tally.cause(verdict.error_type) if verdict.fault else ""
        self._meters.measure(case, verdict, attributes, counted.started[n.A_NAME], error)
        if self._capture.events and contents:
            self._tell_contents(record, attributes, contents, end_ns)
            attributes |= {key: contents[key] for key in (n.A_EXCEPTION_MESSAGE,) if key in contents}
        self._tell(record.opening, attributes, span, end_ns)

    def recovered(self, record: Record, attributes: Attributes, end_ns: int) -> None:
        """Ends, counts and tells a stream of a process that has died; ``attributes`` are its span's.

        Its event carries the present time: stores refuse old ones.
        """
        span = self.span(record)
        self.tally.end(record.opening, attributes, set_span_in_context(span))
        _end_span(record.opening, span, attributes, end_ns)
        self._tell(record.opening, attributes, span, time.time_ns())

    def attributes(self, case: Case) -> Attributes:
        """What the span of a judged stream says."""
        verdict = case.verdict
        assert verdict is not None
        return self._explained(verdict, said.of_judged(case))

    def never_started(self, opening: Opening, parent: Context, outermost: bool) -> None:
        """Counts and tells a stream that was created and never read."""
        verdict = Verdict(n.NEVER_STARTED, "caller", "caller", "", "never read")
        now = time.time_ns()
        span = self._start_span(opening, parent, now)
        attributes = self._explained(verdict, {**said.of_verdict(verdict), n.A_OUTERMOST: outermost, n.A_CHUNKS: 0})
        self.recorder.never_started(self.tally.never(opening, attributes, set_span_in_context(span)))
        _end_span(opening, span, attributes, now)
        self._tell(opening, attributes, span, now)

    def forget(self) -> None:
        """After a fork: what was counted is the parent's."""
        self.tally.clear()

    def _explained(self, verdict: Verdict, attributes: Attributes) -> Attributes:
        """With ``error.type`` where the span's status is ERROR."""
        theirs = verdict.early and verdict.ended_by in (n.CALLER, n.CLIENT)
        if verdict.fault or (self._callers_count and theirs):
            attributes[n.A_ERROR_TYPE] = verdict.error_type
        return attributes

    def _tell(self, opening: Opening, attributes: Attributes, span: Span, time_ns: int) -> None:
        early = attributes[n.A_EARLY]
        if self._events == "none" or not (self._events == "all" or attributes[n.A_OUTERMOST] or early):
            return
        severity = SeverityNumber.INFO
        if early:
            severity = SeverityNumber.ERROR if attributes[n.A_FAULT] else SeverityNumber.WARN
        told = {n.A_LAYER: opening.layer, n.A_NAME: opening.name, **attributes, **self._baggage.attributes(opening)}
        self._emit(n.E_END, severity, sentences.of_ending(opening, attributes), told, span, time_ns)

    def _tell_contents(self, record: Record, attributes: Attributes, contents: Attributes, end_ns: int) -> None:
        """The conventions have an event for a model's messages; those of agents and tools go on one of the kind."""
        if record.layer not in GEN_AI_NAMES:
            return
        asked = dict(record.opening.attributes)
        replied = {key: value for key, value in attributes.items() if key.startswith("gen_ai.")}
        body = f"{record.layer} {record.name}: messages"
        self._emit(n.E_INFERENCE, SeverityNumber.INFO, body, {**asked, **replied, **contents}, record.span, end_ns)

    def _emit(
        self, name: str, severity: SeverityNumber, body: str, attributes: Attributes, span: Span, time_ns: int
    ) -> None:
        self._logger.emit(
            event_name=name,
            severity_number=severity,
            severity_text=severity.name,
            body=body,
            attributes=attributes,
            context=set_span_in_context(span, Context()),
            timestamp=time_ns,
        )


def _end_span(opening: Opening, span: Span, attributes: Attributes, end_ns: int) -> None:
    if span.is_recording():
        if n.A_ERROR_TYPE in attributes:
            span.set_status(Status(StatusCode.ERROR, sentences.of_ending(opening, attributes)))
        span.set_attributes(attributes)
    span.end(end_ns)
