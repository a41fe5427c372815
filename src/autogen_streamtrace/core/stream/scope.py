"""Which stream the running code works for. OpenTelemetry's current context holds it.

The context is switched twice for each item of each layer. So this uses OpenTelemetry's own ``ContextVar`` where there
is one, at a third of the cost of ``attach`` and ``detach``.
"""

from contextvars import ContextVar
from typing import Any, Final

from opentelemetry import context as api
from opentelemetry.context import Context
from opentelemetry.trace import Span, get_current_span, set_span_in_context

from autogen_streamtrace.core.semconv import MODEL, SERVER, TEAM
from autogen_streamtrace.core.stream.state import StreamState
from autogen_streamtrace.neighbours.opentelemetry import SPAN_KEY, context_variable

_KEY: Final = "autogen_streamtrace.state"

_found: Final = context_variable(api)
get = api.get_current if _found is None else _found.get
"""The current context."""
switch: Any = api.attach if _found is None else _found.set
"""Makes a context current."""


class Deferred:
    """It becomes a stream once another stream starts inside it.

    It has a variable of its own, since a server's instrumentation may start a new OpenTelemetry context inside it.
    """

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: StreamState | None = None
        """Its stream, as long as it is one."""

    def open(self) -> StreamState | None:
        """Makes it a stream; None where it has ended already."""
        raise NotImplementedError


deferred: Final["ContextVar[Deferred | None]"] = ContextVar("autogen_streamtrace.deferred", default=None)


def current(context: Context | None = None) -> StreamState | None:
    """The stream inside which the running code works, or that of a context that ``here`` returned."""
    found = (get() if context is None else context).get(_KEY)
    if found is None and context is None:
        found = deferred.get()
    return found.state if isinstance(found, Deferred) else found  # type: ignore[return-value]


def enclosing() -> StreamState | None:
    """The stream inside which a new one starts. A deferred one becomes a stream now."""
    waiting = deferred.get()
    if waiting is not None and waiting.state is None and get().get(_KEY) is None:
        waiting.open()
    return current()


def outer_model() -> StreamState | None:
    """The open model stream of which the running code is a part, where it is one.

    Clients stand on clients: a framework's on another of its own, and that on an SDK's. The outermost one's stream is
    the only one on the layer ``model``. An inner one's is a part of it: the exchanges below are the outer stream's
    children, and what the inner client finds out is noted in the outer stream's state.
    """
    state = current()
    return state if state is not None and state.layer == MODEL and not state.closed else None


def outside() -> StreamState | None:
    """The stream inside which a deferred one starts. One that was deferred itself is an older request, and is none."""
    found = get().get(_KEY)
    return found if isinstance(found, StreamState) and found.layer != SERVER else None


def here() -> Context:
    """The current context, with the stream of the running code in it."""
    context, waiting = get(), deferred.get()
    return context if waiting is None or _KEY in context else api.set_value(_KEY, waiting, context)


def parent_context(parent: StreamState | None, context: Context | None = None) -> Context:
    """The context of a new span: its parent is the current span of ``context``, or of the running code.

    The spans of teams and of server layers are never current. Under a server layer, the current span is the one above
    the layer, or one that the program has started since.
    """
    here = get() if context is None else context
    if parent is None or parent.layer not in (TEAM, SERVER):
        return here
    if parent.layer == SERVER and _span_id(get_current_span(here)) != _span_id(getattr(parent.span, "parent", None)):
        return here
    return set_span_in_context(parent.span, here)


def _span_id(span: Any) -> int:
    """Of a span or of a span's context; 0 where there is none."""
    found = span.get_span_context() if isinstance(span, Span) else span
    return found.span_id if found is not None else 0


def of(state: StreamState, base: Context) -> Context:
    """The context in which a stream is advanced by code whose own context is ``base``.

    A team's span is not made current: AutoGen's runtime would put a traceparent into every envelope.
    """
    if state.closed:
        return base
    if state.layer == TEAM:
        return within(state, base)
    return Context({**base, _KEY: state, SPAN_KEY: state.span})


def within(state: StreamState, base: Context) -> Context:
    """A context in which new streams are children of ``state``, while the current span stays."""
    return api.set_value(_KEY, state, base)


def leave(inside: Context, base: Context) -> None:
    """Makes ``base`` current again, unless a stream is closed from a context that is not its own."""
    if get() is inside:
        switch(base)
