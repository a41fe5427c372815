"""The table: what is known of each class. A class without a row fails the test."""

from dataclasses import dataclass
from typing import Final

from .classes import Kind

FIRST: Final = "0.1.0"
"""The first version of this package."""


@dataclass(frozen=True)
class Patch:
    """What of AutoGen is replaced for a kind of class, on its base and all subclasses."""

    module: str
    base: str
    methods: tuple[str, ...]
    also: str = ""
    """What else is replaced for the kind."""


PATCHES: Final[dict[Kind, Patch]] = {
    "agent": Patch("autogen_agentchat.base", "ChatAgent", ("run_stream", "on_messages_stream", "run", "on_messages")),
    "team": Patch(
        "autogen_agentchat.base",
        "Team",
        ("run_stream",),
        "`SequentialRoutedAgent.on_message_impl`, so that what members and managers do lies beneath their team",
    ),
    "client": Patch("autogen_core.models", "ChatCompletionClient", ("create_stream", "create")),
    "tool": Patch(
        "autogen_core.tools",
        "BaseTool",
        ("run_json", "run_json_stream"),
        "`AssistantAgent._execute_tool_call`, for calls that reach no tool: unknown names, arguments that are no JSON",
    ),
    "workbench": Patch(
        "autogen_core.tools",
        "Workbench",
        ("call_tool", "call_tool_stream"),
        "`_format_errors` of `StaticWorkbench` and `McpWorkbench`, for the exceptions that they turn into a text",
    ),
}


@dataclass(frozen=True)
class Run:
    """A class that the test runs, bare and watched."""

    streams: str
    """Its streams, in the order in which they start: layer and name; of those that do not complete also the outcome."""
    since: str = FIRST
    note: str = ""


@dataclass(frozen=True)
class Skipped:
    """A class that the test does not run."""

    why: str
    since: str = FIRST


ABSTRACT: Final = Skipped("abstract; its subclasses are run")
PROTOCOL: Final = Skipped("a protocol; the classes that follow it are run")

HTTP: Final = "http 127.0.0.1"
REPLY: Final = "model ReplayChatCompletionClient"
OPENAI: Final = f"model gpt-4o, {HTTP}"
ANTHROPIC: Final = f"model claude-3-5-sonnet-20241022, {HTTP}"
OLLAMA: Final = f"model llama3.1, {HTTP}"

