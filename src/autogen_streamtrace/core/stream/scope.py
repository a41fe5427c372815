"""Which stream the running code works for: a record inside OpenTelemetry's current context.

The context is switched twice for each item of each layer, so this goes to OpenTelemetry's own ``ContextVar``
where the runtime context has one: a third of what ``attach`` and ``detach`` cost.
"""

from contextvars import ContextVar
from typing import Any, Final

from opentelemetry import context as api
from opentelemetry.context import Context
from opentelemetry.trace import Span, get_current_span, set_span_in_context

from autogen_streamtrace.core.semconv import SERVER, TEAM
from autogen_streamtrace.core.stream.state import StreamState
from autogen_streamtrace.neighbours.opentelemetry import context_variable

_KEY: Final = "autogen_streamtrace.record"


_found: Final = context_variable(api)
get = api.get_current if _found is None else _found.get
"""The current context."""
switch: Any = api.attach if _found is None else _found.set
"""Makes a context current."""


class Deferred:
    """What becomes a stream once another one starts inside it.

    It stands in a variable of its own: a server's instrumentation may begin a new OpenTelemetry context inside it.
    """

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: StreamState | None = None
        """Once it has become one, and as long as it is one."""

    def open(self) -> StreamState | None:
        """Makes it a stream; None where it is over."""
        raise NotImplementedError


deferred: Final["ContextVar[Deferred | None]"] = ContextVar("autogen_streamtrace.deferred", default=None)


def current(context: Context | None = None) -> StreamState | None:
    """The stream inside which the running code works, or that of a context that ``here`` returned."""
    found = (get() if context is None else context).get(_KEY)
    if found is None and context is None:
        found = deferred.get()
    return found.state if isinstance(found, Deferred) else found  # type: ignore[return-value]


def enclosing() -> StreamState | None:
    """The stream inside which a new one starts; what was deferred until now becomes one."""
    waiting = deferred.get()
    if waiting is not None and waiting.state is None and get().get(_KEY) is None:
        waiting.open()
    return current()


def outside() -> StreamState | None:
    """The stream inside which a deferred one starts: none that was deferred itself, which is an older request."""
    found = get().get(_KEY)
    return found if isinstance(found, StreamState) and found.layer != SERVER else None


def here() -> Context:
    """The current context, with all that says inside which stream the running code works."""
    context, waiting = get(), deferred.get()
    return context if waiting is None or _KEY in context else api.set_value(_KEY, waiting, context)


def parent_context(parent: StreamState | None, context: Context | None = None) -> Context:
    """Where a new span belongs: under the current span of ``context``, or of the running code.

    A team's span and a server layer's are never current. Under a server layer, what is current is the span above it,
    or one that the program has started since.
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
    inside = within(state, base)
    return inside if state.layer == TEAM else set_span_in_context(state.span, inside)


def within(state: StreamState, base: Context) -> Context:
    """A context in which new streams are children of ``state``, while the current span stays."""
    return api.set_value(_KEY, state, base)


def leave(inside: Context, base: Context) -> None:
    """Makes ``base`` current again, unless a stream is closed from a context that is not its own."""
    if get() is inside:
        switch(base)
