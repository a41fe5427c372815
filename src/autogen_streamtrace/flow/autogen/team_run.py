"""Layer ``team``: a team's ``run_stream``, and how its agents find it across AutoGen's runtime."""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core import tap
from autogen_streamtrace.core.evidence import content
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.stream import scope
from autogen_streamtrace.core.stream.state import StreamInfo, weakly
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.neighbours import autogen


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches every ``Team`` of ``autogen_agentchat.base``."""

    def streamed(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def run_stream(self: Any, *args: Any, **kwargs: Any) -> Any:
            source = original(self, *args, **kwargs)
            state = scope.current()
            if state is not None and state.info.subject == id(self) and not state.closed:
                return source
            return tap.watched(tracker, source, lambda: _info(tracker, self, kwargs), module.TaskResult)

        return run_stream

    patcher.family(module.Team, "run_stream", streamed)


def carry(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Makes a team's stream current where its agents, each a ``RoutedAgent`` of ``autogen_core``, handle a message.

    They do so in tasks of AutoGen's runtime, which may be older than the team's run. The key in the agents' ids leads
    back to the team.
    """

    def carried(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def on_message_impl(self: Any, message: Any, ctx: Any) -> Any:
            team = tracker.keyed(self.id.key)
            if team is None or team is scope.current():
                return await original(self, message, ctx)
            base = scope.get()
            inside = scope.within(team, base)
            scope.switch(inside)
            try:
                return await original(self, message, ctx)
            finally:
                scope.leave(inside, base)

        return on_message_impl

    patcher.attribute(module.RoutedAgent, "on_message_impl", carried)


def _info(tracker: StreamTracker, team: Any, kwargs: dict[str, Any]) -> StreamInfo:
    name = str(getattr(team, "name", type(team).__name__))
    return StreamInfo(
        sc.TEAM,
        name,
        subject=id(team),
        token=weakly(kwargs.get("cancellation_token")),
        span_name=f"invoke_workflow {name}",
        framework=autogen.FRAMEWORK,
        attributes=((sc.GEN_AI_OPERATION, "invoke_workflow"), (sc.GEN_AI_WORKFLOW_NAME, name)),
        content=content.of_task(kwargs.get("task")) if tracker.captures else None,
        key=autogen.TEAM_ID.of(team, ""),
    )
