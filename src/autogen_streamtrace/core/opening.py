"""Where a stream belongs when it opens."""

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan

from autogen_streamtrace.core.evidence.content import Content
from autogen_streamtrace.core.semconv import MODEL, TEAM
from autogen_streamtrace.core.stream.scope import parent_context
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState
from autogen_streamtrace.neighbours.opentelemetry import SPAN_KEY, span_of


def going_on(state: StreamState | None) -> StreamState | None:
    """The nearest stream around the running code that has not finished: a task may outlive the stream around it.

    A team that its reader left is not over yet: AutoGen's runtime may still start the turn of its next agent.
    """
    if state is not None and state.layer == TEAM and state.left:
        return state
    while state is not None and state.finished:
        state = state.parent
    return state


def in_framework(info: StreamInfo, above: StreamState | None) -> StreamInfo:
    """A stream's ``info``, with the framework of the stream around it where it is no framework's itself."""
    if info.framework or above is None or not above.info.framework:
        return info
    return info._replace(framework=above.info.framework)


def new_state(
    info: StreamInfo, above: StreamState | None, loop: int, *, start: float = 0.0, captures: bool = False
) -> StreamState:
    """The state of a stream inside ``above``; the arguments are those of ``StreamTracker``."""
    state = StreamState(info, above, loop)
    if captures and state.content is None:
        state.content = Content()
    if start:
        state.start_ns = state.nanoseconds(start)
        state.start = state.asked = state.last = start
    state.context = parent_context(above)
    return state


def postponed(state: StreamState) -> bool:
    """Whether an exchange's span can start at its end. It has no children, so this saves the memory of an open span.

    Until then its context has only the ids of the span above. Without a span above, its trace would not be known.
    """
    assert state.context is not None
    above = span_of(state.context).get_span_context()
    if not above.is_valid:
        return False
    state.span = NonRecordingSpan(above)
    state.context = Context({**state.context, SPAN_KEY: state.span})
    return True


def is_same(above: StreamState, info: StreamInfo) -> bool:
    """Whether a stream is the same as the one around it, which passes its items on: a wrapped client, a ``super()``."""
    if above.closed or above.layer != info.layer:
        return False
    return above.layer == MODEL or (info.subject != 0 and above.info.subject == info.subject)
