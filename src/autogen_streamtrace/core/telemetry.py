"""The only place that calls the Tracer, the Meter and the Logger."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from opentelemetry._logs import Logger, LoggerProvider, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, TracerProvider, set_span_in_context

from . import names as n
from .baggage import Baggage
from .contain import errors
from .content import NOWHERE, Capture, as_text
from .counts import Attributes
from .endings import Verdict
from .lineage import Case, doing
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
        self._meters = _Meters(meter_provider.get_meter(n.SCOPE, VERSION), self.tally)

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
        body = _of_stall(record, stall)
        self._emit(n.E_STALL, SeverityNumber.WARN, body, told, self.span(record), time.time_ns())

    def ended(self, case: Case) -> None:
        """Ends a stream's span with its verdict, counts it and tells it."""
        record, verdict = case.record, case.verdict
        assert verdict is not None and case.over_at is not None
        attributes = self.attributes(case)
        contents = _contents(case) if record.content is not None else {}
        end_ns = record.nanoseconds(case.over_at)
        span = self.span(record)
        counted = self.tally.end(record.opening, attributes, set_span_in_context(span))
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
        return self._explained(verdict, {**_of_verdict(verdict), **_of_case(case), **_of_record(case.record)})

    def never_started(self, opening: Opening, parent: Context, outermost: bool) -> None:
        """Counts and tells a stream that was created and never read."""
        verdict = Verdict(n.NEVER_STARTED, "caller", "caller", "", "never read")
        now = time.time_ns()
        span = self._start_span(opening, parent, now)
        attributes = self._explained(verdict, {**_of_verdict(verdict), n.A_OUTERMOST: outermost, n.A_CHUNKS: 0})
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
        self._emit(n.E_END, severity, _sentence(opening, attributes), told, span, time_ns)

    def _tell_contents(self, record: Record, attributes: Attributes, contents: Attributes, end_ns: int) -> None:
        """The conventions have an event for a model's messages; those of agents and tools go on one of the kind."""
        if record.layer not in _GEN_AI_NAMES:
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


_NO_SPAN: Final = Context()


def _end_span(opening: Opening, span: Span, attributes: Attributes, end_ns: int) -> None:
    if span.is_recording():
        if n.A_ERROR_TYPE in attributes:
            span.set_status(Status(StatusCode.ERROR, _sentence(opening, attributes)))
        span.set_attributes(attributes)
    span.end(end_ns)


