"""The histograms of streams, and what each of them records of a finished stream."""

from typing import Final, NamedTuple

from opentelemetry.context import Context
from opentelemetry.metrics import Meter
from opentelemetry.trace import set_span_in_context

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState
from autogen_streamtrace.core.telemetry.limiters import Attributes, Key, SetLimiter
from autogen_streamtrace.core.telemetry.rows import BoundedHistogram, Row, Rows
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.verdict.rules import Verdict

_PLANS: Final = 1_000
"""Plans that are remembered."""
_GEN_AI_LABELS: Final = frozenset({sc.GEN_AI_OPERATION, sc.GEN_AI_PROVIDER})
GEN_AI_NAMES: Final[dict[sc.Layer, str]] = {
    sc.MODEL: sc.GEN_AI_REQUEST_MODEL,
    sc.AGENT: sc.GEN_AI_AGENT_NAME,
    sc.TOOL: sc.GEN_AI_TOOL_NAME,
    sc.TEAM: sc.GEN_AI_WORKFLOW_NAME,
}


class Plan(NamedTuple):
    """The rows of the streams that open and end alike."""

    duration: Row
    silence: Row
    gap: Row
    first: Row
    caller: Row
    gen_ai_duration: Row | None
    """None where the conventions define no histogram for the layer."""
    of_model: "PlanOfModel | None"

    def values(self, node: StreamNode) -> list[tuple[Row, float]]:
        """What is recorded of a stream, each value with its row."""
        state, verdict, finished_at = node.state, node.verdict, node.finished_at
        assert verdict is not None and finished_at is not None
        seconds = finished_at - state.start
        found = [(self.duration, seconds)]
        if verdict.early:
            found.append((self.silence, max(0.0, node.ended_at - state.last)))
        if state.chunks:
            found += (self.first, state.first - state.start), (self.caller, state.caller_time)
        if state.chunks > 1:
            found.append((self.gap, state.longest_gap))
        if self.gen_ai_duration is not None:
            found.append((self.gen_ai_duration, seconds))
        if self.of_model is not None:
            found += self.of_model.values(state)
        return found


class PlanOfModel(NamedTuple):
    """The rows that a model's streams have beside those of every stream."""

    first: Row
    per_chunk: Row
    input: Row
    output: Row

    def values(self, state: StreamState) -> list[tuple[Row, float]]:
        """What is recorded of a model's stream.

        The time per output chunk is recorded once for each stream, as its mean: recording each chunk would cost too
        much.
        """
        found: list[tuple[Row, float]] = []
        if state.info.streamed and state.chunks:
            found.append((self.first, state.first - state.start))
            if state.chunks > 1:
                found.append((self.per_chunk, (state.last - state.first) / (state.chunks - 1)))
        if state.input_tokens:
            found.append((self.input, state.input_tokens))
        if state.output_tokens:
            found.append((self.output, state.output_tokens))
        return found


