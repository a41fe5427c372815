"""The table of patches: which function patches which module, once that is imported."""

import functools
import importlib.util
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from autogen_streamtrace.core.errors import report
from autogen_streamtrace.core.imports import when_imported
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.flow.agent_framework import agent_run, model_reply, own_spans, workflow_run
from autogen_streamtrace.flow.agent_framework import tool_call as function_tool_call
from autogen_streamtrace.flow.asgi import response, shutdown
from autogen_streamtrace.flow.autogen import agent_turn, model_stream, team_run, tool_call
from autogen_streamtrace.flow.http import exchange, official_headers, official_urls
from autogen_streamtrace.flow.python import deadline
from autogen_streamtrace.flow.sdks import genai, ollama, stainless
from autogen_streamtrace.neighbours import Private, autogen, opentelemetry, python, sdks, servers
from autogen_streamtrace.neighbours import agent_framework as af

logger = logging.getLogger(__name__)

Apply = Callable[[ModuleType, Patcher, StreamTracker], None]


@dataclass(frozen=True)
class Patch:
    """``apply`` is called with ``module`` as soon as that is imported.

    ``private`` is the private name that a row needs; it says what is lost without it. Where the module is private too,
    ``importer`` is the public module that imports it.
    """

    module: str
    apply: Apply
    private: Private | None = None
    importer: str = ""


_GENERATED_SDKS: Final = ("openai", "anthropic", "groq")


def _of_agent_framework(apply: Apply, private: Private) -> Patch:
    """A row for Agent Framework, which loads a module when something in it is first used."""
    return Patch(private.owner, apply, private, "agent_framework")


