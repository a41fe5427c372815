"""Agent Framework's private names. Its public ones are loaded when they are first used, from private modules."""

from typing import Final

from autogen_streamtrace.neighbours import Private

FRAMEWORK: Final = "agent_framework"
"""``streamtrace.framework``."""
PACKAGE: Final = "agent-framework-core"
FIRST: Final = "1.22"
"""The first version that was tested."""
BEFORE: Final = "1.24"
"""The first one that was not."""


def _class(module: str, name: str, without: str) -> Private:
    return Private(PACKAGE, f"agent_framework.{module}", name, without)


AGENTS: Final = _class("_agents", "BaseAgent", "the turns of Agent Framework's agents are not watched")
CLIENTS: Final = _class(
    "observability", "ChatTelemetryLayer", "the replies to Agent Framework's clients are not watched"
)
RAW_CLIENTS: Final = _class("_clients", "BaseChatClient", "the replies to clients without telemetry are not watched")
TOOLS: Final = _class("_tools", "FunctionTool", "the tool calls of Agent Framework are not watched")
WORKFLOWS: Final = _class("_workflows._workflow", "Workflow", "the runs of Agent Framework's workflows are not watched")
FUNCTIONAL: Final = _class(
    "_workflows._functional", "FunctionalWorkflow", "the runs of its functional workflows are not watched"
)

STREAMING_SPAN: Final = Private(
    PACKAGE, CLIENTS.owner, "_start_streaming_span", "a streamed turn and a streamed reply have two spans"
)
AWAITED_SPAN: Final = Private(
    PACKAGE, CLIENTS.owner, "_get_span", "an awaited turn and an awaited reply have two spans"
)
ACTIVE_SPAN: Final = Private(
    PACKAGE, CLIENTS.owner, "_activate_span", "what a program writes on the current span of a turn may be lost"
)
RESPONSE: Final = Private(
    PACKAGE, CLIENTS.owner, "_capture_response", "the metrics gen_ai.client.* of a reply are recorded twice"
)
ERROR: Final = Private(
    PACKAGE, CLIENTS.owner, "_capture_operation_error", "gen_ai.client.operation.duration of an error is recorded twice"
)
TOOL_SPAN: Final = Private(PACKAGE, TOOLS.owner, "get_function_span", "a tool call has two spans")
WORKFLOW_SPAN: Final = Private(PACKAGE, WORKFLOWS.owner, "start_workflow_span", "a workflow's run has two spans")
ACTIVE_WORKFLOW: Final = Private(
    PACKAGE, WORKFLOWS.owner, "_activate_span", "the spans of a workflow's executors are outside of its run's"
)
FUNCTIONAL_SPAN: Final = Private(
    PACKAGE, FUNCTIONAL.owner, "start_workflow_span", "a functional workflow's run has two spans"
)
ACTIVE_FUNCTIONAL: Final = Private(
    PACKAGE, FUNCTIONAL.owner, "_activate_span", "the spans inside a functional workflow are outside of its run's"
)
REFUSED_CALL: Final = Private(
    PACKAGE, TOOLS.owner, "_auto_invoke_function", "a call that names no tool of the agent's has no span"
)
MIDDLEWARE: Final = _class("_middleware", "FunctionMiddlewarePipeline", "a call whose middleware fails has no span")
