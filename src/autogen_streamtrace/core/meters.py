"""All instruments, and what each of them records of a stream that is over."""

from collections.abc import Callable, Iterable
from typing import Final

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation
from opentelemetry.trace import set_span_in_context

from . import names as n
from .case import Case, doing
from .contain import errors
from .counts import Attributes
from .endings import Verdict
from .record import Opening, Record
from .tally import Tally

_NO_SPAN: Final = Context()


class Meters:
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
        labels[GEN_AI_NAMES[record.layer]] = name
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
GEN_AI_NAMES: Final[dict[n.Layer, str]] = {
    n.MODEL: n.GEN_AI_REQUEST_MODEL,
    n.AGENT: n.GEN_AI_AGENT_NAME,
    n.TOOL: n.GEN_AI_TOOL_NAME,
    n.TEAM: n.GEN_AI_WORKFLOW_NAME,
}


def _streamed(opening: Opening) -> Attributes:
    return {n.GEN_AI_REQUEST_STREAM: opening.streamed} if opening.layer == n.MODEL else {}