class _Meters:
    """All instruments."""

    def __init__(self, meter: Meter, tally: Tally) -> None:
        self._meter = meter
        self._tally = tally
        counter = meter.create_observable_counter
        counter(n.M_STARTED, [tally.started.observe], "{stream}", "Streams that started.")
        counter(n.M_ENDED, [tally.ended.observe], "{stream}", "Streams that ended.")
        counter(n.M_CUT, [tally.cut.observe], "{stream}", "Early endings, each once, at its origin.")
        meter.create_observable_up_down_counter(n.M_OPEN, [tally.open.observe], "{stream}", "Streams that are open.")
        self.count(n.M_CAPPED, "{name}", "Label values that read _OTHER.", lambda: tally.capped)
        self.count(n.M_ERRORS, "{error}", "Defects of the instrument, contained.", errors)
        self._duration = self._histogram(n.M_DURATION, n.DURATION_EDGES, "Duration of streams.")
        self._silence = self._histogram(n.M_SILENCE, n.SILENCE_EDGES, "Silence before early endings.")
        self._gap = self._histogram(n.M_LONGEST_GAP, n.GAP_EDGES, "Longest wait between two items.")
        self._first = self._histogram(n.M_FIRST_CHUNK, n.GAP_EDGES, "Time to the first item.")
        self._caller = self._histogram(n.M_CALLER_TIME, n.GAP_EDGES, "Time that the reader held items.")
        self._gen_ai = _GenAi(self._histogram)

    def watch(self, waiting: Callable[[], int], oldest: Callable[[], dict[str, float]]) -> None:
        """Observes the ledger."""

        def size(options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(waiting())]

        seen: set[str] = set()

        def ages(options: CallbackOptions) -> Iterable[Observation]:
            now = oldest()
            seen.update(now)
            return [Observation(now.get(layer, 0.0), {n.A_LAYER: layer}) for layer in sorted(seen)]

        self._meter.create_observable_up_down_counter(n.M_QUEUE, [size], "{fact}", "Facts that wait for the judge.")
        self._meter.create_observable_gauge(n.M_OLDEST, [ages], "s", "Age of the oldest open stream.")

    def watch_stalled(self, stalled: Callable[[], list[Case]]) -> None:
        """Observes which streams are stalled."""
        level = self._tally.stalled

        def observe(options: CallbackOptions) -> Iterable[Observation]:
            level.zero()
            for case in stalled():
                level.add(1, self._tally.waiting(case.record.opening, *doing(case)))
            return level.observe(options)

        description = "Open streams whose items have stopped."
        self._meter.create_observable_up_down_counter(n.M_STALLED, [observe], "{stream}", description)

    def state(self, name: str, description: str, value: Callable[[], int]) -> None:
        """An observable gauge without attributes."""
        self._meter.create_observable_gauge(name, [lambda options: [Observation(value())]], "1", description)

    def count(self, name: str, unit: str, description: str, value: Callable[[], int]) -> None:
        """An observable counter without attributes."""
        self._meter.create_observable_counter(name, [lambda options: [Observation(value())]], unit, description)

    def measure(self, case: Case, verdict: Verdict, attributes: Attributes, name: str, error: str) -> None:
        """Records the durations of a stream that is over, under its capped name and error type.

        Exemplars, which cost, only for early endings.
        """
        record = case.record
        assert case.over_at is not None
        seconds = case.over_at - record.start
        layer: Attributes = {n.A_LAYER: record.layer}
        outcome: Attributes = {n.A_LAYER: record.layer, n.A_OUTCOME: verdict.outcome}
        context = set_span_in_context(record.span, Context()) if verdict.early else _NO_SPAN
        self._duration.record(seconds, {**outcome, **_streamed(record.opening)}, context)
        if verdict.early:
            self._silence.record(attributes[n.A_SILENCE], outcome, context)
        if record.chunks:
            self._first.record(attributes[n.A_FIRST_CHUNK], layer, context)
            self._caller.record(record.caller_time, layer, context)
        if record.chunks > 1:
            self._gap.record(record.longest_gap, layer, context)
        self._gen_ai.measure(record, seconds, context, name, error)

    def _histogram(self, name: str, edges: tuple[float, ...], description: str, unit: str = "s") -> Histogram:
        return self._meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=list(edges))