AGENTS: Final[dict[str, Run | Skipped]] = {
    "AssistantAgent": Run(f"agent clerk, {OPENAI}"),
    "AzureAIAgent": Skipped("needs Azure's agent service, and `azure-ai-projects` older than its extra installs"),
    "BaseChatAgent": ABSTRACT,
    "CodeExecutorAgent": Run(f"agent coder, {REPLY}, {REPLY}", note="a hung executor is `waiting_on` the agent"),
    "FileSurfer": Skipped("needs `markitdown` with all its converters; calls its client as `AssistantAgent` does"),
    "MagenticOneCoderAgent": Run(f"agent coder, {REPLY}"),
    "MessageFilterAgent": Run(f"agent filter, agent clerk, {REPLY}"),
    "MultimodalWebSurfer": Skipped("needs a browser; calls its client as `AssistantAgent` does"),
    "OpenAIAgent": Run(f"agent clerk, {OPENAI}", note="has no chat completion client: the SDK's is the `model` layer"),
    "OpenAIAssistantAgent": Run(
        f"agent clerk, {', '.join([HTTP] * 6)}, tool own, {', '.join([HTTP] * 3)}",
        note="has no chat completion client, and reads no stream: no `model` layer",
    ),
    "SocietyOfMindAgent": Run(f"agent society, team office, agent clerk, {REPLY}, {REPLY}"),
    "UserProxyAgent": Run("agent adjuster", note="a person who does not answer is `waiting_on` the agent"),
    "VideoSurfer": Skipped("needs `opencv` and `whisper`; is an `AssistantAgent` with tools of its own"),
}
TEAMS: Final[dict[str, Run | Skipped]] = {
    "BaseGroupChat": ABSTRACT,
    "GraphFlow": Run(f"team office, agent clerk, {REPLY}, agent checker, {REPLY}"),
    "MagenticOne": Skipped("is a `MagenticOneGroupChat` whose members need a browser and `markitdown`"),
    "MagenticOneGroupChat": Run(
        f"team office, {', '.join([REPLY] * 4)}", note="the orchestrator's calls are the team's"
    ),
    "RoundRobinGroupChat": Run(f"team office, agent clerk, {REPLY}"),
    "SelectorGroupChat": Run(
        f"team office, {REPLY}, agent checker, {REPLY}", note="the choice of the next speaker is a call of the team's"
    ),
    "Swarm": Run(f"team office, agent clerk, {REPLY}, tool transfer_to_checker, agent checker, {REPLY}"),
}
CLIENTS: Final[dict[str, Run | Skipped]] = {
    "AnthropicBedrockChatCompletionClient": Skipped("needs AWS; its body is no text, so its end is not read"),
    "AnthropicChatCompletionClient": Run(
        ", ".join([f"model claude-3-5-sonnet-20241022, {HTTP}"] * 2), note="anthropic<1"
    ),
    "AzureAIChatCompletionClient": Skipped("speaks through `aiohttp`: a `model` layer without an `http` layer below"),
    "AzureOpenAIChatCompletionClient": Run(f"{OPENAI}, {OPENAI}"),
    "BaseAnthropicChatCompletionClient": ABSTRACT,
    "BaseOllamaChatCompletionClient": ABSTRACT,
    "BaseOpenAIChatCompletionClient": ABSTRACT,
    "ChatCompletionCache": Run(
        f"model ChatCompletionCache, {HTTP}, model ChatCompletionCache",
        note="one `model` span, around the client within; the second answer comes out of the cache",
    ),
    "ChatCompletionClientRecorder": Skipped("needs `chromadb`; wraps a client as `ChatCompletionCache` does"),
    "LlamaCppChatCompletionClient": Skipped("runs a model in this process, which has to be compiled"),
    "OllamaChatCompletionClient": Run(
        f"model llama3.1, {HTTP}, model llama3.1, {HTTP}", note="has no timeout of its own"
    ),
    "OpenAIChatCompletionClient": Run(f"{OPENAI}, {OPENAI}", note="openai 1.x and 3.x"),
    "ReplayChatCompletionClient": Run(f"{REPLY}, {REPLY}"),
    "SKChatCompletionAdapter": Skipped("needs `semantic-kernel`; run by `nox -s semantic_kernel`"),
}
TOOLS: Final[dict[str, Run | Skipped]] = {
    "AgentTool": Run(f"tool clerk, agent clerk, {REPLY}"),
    "ApplyPatchTool": Skipped("needs `unidiff`; runs as every `BaseTool`"),
    "AzureAISearchTool": Skipped("needs Azure's search service; runs as every `BaseTool`"),
    "BaseAzureAISearchTool": ABSTRACT,
    "BaseStreamTool": ABSTRACT,
    "BaseToolWithState": ABSTRACT,
    "FunctionTool": Run("tool own"),
    "GlobalSearchTool": Skipped("needs `graphrag`; runs as every `BaseTool`"),
    "HttpTool": Run(f"tool fetch, {HTTP}"),
    "LangChainToolAdapter": Skipped("needs `langchain-core`; runs as every `BaseTool`"),
    "LocalSearchTool": Skipped("needs `graphrag`; runs as every `BaseTool`"),
    "McpToolAdapter": ABSTRACT,
    "PythonCodeExecutionTool": Run("tool CodeExecutor"),
    "SseMcpToolAdapter": Skipped("differs from `StdioMcpToolAdapter` in its transport alone"),
    "StdioMcpToolAdapter": Run("tool fetch", note="mcp<2"),
    "StreamTool": PROTOCOL,
    "StreamableHttpMcpToolAdapter": Skipped("differs from `StdioMcpToolAdapter` in its transport alone"),
    "TaskRunnerTool": ABSTRACT,
    "TeamTool": Run(f"tool panel, team office, agent clerk, {REPLY}"),
    "UpdateFileTool": Run("tool update_file"),
}
WORKBENCHES: Final[dict[str, Run | Skipped]] = {
    "McpWorkbench": Run(
        f"agent clerk, {REPLY}, tool fetch, tool fail: failed", note="mcp<2; an `is_error` of the server's is `failed`"
    ),
    "StaticStreamWorkbench": Run(f"agent clerk, {REPLY}, tool own"),
    "StaticWorkbench": Run("tool own"),
    "StreamWorkbench": ABSTRACT,
}
TABLE: Final[dict[Kind, dict[str, Run | Skipped]]] = {
    "agent": AGENTS,
    "team": TEAMS,
    "client": CLIENTS,
    "tool": TOOLS,
    "workbench": WORKBENCHES,
}
