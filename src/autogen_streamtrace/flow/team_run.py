"""Layer ``team``: a team's ``run_stream``, and the way from it to its agents across AutoGen's runtime."""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..core import content, scope, tap
from ..core import names as n
from ..core.ledger import Ledger
from ..core.patcher import Patcher
from ..core.record import Opening, weakly


def apply(module: ModuleType, patcher: Patcher, ledger: Ledger) -> None:
    """Watches every ``Team`` of ``autogen_agentchat.base``."""

    def streamed(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def run_stream(self: Any, *args: Any, **kwargs: Any) -> Any:
            source = original(self, *args, **kwargs)
            record = scope.current()
            if record is not None and record.opening.subject == id(self) and not record.closed:
                return source
            return tap.watched(ledger, source, lambda: _opening(ledger, self, kwargs), module.TaskResult)

        return run_stream

    patcher.family(module.Team, "run_stream", streamed)


def carry(module: ModuleType, patcher: Patcher, ledger: Ledger) -> None:
    """Makes a team's record current where its agents handle a message.

    They do so in tasks of AutoGen's runtime, which may be older than the team's run. What leads back to the team
    is the key of its agents' ids.
    """

    def carried(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def on_message_impl(self: Any, message: Any, ctx: Any) -> Any:
            team = ledger.keyed(self.id.key)
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

    patcher.attribute(module.SequentialRoutedAgent, "on_message_impl", carried)


def _opening(ledger: Ledger, team: Any, kwargs: dict[str, Any]) -> Opening:
    name = str(getattr(team, "name", type(team).__name__))
    return Opening(
        n.TEAM,
        name,
        subject=id(team),
        token=weakly(kwargs.get("cancellation_token")),
        span_name=f"invoke_workflow {name}",
        attributes=((n.GEN_AI_OPERATION, "invoke_workflow"), (n.GEN_AI_WORKFLOW_NAME, name)),
        content=content.of_task(kwargs.get("task")) if ledger.captures else None,
        key=getattr(team, "_team_id", ""),
    )
