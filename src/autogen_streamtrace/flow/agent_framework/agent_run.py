"""Layer ``agent``: one turn of an agent, streamed or awaited."""

import functools
from types import ModuleType
from typing import Any

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.stream.state import StreamInfo
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.flow.agent_framework import contents
from autogen_streamtrace.flow.agent_framework.calls import name_of, watched
from autogen_streamtrace.neighbours import agent_framework


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches every ``BaseAgent`` of ``agent_framework._agents``."""

    def describe(agent: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> StreamInfo:
        name, description = name_of(agent), getattr(agent, "description", None)
        span_name, attributes = _said(name, description if isinstance(description, str) else "")
        said = args[0] if args else kwargs.get("messages")
        return StreamInfo(
            sc.AGENT,
            name,
            subject=id(agent),
            span_name=span_name,
            framework=agent_framework.FRAMEWORK,
            attributes=attributes,
            streamed=bool(kwargs.get("stream")),
            content=contents.of_input(said) if tracker.captures else None,
        )

    patcher.family(agent_framework.AGENTS.need(module), "run", watched(tracker, sc.AGENT, describe))


@functools.lru_cache(maxsize=256)
def _said(name: str, description: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The span's name and attributes. They are the same objects for every turn of an agent."""
    attributes = ((sc.GEN_AI_OPERATION, "invoke_agent"), (sc.GEN_AI_AGENT_NAME, name))
    described = ((sc.GEN_AI_AGENT_DESCRIPTION, description),) if description else ()
    return f"invoke_agent {name}", attributes + described
