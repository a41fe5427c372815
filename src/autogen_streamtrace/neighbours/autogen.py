"""AutoGen's private names."""

from typing import Final

from autogen_streamtrace.neighbours import Private

FRAMEWORK: Final = "autogen"
"""``streamtrace.framework``."""

CREATE_ARGUMENTS: Final = Private(
    "autogen-ext",
    "BaseOpenAIChatCompletionClient",
    "_create_args",
    "a model's span is named after its client and lacks the parameters of the request",
    ("BaseAnthropicChatCompletionClient", "BaseOllamaChatCompletionClient", "AzureAIChatCompletionClient"),
)
MODEL_NAME: Final = Private("autogen-ext", "", "_model_name", "a model's span is named after its client")
"""Some clients store the model's name there; none has to."""
TEAM_ID: Final = Private(
    "autogen-agentchat",
    "BaseGroupChat",
    "_team_id",
    "the turns of agents on a runtime that is older than their team's run are watched, but not as parts of that run",
)
THREAD: Final = Private(
    "autogen-ext",
    "OpenAIAssistantAgent",
    "_thread",
    "an agent's span lacks the conversation",
    ("AzureAIAgent",),
)
ORIGINAL_NAMES: Final = Private(
    "autogen-core",
    "StaticWorkbench",
    "_override_name_to_original",
    "a tool that a workbench renames is counted twice, under both names",
    ("McpWorkbench",),
    ("autogen-ext",),
)
CANCELLED: Final = Private(
    "autogen-core", "CancellationToken", "_cancelled", "a cancellation by a token counts as one by the task"
)
"""The public method takes a lock, which ``cancel()`` holds while it calls back."""
TOOLS: Final = Private("autogen-core", "StaticWorkbench", "_tools", "a tool's span lacks the description")

STATIC_ERRORS: Final = Private(
    "autogen-core", "StaticWorkbench", "_format_errors", "a streaming tool's failure has no cause"
)
MCP_ERRORS: Final = Private("autogen-ext", "McpWorkbench", "_format_errors", "an MCP tool's failure has no cause")
TOOL_CALL: Final = Private(
    "autogen-agentchat", "AssistantAgent", "_execute_tool_call", "a call that reaches no tool has no span"
)

TOOL_SPAN: Final = Private("autogen-core", "autogen_core.tools._base", "trace_tool_span", "a tool call has two spans")
MCP_SPAN: Final = Private(
    "autogen-ext", "autogen_ext.tools.mcp._workbench", "trace_tool_span", "an MCP tool call has two spans"
)
AGENT_SPAN: Final = Private(
    "autogen-agentchat",
    "autogen_agentchat.agents._base_chat_agent",
    "trace_invoke_agent_span",
    "an agent's turn has two spans",
)
TEAM_AGENT_SPAN: Final = Private(
    "autogen-agentchat",
    "autogen_agentchat.teams._group_chat._chat_agent_container",
    "trace_invoke_agent_span",
    "an agent's turn in a team has two spans",
)
