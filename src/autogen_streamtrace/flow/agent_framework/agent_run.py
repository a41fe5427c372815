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
        description = getattr(agent, "description", None)
        known = _known(
            name_of(agent), description if isinstance(description, str) else "", bool(kwargs.get("stream")), id(agent)
        )
        if not tracker.captures:
            return known
        return known._replace(content=contents.of_input(args[0] if args else kwargs.get("messages")))

    patcher.family(agent_framework.AGENTS.need(module), "run", watched(tracker, sc.AGENT, describe))


@functools.lru_cache(maxsize=256)
def _known(name: str, description: str, streamed: bool, subject: int) -> StreamInfo:
    """One for all turns of an agent."""
    attributes = ((sc.GEN_AI_OPERATION, "invoke_agent"), (sc.GEN_AI_AGENT_NAME, name))
    described = ((sc.GEN_AI_AGENT_DESCRIPTION, description),) if description else ()
    return StreamInfo(
        sc.AGENT,
        name,
        subject=subject,
        span_name=f"invoke_agent {name}",
        framework=agent_framework.FRAMEWORK,
        attributes=attributes + described,
        streamed=streamed,
    )
