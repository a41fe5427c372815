"""Replaces the spans that Agent Framework makes of a turn, a reply, a tool call and a workflow's run.

They end before it is known how the stream ended. What the framework writes on them under the names of the GenAI
conventions goes on the span of the stream. So contents are recorded where the framework's own switch asks for them.
"""

import contextlib
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from enum import Enum
from types import ModuleType
from typing import Any, Final

from opentelemetry.trace import INVALID_SPAN, Span, SpanContext

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.stream.scope import current
from autogen_streamtrace.core.stream.state import StreamState
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.neighbours import Private, agent_framework

_LAYERS: Final[dict[str, sc.Layer]] = {"chat": sc.MODEL, "invoke_agent": sc.AGENT}
"""By ``gen_ai.operation.name``. Other spans of the framework stay as they are."""

_NOT_TAKEN: Final = frozenset({sc.GEN_AI_FINISH_REASONS, sc.GEN_AI_TOOL_DEFINITIONS})
"""The framework writes the first as a text, where the conventions want a list, and the second whatever its switches
say."""

_ACTIVE: Final = (agent_framework.ACTIVE_SPAN, agent_framework.ACTIVE_WORKFLOW, agent_framework.ACTIVE_FUNCTIONAL)

_AS_IT_IS: Final = contextlib.nullcontext()
"""One for all: the framework enters it for each item."""

Original = Callable[..., Any]


class Written(Span):
    """Stands for a span of the framework's, and writes on a stream's span what the framework writes on it.

    Args:
        layer: the layer of the stream.
        subject: the agent or client that is called.
        state: the stream; None until it is first read.
    """

    def __init__(self, layer: sc.Layer, subject: object = None, state: StreamState | None = None) -> None:
        self.layer = layer
        self.subject = subject
        self._state = state
        self._early: dict[str, Any] = {}

    def bind(self, state: StreamState) -> None:
        """Takes the stream, now that it is read."""
        self._state = state
        if self._early:
            self.set_attributes(self._early)

    @property
    def ours(self) -> Span:
        """The stream's span."""
        return INVALID_SPAN if self._state is None else self._state.span

    def get_span_context(self) -> SpanContext:
        return self.ours.get_span_context()

    def is_recording(self) -> bool:
        return self._state is None or self.ours.is_recording()

    def set_attribute(self, key: str, value: Any) -> None:
        self.set_attributes({key: value})

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        if self._state is None:
            self._early |= attributes
            return
        known = dict(self._state.info.attributes)
        for key, value in attributes.items():
            name = str(key)
            if name.startswith("gen_ai.") and name not in known and name not in _NOT_TAKEN:
                self.ours.set_attribute(name, value.value if isinstance(value, Enum) else value)

    def end(self, *args: Any, **kwargs: Any) -> None: ...

    def add_event(self, *args: Any, **kwargs: Any) -> None: ...

    def update_name(self, *args: Any, **kwargs: Any) -> None: ...

    def set_status(self, *args: Any, **kwargs: Any) -> None: ...

    def record_exception(self, *args: Any, **kwargs: Any) -> None: ...


calling: Final[ContextVar[Written | None]] = ContextVar("autogen_streamtrace_calling", default=None)
"""The span of a call that has not returned its stream yet."""


def _written(layer: sc.Layer | None) -> Written | None:
    """The stand-in for the framework's span of the running call; None where no stream of ours is that call's."""
    if layer is None:
        return None
    call, state = calling.get(), current()
    if call is not None and call.layer == layer:
        return call
    return Written(layer, state=state) if state is not None and state.layer == layer and not state.closed else None


def _name_in(module: ModuleType, *privates: Private) -> str:
    """The name that is the module's own, of those that several modules have."""
    return next(private.attribute for private in privates if private.owner == module.__name__)


def _stand_in(
    layer_of: Callable[[Any], sc.Layer | None], given: Callable[[Written], Any]
) -> Callable[[Original], Original]:
    """Replaces a function that makes a span with some attributes.

    Args:
        layer_of: the layer of the stream that has these attributes.
        given: the stand-in in the form in which the function returns its span.
    """

    def make(original: Original) -> Original:
        def start(attributes: Any, *args: Any, **kwargs: Any) -> Any:
            written = _written(layer_of(attributes))
            if written is None:
                return original(attributes, *args, **kwargs)
            written.set_attributes(attributes)
            return given(written)

        return start

    return make


def _layer_of_operation(attributes: Mapping[str, Any]) -> sc.Layer | None:
    return _LAYERS.get(attributes.get(sc.GEN_AI_OPERATION, ""))


def replace_streaming(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Replaces the span of a streamed turn or reply."""
    make = _stand_in(_layer_of_operation, lambda written: written)
    patcher.attribute(module, agent_framework.STREAMING_SPAN.attribute, make)


def replace_awaited(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Replaces the span of an awaited turn or reply."""
    make = _stand_in(_layer_of_operation, contextlib.nullcontext)
    patcher.attribute(module, agent_framework.AWAITED_SPAN.attribute, make)


def replace_tool(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Replaces the span of a tool call."""
    make = _stand_in(lambda attributes: sc.TOOL, contextlib.nullcontext)
    patcher.attribute(module, agent_framework.TOOL_SPAN.attribute, make)


def replace_workflow(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Replaces the span of a workflow's run."""

    def make(original: Original) -> Original:
        def start_workflow_span(name: str, attributes: Any = None, *args: Any, **kwargs: Any) -> Any:
            written = _written(sc.TEAM)
            return original(name, attributes, *args, **kwargs) if written is None else written

        return start_workflow_span

    patcher.attribute(module, _name_in(module, agent_framework.WORKFLOW_SPAN, agent_framework.FUNCTIONAL_SPAN), make)


def activate(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Leaves the current span as it is where the framework would make a stand-in current.

    A stream's span is current already while its source runs. A workflow's is made current here: the spans of its
    executors stay, and belong inside it.
    """

    def make(original: Original) -> Original:
        def _activate_span(span: Any) -> Any:
            if not isinstance(span, Written):
                return original(span)
            return original(span.ours) if span.layer == sc.TEAM else _AS_IT_IS

        return _activate_span

    patcher.attribute(module, _name_in(module, *_ACTIVE), make)


def measure_once(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Leaves the metrics of a reply to us: the framework's have the same names."""

    def make(original: Original) -> Original:
        def _capture_response(span: Any, attributes: Any, *args: Any, **kwargs: Any) -> None:
            if _written(sc.MODEL) is not None:
                original(span, attributes)
            else:
                original(span, attributes, *args, **kwargs)

        return _capture_response

    patcher.attribute(module, agent_framework.RESPONSE.attribute, make)


def measure_errors_once(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """The same for a reply that failed."""

    def make(original: Original) -> Original:
        def _capture_operation_error(*args: Any, **kwargs: Any) -> None:
            if _written(sc.MODEL) is None:
                original(*args, **kwargs)

        return _capture_operation_error

    patcher.attribute(module, agent_framework.ERROR.attribute, make)
