"""Layer ``tool``: a tool call, streaming or not, where the tool itself runs."""

import contextlib
import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from opentelemetry.trace import INVALID_SPAN, Span

from ..core import names as n
from ..core import tap
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
            return _Call(ledger, _opening(tool_name, kwargs.get("tool_call_id")))

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
            return tap.watched(ledger, source, lambda: _of_tool(self, args, kwargs))

        return run_json_stream

    patcher.family(module.BaseStreamTool, "run_json_stream", streamed)


class _Call(contextlib.AbstractContextManager[Span]):
    """A tool's record in the shape of AutoGen's context manager."""

    def __init__(self, ledger: Ledger, opening: Opening) -> None:
        self._entered = tap.Entered(ledger, opening)

    def __enter__(self) -> Span:
        record = self._entered.__enter__()
        return record.span if record is not None else INVALID_SPAN

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._entered.__exit__(kind, error, traceback)


def _inside(name: Any) -> bool:
    record = current()
    return record is not None and record.layer == n.TOOL and record.name == name and not record.closed


def _of_tool(tool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opening:
    call_id = kwargs.get("call_id", args[2] if len(args) > 2 else None)
    token = kwargs.get("cancellation_token", args[1] if len(args) > 1 else None)
    return _opening(tool.name, call_id, token)


def _opening(name: str, call_id: str | None, token: Any = None) -> Opening:
    attributes: tuple[tuple[str, Any], ...] = ((n.GEN_AI_OPERATION, "execute_tool"), (n.GEN_AI_TOOL_NAME, name))
    if call_id:
        attributes += ((n.GEN_AI_TOOL_CALL_ID, call_id),)
    return Opening(n.TOOL, name, token=weakly(token), span_name=f"execute_tool {name}", attributes=attributes)
