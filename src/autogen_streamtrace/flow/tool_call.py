"""Layer ``tool``: a tool call, streaming or not, where the tool itself runs."""

import contextlib
import functools
from collections.abc import Callable
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Final

from opentelemetry.trace import INVALID_SPAN, Span

from ..core import names as n
from ..core import tap
from ..core.content import Content
from ..core.ledger import Ledger
from ..core.patcher import Patcher
from ..core.record import Opening, weakly
from ..core.scope import current


def replace_span(module: ModuleType, patcher: Patcher, ledger: Ledger) -> None:
    """Replaces AutoGen's own ``execute_tool`` span by this layer's.

    It stands around the tool's own code, so it sees an exception before a workbench turns it into a result.
    """

    def replaced(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def trace_tool_span(tool_name: str, **kwargs: Any) -> contextlib.AbstractContextManager[Span]:
            if _inside(tool_name):
                return contextlib.nullcontext(INVALID_SPAN)
            opening = _opening(tool_name, kwargs.get("tool_call_id"), description=kwargs.get("tool_description"))
            return _Call(ledger, opening._replace(content=_asked.get()))

        return trace_tool_span

    patcher.attribute(module, "trace_tool_span", replaced)


def apply(module: ModuleType, patcher: Patcher, ledger: Ledger) -> None:
    """Watches the items of every streaming tool of ``autogen_core.tools``."""

    def streamed(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def run_json_stream(self: Any, *args: Any, **kwargs: Any) -> Any:
            source = original(self, *args, **kwargs)
            if _inside(getattr(self, "name", None)):
                return source
            return tap.watched(ledger, source, lambda: _of_tool(ledger, self, args, kwargs))

        return run_json_stream

    patcher.family(module.BaseStreamTool, "run_json_stream", streamed)
    if ledger.captures:
        patcher.family(module.BaseTool, "run_json", lambda original: _captured(original, 0, "args"))
        patcher.family(module.Workbench, "call_tool", lambda original: _captured(original, 1, "arguments"))


class _Asked(Content):
    """What a tool is given. Its stream ends when it is known what it returns, which is after its span's block."""

    __slots__ = ("entered",)

    entered: tap.Entered | None


_asked: Final[ContextVar[_Asked | None]] = ContextVar("autogen_streamtrace.tool_arguments", default=None)
"""The call that is on its way to its span."""


def _captured(original: Callable[..., Any], at: int, name: str) -> Callable[..., Any]:
    """Keeps what a tool is given, which is argument ``at``, and what it returns."""

    @functools.wraps(original)
    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        asked = _Asked(arguments=args[at] if len(args) > at else kwargs.get(name))
        asked.entered = None
        token = _asked.set(asked)
        try:
            asked.result = result = await original(self, *args, **kwargs)
        finally:
            _asked.reset(token)
            if asked.entered is not None:
                asked.entered.__exit__(None, None, None)
        return result

    return call


class _LastItem(Content):
    """Of a streaming tool, the last item is what it returns."""

    __slots__ = ()

    def add(self, item: Any) -> None:
        self.result = item


class _Call(contextlib.AbstractContextManager[Span]):
    """A tool's record in the shape of AutoGen's context manager."""

    def __init__(self, ledger: Ledger, opening: Opening) -> None:
        self._asked = opening.content if isinstance(opening.content, _Asked) else None
        self._entered = tap.Entered(ledger, opening)

    def __enter__(self) -> Span:
        record = self._entered.__enter__()
        return record.span if record is not None else INVALID_SPAN

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None and self._asked is not None:
            self._asked.entered = self._entered
        else:
            self._entered.__exit__(kind, error, traceback)


def _inside(name: Any) -> bool:
    record = current()
    return record is not None and record.layer == n.TOOL and record.name == name and not record.closed


def _of_tool(ledger: Ledger, tool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opening:
    call_id = kwargs.get("call_id", args[2] if len(args) > 2 else None)
    token = kwargs.get("cancellation_token", args[1] if len(args) > 1 else None)
    opening = _opening(tool.name, call_id, token, getattr(tool, "description", None))
    asked = args[0] if args else kwargs.get("args")
    return opening._replace(content=_LastItem(arguments=asked)) if ledger.captures else opening


def _opening(name: str, call_id: str | None, token: Any = None, description: str | None = None) -> Opening:
    attributes: tuple[tuple[str, Any], ...] = (
        (n.GEN_AI_OPERATION, "execute_tool"),
        (n.GEN_AI_TOOL_NAME, name),
        (n.GEN_AI_TOOL_TYPE, "function"),
    )
    for key, value in ((n.GEN_AI_TOOL_DESCRIPTION, description), (n.GEN_AI_TOOL_CALL_ID, call_id)):
        if value:
            attributes += ((key, value),)
    return Opening(n.TOOL, name, token=weakly(token), span_name=f"execute_tool {name}", attributes=attributes)
