"""Layer ``tool``: a tool call, streaming or not.

A call goes through a workbench and the tool's ``run_json``. Whichever of them is called first opens the stream. The
others belong to the same call, and note in it the exceptions that the workbench turns into text.
"""

import functools
import json
from collections.abc import Callable
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core import tap
from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.evidence import causes
from autogen_streamtrace.core.evidence.content import Content
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.stream.scope import current
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState, weakly
from autogen_streamtrace.core.stream.tools import tool_info
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.neighbours import autogen

Describe = Callable[[Any, tuple[Any, ...], dict[str, Any]], StreamInfo]

_begun: Final[ContextVar[list[str] | None]] = ContextVar("autogen_streamtrace_begun", default=None)
"""Names of the tools called so far while an ``AssistantAgent`` calls one."""


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches every tool and every workbench of ``autogen_core.tools``."""
    result = module.ToolResult

    def note(state: StreamState, item: Any) -> None:
        if isinstance(item, result):
            _note(state, item)

    def of_tool(tool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> StreamInfo:
        return _given(tracker, _of_tool(tool, args, kwargs), args[0] if args else kwargs.get("args"))

    def of_workbench(workbench: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> StreamInfo:
        given = args[1] if len(args) > 1 else kwargs.get("arguments")
        return _given(tracker, _of_workbench(workbench, args, kwargs), given)

    patcher.family(module.BaseTool, "run_json", lambda original: _awaited(tracker, original, of_tool))
    patcher.family(module.BaseTool, "run_json_stream", lambda original: _streamed(tracker, original, of_tool))
    patcher.family(module.Workbench, "call_tool", lambda original: _awaited(tracker, original, of_workbench, note))
    patcher.family(
        module.Workbench,
        "call_tool_stream",
        lambda original: _streamed(tracker, original, of_workbench, result, note),
    )


def overhear(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Notes the exceptions that ``StaticWorkbench`` of ``autogen_core.tools`` turns into text."""
    patcher.attribute(module.StaticWorkbench, autogen.STATIC_ERRORS.attribute, _overheard)


def overhear_mcp(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """The same for ``McpWorkbench`` of ``autogen_ext.tools.mcp``."""
    patcher.attribute(module.McpWorkbench, autogen.MCP_ERRORS.attribute, _overheard)


def replace_span(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Replaces AutoGen's own ``execute_tool`` span, which would double ours."""
    patcher.attribute(module, autogen.TOOL_SPAN.attribute, lambda original: tap.no_span)


def replace_mcp_span(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """The same where an MCP workbench calls its tools."""
    patcher.attribute(module, autogen.MCP_SPAN.attribute, lambda original: tap.no_span)


def refused(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches the calls of an ``AssistantAgent`` that reach no tool: an unknown name, or arguments that are no JSON."""

    def watched(original: Any) -> Any:
        function = original.__func__

        @functools.wraps(function)
        async def _execute_tool_call(*args: Any, **kwargs: Any) -> Any:
            begun, before = list[str](), _begun.get()
            _begun.set(begun)
            answer = await function(*args, **kwargs)
            _begun.set(before)  # not in a ``finally``: a dropped task is closed in a foreign context
            if not begun:
                with contained("reading a refused tool call"):
                    _refused(tracker, *answer)
            return answer

        return staticmethod(_execute_tool_call)

    patcher.attribute(module.AssistantAgent, autogen.TOOL_CALL.attribute, watched)


def _awaited(
    tracker: StreamTracker, original: Callable[..., Any], describe: Describe, note: tap.Note | None = None
) -> Callable[..., Any]:
    @functools.wraps(original)
    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        info = tap.opened(lambda: describe(self, args, kwargs))
        outer = _outer(info)
        if outer is None:
            _begin(info)
            return await tap.call(tracker, info, lambda: original(self, *args, **kwargs), note)
        try:
            return await original(self, *args, **kwargs)
        except Exception as error:
            _overhear(outer, error)
            raise

    return call


def _streamed(
    tracker: StreamTracker,
    original: Callable[..., Any],
    describe: Describe,
    terminal: type | tuple[type, ...] = (),
    note: tap.Note | None = None,
) -> Callable[..., Any]:
    @functools.wraps(original)
    def stream(self: Any, *args: Any, **kwargs: Any) -> Any:
        source = original(self, *args, **kwargs)
        info = tap.opened(lambda: describe(self, args, kwargs))
        if info is None or _outer(info) is not None:
            return source
        _begin(info)
        return tap.watched(tracker, source, lambda: info, terminal, note)

    return stream


def _outer(info: StreamInfo | None) -> StreamState | None:
    """The stream of this same call, where a workbench or a tool of the same name has opened it."""
    state = current()
    if info is None or state is None or state.closed:
        return None
    return state if state.layer == sc.TOOL and state.name == info.name else None


def _begin(info: StreamInfo | None) -> None:
    begun = _begun.get()
    if begun is not None and info is not None:
        begun.append(info.name)


def _overheard(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def _format_errors(self: Any, error: Exception) -> Any:
        state = current()
        if state is not None and state.layer == sc.TOOL:
            _overhear(state, error)
        return original(self, error)

    return _format_errors


def _overhear(state: StreamState, error: Exception) -> None:
    with contained("reading a tool's exception"):
        state.failure = causes.read(error)
        if state.content is not None:
            state.content.error = str(error)


def _note(state: StreamState, result: Any) -> None:
    """Notes whether a result says that it is an error, whatever was raised before."""
    if result.is_error:
        state.terminal = False
        state.failure = state.failure or causes.UNNAMED
    else:
        state.failure = None


def _refused(tracker: StreamTracker, call: Any, result: Any) -> None:
    if not result.is_error:
        return
    with tap.Entered(tracker, tool_info(call.name, autogen.FRAMEWORK, call.id)) as state:
        if state is not None:
            state.failure = _not_json(call.arguments) or causes.UNNAMED


def _not_json(arguments: str) -> causes.Cause | None:
    try:
        json.loads(arguments)
    except ValueError as error:
        return causes.read(error)
    return None


class _Call(Content):
    """A call's arguments, as contents. The last item, or the returned value, is its result."""

    __slots__ = ()

    def add(self, item: Any) -> None:
        self.result = item


def _given(tracker: StreamTracker, info: StreamInfo, arguments: Any) -> StreamInfo:
    return info._replace(content=_Call(arguments=arguments)) if tracker.captures else info


def _of_tool(tool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> StreamInfo:
    call_id = kwargs.get("call_id", args[2] if len(args) > 2 else None)
    token = kwargs.get("cancellation_token", args[1] if len(args) > 1 else None)
    return tool_info(tool.name, autogen.FRAMEWORK, call_id, getattr(tool, "description", None), weakly(token))


def _of_workbench(workbench: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> StreamInfo:
    """A call's ``info``, named after the tool itself, whatever the workbench calls it."""
    called = kwargs.get("name", args[0] if args else "")
    name = autogen.ORIGINAL_NAMES.of(workbench, {}).get(called, called)
    call_id = kwargs.get("call_id", args[3] if len(args) > 3 else None)
    token = kwargs.get("cancellation_token", args[2] if len(args) > 2 else None)
    return tool_info(name, autogen.FRAMEWORK, call_id, _description(autogen.TOOLS.of(workbench), name), weakly(token))


def _description(tools: Any, name: str) -> str | None:
    """The description of the tool of that name. Only a ``StaticWorkbench`` is known to have tools in ``tools``."""
    known = tools if isinstance(tools, list) else ()
    return next((getattr(tool, "description", None) for tool in known if getattr(tool, "name", None) == name), None)
