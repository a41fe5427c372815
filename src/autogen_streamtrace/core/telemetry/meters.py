"""All instruments, and what each of them records of a finished stream."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation
from opentelemetry.trace import set_span_in_context

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import contained_errors
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState
from autogen_streamtrace.core.telemetry.counters import Counters
from autogen_streamtrace.core.telemetry.counts import Tables, Total
from autogen_streamtrace.core.telemetry.limiters import Attributes, SetLimiter
from autogen_streamtrace.core.verdict.node import StreamNode, doing
from autogen_streamtrace.core.verdict.rules import Verdict

_NO_SPAN: Final = Context()


class Watched(NamedTuple):
    """The sources of the observed instruments, for one ``instrument()``."""

    waiting: Callable[[], int]
    """Facts that wait for the judge."""
    oldest: Callable[[], dict[str, float]]
    """Age in seconds of the oldest open stream of each layer."""
    stalled: Callable[[], list[StreamNode]]
    """The streams that are stalled now."""
    counters: Counters


class Meters:
    """All instruments of one meter provider. Each provider has one ``Meters``.

    A meter never replaces the callbacks of an observable instrument. So the callbacks are made once, and look up their
    present sources.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.tables = tables = Tables()
        self._watched: Watched | None = None
        self._layers: set[str] = set()
        self._totals: dict[str, Total] = {}
        self._states: dict[str, Callable[[], int] | None] = {}
        self._limits: list[SetLimiter] = []
        """Bounds the names in histograms."""
        counter, level = meter.create_observable_counter, meter.create_observable_up_down_counter
        counter(sc.M_STARTED, [tables.started.observe], "{stream}", "Streams that started.")
        counter(sc.M_ENDED, [tables.ended.observe], "{stream}", "Streams that ended.")
        counter(sc.M_CUT, [tables.cut.observe], "{stream}", "Early endings, each once, at its origin.")
        level(sc.M_OPEN, [tables.open.observe], "{stream}", "Streams that are open.")
        level(sc.M_STALLED, [self._observe_stalled], "{stream}", "Open streams whose items have stopped.")
        level(sc.M_QUEUE, [self._observe_waiting], "{fact}", "Facts that wait for the judge.")
        meter.create_observable_gauge(sc.M_OLDEST, [self._observe_oldest], "s", "Age of the oldest open stream.")
        self.count(sc.M_ERRORS, "{error}", "Defects of the instrument, contained.", contained_errors)
        self._duration = self._histogram(sc.M_DURATION, sc.DURATION_EDGES, "Duration of streams.")
        self._silence = self._histogram(sc.M_SILENCE, sc.SILENCE_EDGES, "Silence before early endings.")
        self._gap = self._histogram(sc.M_LONGEST_GAP, sc.GAP_EDGES, "Longest wait between two items.")
        self._first = self._histogram(sc.M_FIRST_CHUNK, sc.GAP_EDGES, "Time to the first item.")
        self._caller = self._histogram(sc.M_CALLER_TIME, sc.GAP_EDGES, "Time that the reader held items.")
        self._gen_ai = _GenAi(self._histogram)

    def watch(self, watched: Watched) -> None:
        """Observes these sources from now on."""
        self._watched = watched
        self.count(sc.M_CAPPED, "{name}", "Label values that read _OTHER.", lambda: self._capped(watched.counters))

    def leave(self, counters: Counters) -> None:
        """Stops observing the sources with these counters; the sums remain."""
        if self._watched is not None and self._watched.counters is counters:
            self._watched = None
            for name, total in self._totals.items():
                if name != sc.M_ERRORS:
                    total.rest()
            self._states = dict.fromkeys(self._states)

    def clear(self) -> None:
        """Sets every count to nothing."""
        self.tables.clear()
        for total in self._totals.values():
            total.clear()

    def state(self, name: str, description: str, value: Callable[[], int]) -> None:
        """An observable gauge without attributes."""
        if name not in self._states:
            self._meter.create_observable_gauge(name, [partial(self._observe_state, name)], "{state}", description)
        self._states[name] = value

    def count(self, name: str, unit: str, description: str, value: Callable[[], int]) -> None:
        """An observable counter without attributes."""
        if name not in self._totals:
            total = self._totals[name] = Total()
            callback = [lambda options: [Observation(total.read())]]
            self._meter.create_observable_counter(name, callback, unit, description)
        self._totals[name].follow(value)

    def _observe_state(self, name: str, options: CallbackOptions) -> Iterable[Observation]:
        value = self._states[name]
        return [Observation(value())] if value is not None else []

    def _observe_waiting(self, options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._watched.waiting() if self._watched is not None else 0)]

    def _observe_oldest(self, options: CallbackOptions) -> Iterable[Observation]:
        now = self._watched.oldest() if self._watched is not None else {}
        self._layers.update(now)
        return [Observation(now.get(layer, 0.0), {sc.A_LAYER: layer}) for layer in sorted(self._layers)]

    def _observe_stalled(self, options: CallbackOptions) -> Iterable[Observation]:
        level, watched = self.tables.stalled, self._watched
        level.zero()
        if watched is not None:
            for node in watched.stalled():
                level.add(1, watched.counters.waiting(node.state.labels, *doing(node)))
        return level.observe(options)

    def measure(self, node: StreamNode, verdict: Verdict, attributes: Attributes, name: str, error: str) -> None:
        """Records the durations of a finished stream, under its capped name and error type.

        Only early endings have exemplars, which are costly.
        """
        state = node.state
        assert node.finished_at is not None
        seconds = node.finished_at - state.start
        layer: Attributes = {sc.A_LAYER: state.layer}
        outcome: Attributes = {sc.A_LAYER: state.layer, sc.A_OUTCOME: verdict.outcome}
        context = set_span_in_context(state.span, Context()) if verdict.early else _NO_SPAN
        self._duration.record(seconds, {**outcome, **_streamed(state.info)}, context)
        if verdict.early:
            self._silence.record(attributes[sc.A_SILENCE], outcome, context)
        if state.chunks:
            self._first.record(attributes[sc.A_FIRST_CHUNK], layer, context)
            self._caller.record(state.caller_time, layer, context)
        if state.chunks > 1:
            self._gap.record(state.longest_gap, layer, context)
        self._gen_ai.measure(state, seconds, context, name, error)

    def _capped(self, counters: Counters) -> int:
        return counters.capped + sum(limit.capped for limit in self._limits)

    def _histogram(self, name: str, edges: tuple[float, ...], description: str, unit: str = "s") -> "_Bounded":
        edged = self._meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=list(edges))
        self._limits.append(SetLimiter(name))
        return _Bounded(edged, self._limits[-1])


