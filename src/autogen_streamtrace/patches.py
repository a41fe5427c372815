"""The table of patches: which module, once it is imported, is given to whom."""

import importlib.util
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Final

import wrapt

from autogen_streamtrace.core.errors import report
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.flow import (
    agent_turn,
    deadline,
    http_exchange,
    model_stream,
    server_response,
    server_shutdown,
    team_run,
    tool_call,
)

logger = logging.getLogger("autogen_streamtrace")

Apply = Callable[[ModuleType, Patcher, StreamTracker], None]


@dataclass(frozen=True)
class Patch:
    """``apply`` is called with ``module`` as soon as that is imported."""

    module: str
    apply: Apply


TABLE: Final = (
    Patch("httpx", http_exchange.apply),
    Patch("httpx2", http_exchange.apply),
    Patch("autogen_core.models", model_stream.apply),
    Patch("autogen_core.tools", tool_call.apply),
    Patch("autogen_core.tools._base", tool_call.replace_span),
    Patch("autogen_ext.tools.mcp._workbench", tool_call.replace_span),
    Patch("autogen_ext.tools.mcp._workbench", tool_call.mcp),
    Patch("autogen_agentchat.agents._assistant_agent", tool_call.refused),
    Patch("autogen_agentchat.base", agent_turn.apply),
    Patch("autogen_agentchat.agents._base_chat_agent", agent_turn.replace_span),
    Patch("autogen_agentchat.teams._group_chat._chat_agent_container", agent_turn.replace_span),
    Patch("autogen_agentchat.base", team_run.apply),
    Patch("autogen_agentchat.teams._group_chat._sequential_routed_agent", team_run.carry),
    Patch("asyncio.timeouts", deadline.apply),
    Patch("asyncio.tasks", deadline.apply_wait_for),
    Patch("starlette.applications", server_response.apply),
    Patch("uvicorn.server", server_shutdown.apply),
    Patch("gunicorn.workers.base", server_shutdown.apply_worker),
    Patch("gunicorn.workers.gasgi", server_shutdown.apply_gunicorn),
)


class Patches:
    """The table, applied as its modules come; undone as a whole."""

    def __init__(self, tracker: StreamTracker) -> None:
        self._tracker = tracker
        self._patcher = Patcher()
        self._active = True
        for patch in TABLE:
            package = patch.module.partition(".")[0]
            if package not in sys.modules and importlib.util.find_spec(package) is None:
                logger.debug("%s is not installed; nothing to watch there", package)
            else:
                wrapt.register_post_import_hook(self._when_imported(patch), patch.module)

    def undo(self) -> None:
        """Puts every original back; modules that are imported later stay as they are."""
        self._active = False
        self._patcher.undo()

    def _when_imported(self, patch: Patch) -> Callable[[ModuleType], None]:
        def imported(module: ModuleType) -> None:
            if not self._active:
                return
            mark = self._patcher.mark
            try:
                patch.apply(module, self._patcher, self._tracker)
            except Exception as error:
                self._patcher.undo(mark)
                report(f"patching {patch.module}", error)

        return imported