class Histograms:
    """The histograms of one meter provider.

    Those named ``gen_ai`` are of https://github.com/open-telemetry/semantic-conventions-genai.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.rows = Rows()
        self._plans: dict[Key, Plan] = {}
        self._made: list[BoundedHistogram] = []
        self._limits: list[SetLimiter] = []
        self._duration = self._make(sc.M_DURATION, sc.DURATION_EDGES, "Duration of streams.")
        self._silence = self._make(sc.M_SILENCE, sc.SILENCE_EDGES, "Silence before early endings.")
        self._gap = self._make(sc.M_LONGEST_GAP, sc.GAP_EDGES, "Longest wait between two items.")
        self._first = self._make(sc.M_FIRST_CHUNK, sc.GAP_EDGES, "Time to the first item.")
        self._caller = self._make(sc.M_CALLER_TIME, sc.GAP_EDGES, "Time that the reader held items.")
        client = sc.GEN_AI_CLIENT_EDGES
        self._gen_ai_durations = {
            sc.MODEL: self._make(sc.M_GEN_AI_DURATION, client, "GenAI operation duration."),
            sc.TOOL: self._make(sc.M_GEN_AI_TOOL, client, "Tool call duration."),
            sc.AGENT: self._make(sc.M_GEN_AI_AGENT, sc.GEN_AI_AGENT_EDGES, "Agent turn duration."),
            sc.TEAM: self._make(sc.M_GEN_AI_WORKFLOW, sc.GEN_AI_WORKFLOW_EDGES, "Team run duration."),
        }
        self._gen_ai_first = self._make(sc.M_GEN_AI_FIRST_CHUNK, client, "Time to the first chunk.")
        self._per_chunk = self._make(sc.M_GEN_AI_PER_CHUNK, client, "Mean time per output chunk after the first.")
        self._tokens = self._make(sc.M_GEN_AI_TOKENS, sc.GEN_AI_TOKEN_EDGES, "Tokens used.", "{token}")

    def _make(self, name: str, edges: tuple[float, ...], description: str, unit: str = "s") -> BoundedHistogram:
        edged = self._meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=list(edges))
        self._limits.append(SetLimiter(name))
        self._made.append(BoundedHistogram(edged, self._limits[-1], self.rows))
        return self._made[-1]

    @property
    def capped(self) -> int:
        """How often an attribute set was folded."""
        return sum(limit.capped for limit in self._limits)

    def clear(self) -> None:
        """Forgets the values that the SDK has not got yet."""
        self._plans.clear()
        self.rows.clear()
        for histogram in self._made:
            histogram.clear()

    def measure(self, node: StreamNode, name: str, error: str) -> None:
        """Records the values of a finished stream, under its capped name and error type.

        Only early endings have exemplars, which are costly.
        """
        verdict = node.verdict
        assert verdict is not None
        found = self._plan(node.state.info, verdict, name, error).values(node)
        if verdict.early:
            context = set_span_in_context(node.state.span, Context())
            for row, value in found:
                row.record(value, context)
        else:
            for row, value in found:
                row.note(value)
            self.rows.noted(len(found))

    def _plan(self, info: StreamInfo, verdict: Verdict, name: str, error: str) -> Plan:
        labels = _gen_ai_labels(info, name)
        key = (info.layer, info.streamed, verdict.outcome, error, *labels.items())
        plan = self._plans.get(key)
        if plan is None:
            capped = self.capped
            plan = self._new_plan(info, verdict.outcome, labels, {sc.A_ERROR_TYPE: error} if error else {})
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            if self.capped == capped:  # a folded set is counted each time
                self._plans[key] = plan
        return plan

    def _new_plan(self, info: StreamInfo, outcome: sc.Outcome, labels: Attributes, error: Attributes) -> Plan:
        layer: Attributes = {sc.A_LAYER: info.layer}
        ended: Attributes = {sc.A_LAYER: info.layer, sc.A_OUTCOME: outcome}
        streamed: Attributes = {sc.GEN_AI_REQUEST_STREAM: info.streamed} if info.layer == sc.MODEL else {}
        gen_ai = self._gen_ai_durations.get(info.layer)
        return Plan(
            self._duration.row({**ended, **streamed}),
            self._silence.row(ended),
            self._gap.row(layer),
            self._first.row(layer),
            self._caller.row(layer),
            gen_ai.row({**labels, **error}) if gen_ai is not None else None,
            self._of_model(labels) if info.layer == sc.MODEL else None,
        )

    def _of_model(self, labels: Attributes) -> PlanOfModel:
        tokens = ({**labels, sc.GEN_AI_TOKEN_TYPE: kind} for kind in ("input", "output"))
        return PlanOfModel(self._gen_ai_first.row(labels), self._per_chunk.row(labels), *map(self._tokens.row, tokens))


def _gen_ai_labels(info: StreamInfo, name: str) -> Attributes:
    named = GEN_AI_NAMES.get(info.layer)
    if named is None:
        return {}
    labels: Attributes = {key: value for key, value in info.attributes if key in _GEN_AI_LABELS}
    labels[named] = name
    return labels