class _GenAi:
    """The histograms of https://github.com/open-telemetry/semantic-conventions-genai.

    The time per output chunk is recorded once a stream, as its mean: once a chunk would cost more than the chunk.
    """

    def __init__(self, histogram: Callable[..., Histogram]) -> None:
        client = n.GEN_AI_CLIENT_EDGES
        self._duration = histogram(n.M_GEN_AI_DURATION, client, "GenAI operation duration.")
        self._first = histogram(n.M_GEN_AI_FIRST_CHUNK, client, "Time to the first chunk.")
        self._per_chunk = histogram(n.M_GEN_AI_PER_CHUNK, client, "Mean time per output chunk after the first.")
        self._tokens = histogram(n.M_GEN_AI_TOKENS, n.GEN_AI_TOKEN_EDGES, "Tokens used.", "{token}")
        self._layers = {
            n.TOOL: histogram(n.M_GEN_AI_TOOL, client, "Tool call duration."),
            n.AGENT: histogram(n.M_GEN_AI_AGENT, n.GEN_AI_AGENT_EDGES, "Agent turn duration."),
            n.TEAM: histogram(n.M_GEN_AI_WORKFLOW, n.GEN_AI_WORKFLOW_EDGES, "Team run duration."),
        }

    def measure(self, record: Record, seconds: float, context: Context, name: str, error_type: str) -> None:
        """Records what the conventions ask of this layer."""
        if record.layer != n.MODEL and record.layer not in self._layers:
            return
        labels: Attributes = {key: value for key, value in record.opening.attributes if key in _GEN_AI_LABELS}
        labels[_GEN_AI_NAMES[record.layer]] = name
        error: Attributes = {n.A_ERROR_TYPE: error_type} if error_type else {}
        if record.layer != n.MODEL:
            self._layers[record.layer].record(seconds, {**labels, **error}, context)
            return
        self._duration.record(seconds, {**labels, **error}, context)
        if record.opening.streamed and record.chunks:
            self._first.record(record.first - record.start, labels, context)
            if record.chunks > 1:
                self._per_chunk.record((record.last - record.first) / (record.chunks - 1), labels, context)
        for kind, tokens in (("input", record.input_tokens), ("output", record.output_tokens)):
            if tokens:
                self._tokens.record(tokens, {**labels, n.GEN_AI_TOKEN_TYPE: kind}, context)


_GEN_AI_LABELS: Final = frozenset({n.GEN_AI_OPERATION, n.GEN_AI_PROVIDER})
_GEN_AI_NAMES: Final[dict[n.Layer, str]] = {
    n.MODEL: n.GEN_AI_REQUEST_MODEL,
    n.AGENT: n.GEN_AI_AGENT_NAME,
    n.TOOL: n.GEN_AI_TOOL_NAME,
    n.TEAM: n.GEN_AI_WORKFLOW_NAME,
}


def _streamed(opening: Opening) -> Attributes:
    return {n.GEN_AI_REQUEST_STREAM: opening.streamed} if opening.layer == n.MODEL else {}


def _of_verdict(verdict: Verdict) -> Attributes:
    attributes: Attributes = {
        n.A_OUTCOME: verdict.outcome,
        n.A_ENDED_BY: verdict.ended_by,
        n.A_WAITING_ON_TYPE: verdict.waiting_on,
        n.A_EARLY: verdict.early,
        n.A_FAULT: verdict.fault,
        n.A_ORIGIN: verdict.origin,
    }
    if verdict.waiting_on_name:
        attributes[n.A_WAITING_ON_NAME] = verdict.waiting_on_name
    if verdict.cause_type:
        attributes[n.A_CAUSE_TYPE] = verdict.cause_type
        attributes[n.A_CAUSE_CHAIN] = verdict.cause_chain
        attributes[n.A_CAUSE_LAYER] = verdict.cause_layer
    if verdict.cancelled_by is not None:
        attributes[n.A_CANCELLED_BY] = verdict.cancelled_by
    if verdict.intermediary:
        attributes[n.A_INTERMEDIARY] = verdict.intermediary
    if verdict.limit is not None:
        attributes[n.A_LIMIT_ID] = verdict.limit.id
        attributes[n.A_LIMIT_SOURCE] = verdict.limit.source
        if verdict.limit.value is not None:
            attributes[n.A_LIMIT_VALUE] = verdict.limit.value
    return attributes


def _of_case(case: Case) -> Attributes:
    record = case.record
    assert case.over_at is not None
    ended = case.ending.at if case.ending is not None else case.over_at
    attributes: Attributes = {
        n.A_OUTERMOST: case.outermost,
        n.A_SILENCE: max(0.0, ended - record.last),
        n.A_STALLS: case.stalls,
    }
    if case.stalls:
        attributes[n.A_LOOP_BLOCKED] = case.loop_blocked
    if case.over_at > case.verdict_at:
        attributes[n.A_OVERRUN] = case.over_at - case.verdict_at
    if record.layer == n.MODEL:
        attributes[n.A_ATTEMPTS] = case.attempts
        began = record.chunks > 0 or (record.status is not None and record.status < 400)
        attributes |= {key: value for key, value in case.exchange if key in (n.SERVER_ADDRESS, n.SERVER_PORT)}
        reason = case.finish or ("error" if began and case.verdict is not None and case.verdict.early else None)
        if reason is not None:
            attributes[n.GEN_AI_FINISH_REASONS] = (reason,)
    return attributes


