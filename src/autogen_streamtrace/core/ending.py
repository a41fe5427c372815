"""What can be seen of a stream at the moment at which it ends."""

from autogen_streamtrace.core.evidence import causes, deadlines
from autogen_streamtrace.core.semconv import SERVER
from autogen_streamtrace.core.stream.state import Ending, How, StreamState, clock
from autogen_streamtrace.core.watching.loops import Loops
from autogen_streamtrace.neighbours import autogen


def read_ending(
    state: StreamState,
    how: How,
    error: BaseException | None,
    at: float,
    loops: Loops,
    *,
    thrown_in: bool,
    finished: bool,
) -> Ending:
    """Reads a stream's ending while the program's exception and its task still exist.

    Args:
        state: the stream.
        how: how it ended for its reader.
        error: the exception that came out of it.
        at: when, in seconds on ``clock``.
        loops: the event loops of this process.
        thrown_in: the reader threw the exception in.
        finished: it has also finished.
    """
    if state.exchange is not None:
        state.exchange.ended(how, error, state.status, at)
    if state.content is not None and error is not None:
        state.content.error = str(error)
    parent_chunks = state.parent.chunks if state.parent is not None else 0
    if how == "returned" and error is None and state.failure is None and state.layer != SERVER:
        return Ending(how, at, parent_chunks=parent_chunks, finished=finished)  # nothing stopped it
    cause = causes.CLOSED if how == "closed" else causes.read(error) if error is not None else None
    if state.failure is not None and error is None:
        how, cause = "raised", state.failure
    cancelled = cause is not None and cause.kind == "cancelled"
    stopped = cancelled or how == "closed"
    shutdown = (cancelled or state.layer == SERVER) and loops.shutting_down(state.loop)
    by_token = cancelled and _by_token(state)
    deadline = deadlines.striking(error) if stopped else None
    above = by_token or shutdown or deadline is not None
    return Ending(
        how,
        at,
        held=state.held and how == "closed",
        cause=cause,
        thrown_in=thrown_in,
        by_token=by_token,
        shutdown=shutdown,
        parent_chunks=parent_chunks,
        deadline=deadline,
        grace=loops.grace(state.loop, at) if shutdown else None,
        finished=finished,
        inside=cancelled and not above and not deadlines.being_cancelled(),
    )


def read_left(state: StreamState, at: float) -> Ending:
    """The ending of a stream whose reader left the loop in which it read, while it held an item."""
    parent_chunks = state.parent.chunks if state.parent is not None else 0
    return Ending("closed", at, held=True, cause=causes.CLOSED, parent_chunks=parent_chunks)


def follow(model: StreamState, exchange: StreamState, how: How) -> How | None:
    """How a model stream ends with its exchange; None where it goes on.

    A reader may leave it without a word to whoever reads the items: it closes the response. It may also read the body
    itself. Whoever waits for an item, on the other hand, learns of the end without us.
    """
    if model.closed or not model.held:
        return None
    if not model.chunks:
        model.asked, model.last, model.first = exchange.asked, exchange.last, exchange.first
        model.chunks, model.longest_gap = exchange.chunks, exchange.longest_gap
        model.caller_time = exchange.caller_time
    else:
        model.caller_time += clock() - model.last
    return "unread" if how == "closed" and not exchange.asked else how


def read_client_gone(state: StreamState, at: float, loops: Loops, *, shutdown: bool) -> Ending:
    """The ending of a server layer's stream whose end user is gone, or was cut off by ``shutdown``."""
    return Ending(
        "closed",
        at,
        held=state.held,
        cause=causes.CLOSED,
        gone=True,
        shutdown=shutdown,
        grace=loops.grace(state.loop, at) if shutdown else None,
        finished=False,
    )


def _by_token(state: StreamState) -> bool:
    """Whether a ``CancellationToken`` of this stream or of one around it was cancelled.

    It reads the token without its lock, which ``cancel()`` holds while it calls back.
    """
    link: StreamState | None = state
    while link is not None and not autogen.CANCELLED.of(link.info.token(), False):
        link = link.parent
    return link is not None
