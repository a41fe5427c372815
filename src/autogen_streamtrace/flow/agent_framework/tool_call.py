"""Layer ``tool``: a call of a function tool. An MCP server's tool, and an agent as a tool, are called through one."""

import functools
from collections.abc import Callable
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Final

from autogen_streamtrace.core import tap
from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.evidence import causes
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.stream.scope import enclosing
from autogen_streamtrace.core.stream.state import StreamInfo, clock
from autogen_streamtrace.core.stream.tools import tool_info
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.flow.agent_framework import contents
from autogen_streamtrace.neighbours import agent_framework

_NO_FAILURES: Final = ("MiddlewareTermination", "UserInputRequiredException")
"""What a tool raises to end the turn, or to ask the user."""


_raised: Final[ContextVar[list[bool] | None]] = ContextVar("autogen_streamtrace_raised", default=None)
"""An item for each tool that raised, while a function middleware runs."""


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches every ``FunctionTool`` of ``agent_framework._tools``."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def invoke(self: Any, *args: Any, **kwargs: Any) -> Any:
            known = tap.opened(lambda: _of_tool(self, kwargs, captures=tracker.captures))
            if known is None:
                return await original(self, *args, **kwargs)
            with tap.Entered(tracker, known) as state:
                try:
                    result = await original(self, *args, **kwargs)
                except BaseException as error:
                    if state is not None and _is_no_failure(error):
                        tracker.end(state, "returned")
                    if (raised := _raised.get()) is not None:
                        raised.append(True)
                    raise
                if state is not None and state.content is not None:
                    state.content.result = result
                return result

        return invoke

    patcher.family(agent_framework.TOOLS.need(module), "invoke", make)


def refused(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches the calls that name no tool of the agent's."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def _auto_invoke_function(*args: Any, **kwargs: Any) -> Any:
            answer = await original(*args, **kwargs)
            with contained("reading a refused tool call"):
                call: Any = kwargs.get("function_call_content")
                if getattr(call, "type", "") == "function_call" and call.name not in kwargs["tool_map"]:
                    with tap.Entered(tracker, tool_info(call.name, agent_framework.FRAMEWORK, call.call_id)) as state:
                        if state is not None:
                            state.failure = causes.UNNAMED
            return answer

        return _auto_invoke_function

    patcher.attribute(module, agent_framework.REFUSED_CALL.attribute, make)


def failed_outside(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches the calls that fail outside of their tool: in a function middleware, before the tool or after it."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def execute(self: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
            start, raised = clock(), list[bool]()
            token = _raised.set(raised)
            try:
                return await original(self, context, *args, **kwargs)
            except Exception as error:
                if not raised and not _is_no_failure(error):
                    with contained("reading a failed middleware"):
                        given = {"tool_call_id": context.metadata.get("call_id"), "context": context}
                        info = _of_tool(context.function, given, captures=tracker.captures)
                        if (state := tracker.begin(info, enclosing, start)) is not None:
                            tracker.end(state, "raised", error)
                raise
            finally:
                _raised.reset(token)

        return execute

    patcher.attribute(agent_framework.MIDDLEWARE.need(module), "execute", make)


def _is_no_failure(error: BaseException) -> bool:
    return any(
        cls.__name__ in _NO_FAILURES and cls.__module__.startswith("agent_framework") for cls in type(error).__mro__
    )


def _of_tool(tool: Any, kwargs: dict[str, Any], *, captures: bool) -> StreamInfo:
    call_id, description = kwargs.get("tool_call_id"), getattr(tool, "description", None)
    known = tool_info(tool.name, agent_framework.FRAMEWORK, call_id, description)._replace(subject=id(tool))
    return known._replace(content=contents.Result(arguments=contents.arguments(kwargs))) if captures else known