def _contents(case: Case) -> Attributes:
    record, verdict = case.record, case.verdict
    assert record.content is not None and verdict is not None
    finish = case.finish or ("error" if verdict.early else "") if record.layer == n.MODEL else ""
    return record.content.attributes(record.layer, finish)


def _of_record(record: Record) -> Attributes:
    attributes: Attributes = {
        n.A_CHUNKS: record.chunks,
        n.A_LONGEST_GAP: record.longest_gap,
        n.A_CALLER_TIME: record.caller_time,
    }
    if record.chunks:
        attributes[n.A_FIRST_CHUNK] = record.first - record.start
    if record.layer == n.SERVER:
        attributes[n.A_BYTES] = record.size
        attributes[n.A_LONGEST_SEND] = record.longest_send
        if record.status is not None:
            attributes[n.HTTP_STATUS] = record.status
    if record.layer == n.HTTP:
        attributes[n.A_BYTES] = record.size
        if record.intermediary:
            attributes[n.A_INTERMEDIARY] = record.intermediary
        for name, value in record.request_ids:
            attributes[n.HTTP_RESPONSE_HEADER + name] = (value,)
        if record.status is not None:
            attributes[n.HTTP_STATUS] = record.status
    if record.layer == n.MODEL:
        attributes[n.A_CHARACTERS] = record.size
        if record.chunks and record.opening.streamed:
            attributes[n.GEN_AI_FIRST_CHUNK] = record.first - record.start
        for key, said in (
            (n.GEN_AI_INPUT_TOKENS, record.input_tokens),
            (n.GEN_AI_OUTPUT_TOKENS, record.output_tokens),
            (n.GEN_AI_RESPONSE_ID, record.response_id),
            (n.GEN_AI_RESPONSE_MODEL, record.response_model),
        ):
            if said is not None:
                attributes[key] = said
    if record.layer in (n.HTTP, n.MODEL):
        attributes[n.A_TERMINATOR] = record.terminated
    return attributes


def _sentence(opening: Opening, attributes: Attributes) -> str:
    """One line for a human being, without anything of a message's content."""
    said = f"{opening.layer} {opening.name} ended: {attributes[n.A_OUTCOME]}, by {attributes[n.A_ENDED_BY]}"
    if not attributes[n.A_EARLY]:
        return said
    waiting = attributes[n.A_WAITING_ON_TYPE]
    if waiting != n.NONE:
        said += f", waiting on {waiting} {attributes.get(n.A_WAITING_ON_NAME, '')}".rstrip()
    if n.A_SILENCE in attributes:
        said += f", after {attributes[n.A_SILENCE]:.3g} s of silence"
    if n.A_LIMIT_VALUE in attributes:
        source, limit = attributes[n.A_LIMIT_SOURCE], attributes[n.A_LIMIT_ID]
        said += f"; {source} limit {limit} of {attributes[n.A_LIMIT_VALUE]:g} s"
    return f"{said}; {attributes[n.A_CAUSE_TYPE]}" if n.A_CAUSE_TYPE in attributes else said


def _of_stall(record: Record, stall: Stall) -> str:
    waiting = f"{stall.waiting_on} {stall.waiting_on_name}".rstrip()
    said = f"{record.layer} {record.name} is silent for {stall.silence:.3g} s, waiting on {waiting}"
    if not stall.loop_blocked:
        return said
    where = stall.stack.partition("\n")[0]
    return f"{said}; its event loop is blocked" + (f" at {where}" if where else "")
