"""Where a stream belongs when it opens."""

from opentelemetry.trace import NonRecordingSpan, get_current_span, set_span_in_context

from autogen_streamtrace.core.semconv import MODEL
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState


def going_on(state: StreamState | None) -> StreamState | None:
    """The nearest stream around the running code that is not over: a task may outlive the one that started it."""
    while state is not None and state.over:
        state = state.parent
    return state


def postponed(state: StreamState) -> bool:
    """An exchange has no children, so its span, which takes memory while it is open, is started at its end.

    Until then only the identity of the span above it is kept; where there is none, its trace would be unknown.
    """
    assert state.context is not None
    above = get_current_span(state.context).get_span_context()
    if above.is_valid:
        state.context = set_span_in_context(NonRecordingSpan(above), state.context)
    return above.is_valid


def is_same(above: StreamState, info: StreamInfo) -> bool:
    """It is the stream around it, of which that one hands on what it reads: a client around another, a ``super()``."""
    if above.closed or above.layer != info.layer:
        return False
    return above.layer == MODEL or (info.subject != 0 and above.info.subject == info.subject)
