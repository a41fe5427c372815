"""Which stream the running code works for: a record inside OpenTelemetry's current context.

The context is switched twice for each item of each layer, so this goes to OpenTelemetry's own ``ContextVar``
where the runtime context has one: a third of what ``attach`` and ``detach`` cost.
"""

from contextvars import ContextVar
from typing import Any, Final

from opentelemetry import context as api
from opentelemetry.context import Context
from opentelemetry.trace import set_span_in_context

from .names import TEAM
from .record import Record

_KEY: Final = "autogen_streamtrace.record"


def _variable() -> "ContextVar[Context] | None":
    runtime: Any = getattr(api, "_RUNTIME_CONTEXT", None)
    variable = getattr(runtime, "_current_context", None)
    return variable if isinstance(variable, ContextVar) else None


_found: Final = _variable()
get = api.get_current if _found is None else _found.get
"""The current context."""
switch: Any = api.attach if _found is None else _found.set
"""Makes a context current."""


def current(context: Context | None = None) -> Record | None:
    """The stream inside which the running code works, or that of another context."""
    found = (get() if context is None else context).get(_KEY)
    return found if isinstance(found, Record) else None


def of(record: Record, base: Context) -> Context:
    """The context in which a stream is advanced by code whose own context is ``base``.

    A team's span is not made current: AutoGen's runtime would put a traceparent into every envelope.
    """
    if record.closed:
        return base
    inside = within(record, base)
    return inside if record.layer == TEAM else set_span_in_context(record.span, inside)


def within(record: Record, base: Context) -> Context:
    """A context in which new streams are children of ``record``, while the current span stays."""
    return api.set_value(_KEY, record, base)


def leave(inside: Context, base: Context) -> None:
    """Makes ``base`` current again, unless a stream is closed from a context that is not its own."""
    if get() is inside:
        switch(base)
