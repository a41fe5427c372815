"""The list of open streams, read from the streams' states without waiting for the judge."""

from collections.abc import Iterable
from dataclasses import dataclass

from autogen_streamtrace.core.semconv import CALLER, NONE
from autogen_streamtrace.core.stream.state import StreamState, clock
from autogen_streamtrace.core.verdict.node import itself


@dataclass(frozen=True)
class OpenStream:
    """A stream that is open now."""

    layer: str
    name: str
    age: float
    """Seconds since its first read."""
    silent_for: float
    """Seconds since its last item."""
    chunks: int
    waiting_on: str
    trace_id: str
    span_id: str
    """The id of its span, or of the span around it where its own starts only at its end, as an HTTP exchange's does."""


def listed(open_now: Iterable[StreamState]) -> list[OpenStream]:
    """The streams of ``open_now`` that have not ended for their readers."""
    now = clock()
    states = [state for state in open_now if not state.closed]
    newest = {state.parent: state for state in states if not state.held}
    return [_listed(state, newest, now) for state in states]


def _listed(state: StreamState, newest: dict[StreamState | None, StreamState], now: float) -> OpenStream:
    """One open stream, from its state and from the newest open stream inside each stream."""
    innermost = state
    while innermost in newest:
        innermost = newest[innermost]
    waiting_on = (CALLER, "") if state.held else itself(innermost)
    ids = state.span.get_span_context()
    return OpenStream(
        layer=state.layer,
        name=state.name,
        age=now - state.start,
        silent_for=now - state.last,
        chunks=state.chunks,
        waiting_on=" ".join(filter(None, waiting_on)) or NONE,
        trace_id=format(ids.trace_id, "032x"),
        span_id=format(ids.span_id, "016x"),
    )


def oldest(states: Iterable[StreamState]) -> dict[str, float]:
    """Age in seconds of the first stream of each layer; ``states`` in the order in which they started."""
    now, ages = clock(), dict[str, float]()
    for state in states:
        ages.setdefault(state.layer, now - state.start)
    return ages
