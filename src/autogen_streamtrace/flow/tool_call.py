"""Layer ``tool``: a tool call, streaming or not.

A call goes through a workbench and the tool's ``run_json``, and either may be the first to hear of it. Whoever is,
has the record; the others belong to the same call, and tell it what the workbench turns into a text.
"""

import functools
import json
from collections.abc import Callable
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Final

from ..core import causes, tap
from ..core import names as n
from ..core.contain import contained
from ..core.content import Content
from ..core.ledger import Ledger
from ..core.patcher import Patcher
from ..core.record import Opening, Record, weakly
from ..core.scope import current

Describe = Callable[[Any, tuple[Any, ...], dict[str, Any]], Opening]

_begun: Final[ContextVar[list[str] | None]] = ContextVar("autogen_streamtrace_begun", default=None)
"""Names of the tool calls that began under an ``AssistantAgent``'s call of one."""


def apply(module: ModuleType, patcher: Patcher, ledger: Ledger) -> None:
    """Watches every tool and every workbench of ``autogen_core.tools``."""
    result = module.ToolResult

    def note(record: Record, item: Any) -> None:
        if isinstance(item, result):
            _note(record, item)

    def of_tool(tool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opening:
        return _given(ledger, _of_tool(tool, args, kwargs), args[0] if args else kwargs.get("args"))

    def of_workbench(workbench: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opening:
        given = args[1] if len(args) > 1 else kwargs.get("arguments")
        return _given(ledger, _of_workbench(workbench, args, kwargs), given)

    patcher.family(module.BaseTool, "run_json", lambda original: _awaited(ledger, original, of_tool))
    patcher.family(module.BaseTool, "run_json_stream", lambda original: _streamed(ledger, original, of_tool))
    patcher.family(module.Workbench, "call_tool", lambda original: _awaited(ledger, original, of_workbench, note))
    patcher.family(
        module.Workbench,
        "call_tool_stream",
        lambda original: _streamed(ledger, original, of_workbench, result, note),
    )
    patcher.attribute(module.StaticWorkbench, "_format_errors", _overheard)


def mcp(module: ModuleType, patcher: Patcher, ledger: Ledger) -> None:
    """Hears of the exceptions that ``McpWorkbench`` turns into a text."""
    patcher.attribute(module.McpWorkbench, "_format_errors", _overheard)


def replace_span(module: ModuleType, patcher: Patcher, ledger: Ledger) -> None:
    """Replaces AutoGen's own ``execute_tool`` span, which would double ours."""
    patcher.attribute(module, "trace_tool_span", lambda original: tap.no_span)


def refused(module: ModuleType, patcher: Patcher, ledger: Ledger) -> None:
    """Watches the calls of an ``AssistantAgent`` that reach no tool: an unknown name, arguments that are no JSON."""

    def watched(original: Any) -> Any:
        function = original.__func__

        @functools.wraps(function)
        async def _execute_tool_call(*args: Any, **kwargs: Any) -> Any:
            begun, before = list[str](), _begun.get()
            _begun.set(begun)
            answer = await function(*args, **kwargs)
            _begun.set(before)  # else nobody looks, and a dropped task is closed in a context that is not its own
            if not begun:
                with contained("reading a refused tool call"):
                    _refused(ledger, *answer)
            return answer

        return staticmethod(_execute_tool_call)

    patcher.attribute(module.AssistantAgent, "_execute_tool_call", watched)


def _awaited(
    ledger: Ledger, original: Callable[..., Any], describe: Describe, note: tap.Note | None = None
) -> Callable[..., Any]:
    @functools.wraps(original)
    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        opening = tap.opened(lambda: describe(self, args, kwargs))
        outer = _outer(opening)
        if outer is None:
            _begin(opening)
            return await tap.call(ledger, opening, lambda: original(self, *args, **kwargs), note)
        try:
            return await original(self, *args, **kwargs)
        except Exception as error:
            _overhear(outer, error)
            raise

    return call


def _streamed(
    ledger: Ledger,
    original: Callable[..., Any],
    describe: Describe,
    terminal: type | tuple[type, ...] = (),
    note: tap.Note | None = None,
) -> Callable[..., Any]:
    @functools.wraps(original)
    def stream(self: Any, *args: Any, **kwargs: Any) -> Any:
        source = original(self, *args, **kwargs)
        opening = tap.opened(lambda: describe(self, args, kwargs))
        if opening is None or _outer(opening) is not None:
            return source
        _begin(opening)
        return tap.watched(ledger, source, lambda: opening, terminal, note)

    return stream


def _outer(opening: Opening | None) -> Record | None:
    """The record of this same call, where it began further out: a workbench's, or that of a tool of the same name."""
    record = current()
    if opening is None or record is None or record.closed:
        return None
    return record if record.layer == n.TOOL and record.name == opening.name else None


def _begin(opening: Opening | None) -> None:
    begun = _begun.get()
    if begun is not None and opening is not None:
        begun.append(opening.name)


def _overheard(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def _format_errors(self: Any, error: Exception) -> Any:
        record = current()
        if record is not None and record.layer == n.TOOL:
            _overhear(record, error)
        return original(self, error)

    return _format_errors


def _overhear(record: Record, error: Exception) -> None:
    with contained("reading a tool's exception"):
        record.failure = causes.read(error)
        if record.content is not None:
            record.content.error = str(error)


def _note(record: Record, result: Any) -> None:
    """A result says itself whether it is an error, whatever was raised on the way to it."""
    if result.is_error:
        record.terminal = False
        record.failure = record.failure or causes.UNNAMED
    else:
        record.failure = None


def _refused(ledger: Ledger, call: Any, result: Any) -> None:
    if not result.is_error:
        return
    with tap.Entered(ledger, _opening(call.name, call.id)) as record:
        if record is not None:
            record.failure = _not_json(call.arguments) or causes.UNNAMED


def _not_json(arguments: str) -> causes.Cause | None:
    try:
        json.loads(arguments)
    except ValueError as error:
        return causes.read(error)
    return None


class _Call(Content):
    """What a tool is given; its last item, or what it returns, is its result."""

    __slots__ = ()

    def add(self, item: Any) -> None:
        self.result = item


def _given(ledger: Ledger, opening: Opening, arguments: Any) -> Opening:
    return opening._replace(content=_Call(arguments=arguments)) if ledger.captures else opening


def _of_tool(tool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opening:
    call_id = kwargs.get("call_id", args[2] if len(args) > 2 else None)
    token = kwargs.get("cancellation_token", args[1] if len(args) > 1 else None)
    return _opening(tool.name, call_id, token, getattr(tool, "description", None))


def _of_workbench(workbench: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opening:
    """Named after the tool itself, whatever the workbench calls it."""
    called = kwargs.get("name", args[0] if args else "")
    name = getattr(workbench, "_override_name_to_original", {}).get(called, called)
    call_id = kwargs.get("call_id", args[3] if len(args) > 3 else None)
    token = kwargs.get("cancellation_token", args[2] if len(args) > 2 else None)
    return _opening(name, call_id, token, _description(getattr(workbench, "_tools", None), name))


def _description(tools: Any, name: str) -> str | None:
    """Of the tool of that name among a ``StaticWorkbench``'s; another workbench may keep anything in ``tools``."""
    known = tools if isinstance(tools, list) else ()
    return next((getattr(tool, "description", None) for tool in known if getattr(tool, "name", None) == name), None)


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
