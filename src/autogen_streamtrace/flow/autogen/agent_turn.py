"""Layer ``agent``: one turn of an agent, whichever of its four methods starts it."""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core import tap
from autogen_streamtrace.core.evidence import content, end_users
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.stream.scope import current
from autogen_streamtrace.core.stream.state import StreamInfo, weakly
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.neighbours import autogen


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches every ``ChatAgent`` of ``autogen_agentchat.base``."""
    agent = module.ChatAgent
    patcher.family(agent, "run_stream", lambda original: _streamed(tracker, original, module.TaskResult))
    patcher.family(agent, "on_messages_stream", lambda original: _streamed(tracker, original, module.Response))
    patcher.family(agent, "run", lambda original: _awaited(tracker, original))
    patcher.family(agent, "on_messages", lambda original: _awaited(tracker, original))


def hear_end_users(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Knows the agent of ``autogen_agentchat.agents`` that asks the end user."""
    end_users.inputs.add(module.UserProxyAgent.__module__)


def replace_span(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Replaces AutoGen's own ``invoke_agent`` span, which would double ours."""
    patcher.attribute(module, autogen.AGENT_SPAN.attribute, lambda original: tap.no_span)


def replace_span_in_team(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """The same where a team calls its agents."""
    patcher.attribute(module, autogen.TEAM_AGENT_SPAN.attribute, lambda original: tap.no_span)


def _streamed(tracker: StreamTracker, original: Callable[..., Any], terminal: type) -> Callable[..., Any]:
    @functools.wraps(original)
    def stream(self: Any, *args: Any, **kwargs: Any) -> Any:
        source = original(self, *args, **kwargs)
        if _inside(self):
            return source
        return tap.watched(tracker, source, lambda: _info(tracker, self, args, kwargs), terminal)

    return stream


def _awaited(tracker: StreamTracker, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _inside(self):
            return await original(self, *args, **kwargs)
        info = tap.opened(lambda: _info(tracker, self, args, kwargs))
        return await tap.call(tracker, info, lambda: original(self, *args, **kwargs))

    return call


def _inside(agent: Any) -> bool:
    """Whether the agent calls its own method, which is the same turn."""
    state = current()
    return state is not None and state.info.subject == id(agent) and not state.closed


def _info(tracker: StreamTracker, agent: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> StreamInfo:
    name = str(getattr(agent, "name", type(agent).__name__))
    span_name, attributes = _span_of(
        name,
        _text(getattr(agent, "description", None)),
        _text(getattr(autogen.THREAD.of(agent), "id", None)),
    )
    task = args[0] if args else kwargs.get("task", kwargs.get("messages"))
    return StreamInfo(
        sc.AGENT,
        name,
        subject=id(agent),
        token=weakly(kwargs.get("cancellation_token", args[1] if len(args) > 1 else None)),
        span_name=span_name,
        framework=autogen.FRAMEWORK,
        attributes=attributes,
        content=content.of_task(task) if tracker.captures else None,
    )


@functools.lru_cache(maxsize=256)
def _span_of(name: str, description: str, conversation: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The span's name and attributes. They are the same objects for every turn of an agent."""
    attributes = [(sc.GEN_AI_OPERATION, "invoke_agent"), (sc.GEN_AI_AGENT_NAME, name)]
    for key, value in ((sc.GEN_AI_AGENT_DESCRIPTION, description), (sc.GEN_AI_CONVERSATION_ID, conversation)):
        if value:
            attributes.append((key, value))
    return f"invoke_agent {name}", tuple(attributes)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