TABLE: Final = (
    Patch("httpx", exchange.apply),
    Patch("httpx2", exchange.apply),
    Patch(opentelemetry.NORMALIZE_HEADERS.owner, official_headers.apply, opentelemetry.NORMALIZE_HEADERS),
    Patch(opentelemetry.EXTRACT_PARAMETERS.owner, official_urls.apply, opentelemetry.EXTRACT_PARAMETERS),
    *(Patch(sdk, stainless.apply, sdks.asynchronous(sdk)) for sdk in _GENERATED_SDKS),
    *(Patch(sdk, stainless.apply_synchronous, sdks.synchronous(sdk)) for sdk in _GENERATED_SDKS),
    *(Patch(sdk, stainless.apply_parsed, sdks.parsed(sdk)) for sdk in _GENERATED_SDKS),
    Patch("ollama", ollama.apply, sdks.OLLAMA_REQUEST),
    Patch("google.genai.models", genai.apply, sdks.GENAI_STREAM),
    Patch("google.genai.models", genai.apply_unstreamed, sdks.GENAI_REPLY),
    Patch("autogen_core.models", model_stream.apply),
    Patch("autogen_core.tools", tool_call.apply),
    Patch("autogen_core.tools", tool_call.overhear, autogen.STATIC_ERRORS),
    Patch(autogen.TOOL_SPAN.owner, tool_call.replace_span, autogen.TOOL_SPAN, "autogen_core.tools"),
    Patch("autogen_ext.tools.mcp", tool_call.overhear_mcp, autogen.MCP_ERRORS),
    Patch(autogen.MCP_SPAN.owner, tool_call.replace_mcp_span, autogen.MCP_SPAN, "autogen_ext.tools.mcp"),
    Patch("autogen_agentchat.agents", tool_call.refused, autogen.TOOL_CALL),
    Patch("autogen_agentchat.base", agent_turn.apply),
    Patch("autogen_agentchat.agents", agent_turn.hear_end_users),
    Patch(autogen.AGENT_SPAN.owner, agent_turn.replace_span, autogen.AGENT_SPAN, "autogen_agentchat.agents"),
    Patch(
        autogen.TEAM_AGENT_SPAN.owner,
        agent_turn.replace_span_in_team,
        autogen.TEAM_AGENT_SPAN,
        "autogen_agentchat.teams",
    ),
    Patch("autogen_agentchat.base", team_run.apply),
    Patch("autogen_core", team_run.carry),
    Patch("agent_framework.exceptions", model_reply.know_wrappers),
    _of_agent_framework(agent_run.apply, af.AGENTS),
    _of_agent_framework(model_reply.apply, af.CLIENTS),
    _of_agent_framework(model_reply.apply_raw, af.RAW_CLIENTS),
    _of_agent_framework(function_tool_call.apply, af.TOOLS),
    _of_agent_framework(function_tool_call.refused, af.REFUSED_CALL),
    _of_agent_framework(function_tool_call.failed_outside, af.MIDDLEWARE),
    _of_agent_framework(workflow_run.apply, af.WORKFLOWS),
    _of_agent_framework(workflow_run.apply_functional, af.FUNCTIONAL),
    _of_agent_framework(own_spans.replace_streaming, af.STREAMING_SPAN),
    _of_agent_framework(own_spans.replace_awaited, af.AWAITED_SPAN),
    _of_agent_framework(own_spans.replace_tool, af.TOOL_SPAN),
    _of_agent_framework(own_spans.replace_workflow, af.WORKFLOW_SPAN),
    _of_agent_framework(own_spans.replace_workflow, af.FUNCTIONAL_SPAN),
    _of_agent_framework(own_spans.activate, af.ACTIVE_SPAN),
    _of_agent_framework(own_spans.activate, af.ACTIVE_WORKFLOW),
    _of_agent_framework(own_spans.activate, af.ACTIVE_FUNCTIONAL),
    _of_agent_framework(own_spans.measure_once, af.RESPONSE),
    _of_agent_framework(own_spans.measure_errors_once, af.ERROR),
    Patch("asyncio.timeouts", deadline.apply, python.ON_TIMEOUT),
    Patch("asyncio.taskgroups", deadline.apply_group, python.ABORT),
    Patch("asyncio.tasks", deadline.apply_wait_for, python.CANCEL_AND_WAIT),
    Patch("starlette.applications", response.apply),
    Patch("uvicorn.server", shutdown.apply),
    Patch("gunicorn.workers.base", shutdown.apply_worker),
    Patch("gunicorn.workers.gasgi", shutdown.apply_gunicorn, servers.SHUTDOWN),
)


class Patches:
    """Applies the table as its modules are imported; undone as a whole."""

    def __init__(self, tracker: StreamTracker) -> None:
        self._tracker = tracker
        self._patcher = Patcher()
        self._waits: list[Callable[[], None]] = []
        for patch in TABLE:
            package = patch.module.partition(".")[0]
            if package not in sys.modules and importlib.util.find_spec(package) is None:
                logger.debug("%s is not installed, so its patches are skipped", package)
            else:
                self._waits.append(when_imported(patch.module, functools.partial(self._apply, patch)))
                if patch.private is not None and patch.importer:
                    self._waits.append(when_imported(patch.importer, functools.partial(_look, patch, patch.private)))

    def undo(self) -> None:
        """Restores every original; modules that are imported later stay as they are."""
        while self._waits:
            self._waits.pop()()
        self._patcher.undo()

    def _apply(self, patch: Patch, module: ModuleType) -> None:
        """Applies one row of the table, as a whole or not at all."""
        mark = self._patcher.mark
        try:
            patch.apply(module, self._patcher, self._tracker)
        except Exception as error:
            self._patcher.undo(mark)
            if patch.private is not None and isinstance(error, AttributeError):
                patch.private.lost()
            else:
                report(f"patching {patch.module}", error)


def _look(patch: Patch, private: Private, importer: ModuleType) -> None:
    """Warns of a private module that its importer has not imported, and that does not exist either."""
    if patch.module not in sys.modules and not _exists(patch.module):
        private.lost()


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
