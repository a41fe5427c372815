"""Layer ``team``: the run of a workflow, of a graph or of a function."""

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
    """Watches every ``Workflow`` of ``agent_framework._workflows._workflow``."""
    _apply(agent_framework.WORKFLOWS.need(module), patcher, tracker)


def apply_functional(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches every ``FunctionalWorkflow`` of ``agent_framework._workflows._functional``."""
    _apply(agent_framework.FUNCTIONAL.need(module), patcher, tracker)


def _apply(workflow: type, patcher: Patcher, tracker: StreamTracker) -> None:
    def describe(subject: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> StreamInfo:
        name = name_of(subject)
        said = args[0] if args else kwargs.get("message")
        return StreamInfo(
            sc.TEAM,
            name,
            subject=id(subject),
            span_name=f"invoke_workflow {name}",
            framework=agent_framework.FRAMEWORK,
            attributes=((sc.GEN_AI_OPERATION, "invoke_workflow"), (sc.GEN_AI_WORKFLOW_NAME, name)),
            streamed=bool(kwargs.get("stream")),
            content=contents.of_input(said) if tracker.captures else None,
        )

    patcher.family(workflow, "run", watched(tracker, sc.TEAM, describe))