class _Bounded:
    """A histogram whose attribute sets are bounded."""

    def __init__(self, histogram: Histogram, limit: SetLimiter) -> None:
        self._histogram = histogram
        self._limit = limit

    def record(self, value: float, attributes: Attributes, context: Context) -> None:
        """Records one value."""
        self._histogram.record(value, self._limit(attributes), context)


_made: Final[WeakKeyDictionary[MeterProvider, Meters]] = WeakKeyDictionary()


def meters_of(provider: MeterProvider, scope: str, version: str) -> Meters:
    """The instruments of a provider; makes them the first time."""
    try:
        found = _made.get(provider)
        if found is None:
            found = _made[provider] = Meters(provider.get_meter(scope, version))
    except TypeError:  # it cannot be recognised later
        return Meters(provider.get_meter(scope, version))
    return found


class _GenAi:
    """The histograms of https://github.com/open-telemetry/semantic-conventions-genai.

    The time per output chunk is recorded once for each stream, as its mean: recording each chunk would cost too much.
    """

    def __init__(self, histogram: Callable[..., _Bounded]) -> None:
        client = sc.GEN_AI_CLIENT_EDGES
        self._duration = histogram(sc.M_GEN_AI_DURATION, client, "GenAI operation duration.")
        self._first = histogram(sc.M_GEN_AI_FIRST_CHUNK, client, "Time to the first chunk.")
        self._per_chunk = histogram(sc.M_GEN_AI_PER_CHUNK, client, "Mean time per output chunk after the first.")
        self._tokens = histogram(sc.M_GEN_AI_TOKENS, sc.GEN_AI_TOKEN_EDGES, "Tokens used.", "{token}")
        self._layers = {
            sc.TOOL: histogram(sc.M_GEN_AI_TOOL, client, "Tool call duration."),
            sc.AGENT: histogram(sc.M_GEN_AI_AGENT, sc.GEN_AI_AGENT_EDGES, "Agent turn duration."),
            sc.TEAM: histogram(sc.M_GEN_AI_WORKFLOW, sc.GEN_AI_WORKFLOW_EDGES, "Team run duration."),
        }

    def measure(self, state: StreamState, seconds: float, context: Context, name: str, error_type: str) -> None:
        """Records the histograms that the conventions define for this layer."""
        if state.layer != sc.MODEL and state.layer not in self._layers:
            return
        labels: Attributes = {key: value for key, value in state.info.attributes if key in _GEN_AI_LABELS}
        labels[GEN_AI_NAMES[state.layer]] = name
        error: Attributes = {sc.A_ERROR_TYPE: error_type} if error_type else {}
        if state.layer != sc.MODEL:
            self._layers[state.layer].record(seconds, {**labels, **error}, context)
            return
        self._duration.record(seconds, {**labels, **error}, context)
        if state.info.streamed and state.chunks:
            self._first.record(state.first - state.start, labels, context)
            if state.chunks > 1:
                self._per_chunk.record((state.last - state.first) / (state.chunks - 1), labels, context)
        for kind, tokens in (("input", state.input_tokens), ("output", state.output_tokens)):
            if tokens:
                self._tokens.record(tokens, {**labels, sc.GEN_AI_TOKEN_TYPE: kind}, context)


_GEN_AI_LABELS: Final = frozenset({sc.GEN_AI_OPERATION, sc.GEN_AI_PROVIDER})
GEN_AI_NAMES: Final[dict[sc.Layer, str]] = {
    sc.MODEL: sc.GEN_AI_REQUEST_MODEL,
    sc.AGENT: sc.GEN_AI_AGENT_NAME,
    sc.TOOL: sc.GEN_AI_TOOL_NAME,
    sc.TEAM: sc.GEN_AI_WORKFLOW_NAME,
}


def _streamed(info: StreamInfo) -> Attributes:
    return {sc.GEN_AI_REQUEST_STREAM: info.streamed} if info.layer == sc.MODEL else {}
