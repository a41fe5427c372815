"""One small program for each class: what it reads, it returns."""

import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, cast

from autogen_agentchat.agents import (
    ApprovalRequest,
    ApprovalResponse,
    AssistantAgent,
    CodeExecutorAgent,
    MessageFilterAgent,
    MessageFilterConfig,
    PerSourceFilter,
    SocietyOfMindAgent,
    UserProxyAgent,
)
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.teams import (
    DiGraphBuilder,
    GraphFlow,
    MagenticOneGroupChat,
    RoundRobinGroupChat,
    SelectorGroupChat,
    Swarm,
)
from autogen_agentchat.tools import AgentTool, TeamTool
from autogen_core import CancellationToken
from autogen_core.models import ChatCompletionClient, UserMessage
from autogen_core.tools import BaseTool, FunctionTool, StaticStreamWorkbench, StaticWorkbench
from autogen_ext.agents.magentic_one import MagenticOneCoderAgent
from autogen_ext.agents.openai import OpenAIAgent, OpenAIAssistantAgent
from autogen_ext.code_executors.local import LocalCommandLineCodeExecutor
from autogen_ext.memory.canvas import TextCanvas
from autogen_ext.memory.canvas._canvas_writer import UpdateFileTool
from autogen_ext.models.cache import ChatCompletionCache
from autogen_ext.tools.code_execution import PythonCodeExecutionTool
from autogen_ext.tools.http import HttpTool
from autogen_ext.tools.mcp import McpWorkbench, StdioServerParams, mcp_server_tools
from harness import HOST, TASK, Program, read
from harness.clients import PROVIDERS
from harness.openai_api import openai_api
from harness.scripted import asks, model, speaker

Body = Callable[[Program], Awaitable[list[object]]]

SERVER: Final = Path(__file__).parent.parent / "programs" / "mcp_server.py"
CODE: Final = "print('approved')"
ANSWERS: Final = ("is_request_satisfied", "is_in_loop", "is_progress_being_made")


def agent(make: Callable[[Program], Any]) -> Body:
    """Reads an agent's turn, or a team's run."""
    return lambda program: read(make(program).run_stream(task=TASK))


def client(make: Callable[[Program], ChatCompletionClient]) -> Body:
    """Reads a streamed reply, then asks for one unstreamed."""

    async def body(program: Program) -> list[object]:
        asked = [UserMessage(content=TASK, source="user")]
        made = make(program)
        return [*await read(made.create_stream(asked)), await made.create(asked)]

    return body


def tool(make: Callable[[Program], BaseTool[Any, Any]], arguments: dict[str, Any]) -> Body:
    """Runs a tool by itself."""

    async def body(program: Program) -> list[object]:
        return [await make(program).run_json(arguments, CancellationToken())]

    return body


def approve(request: ApprovalRequest) -> ApprovalResponse:
    return ApprovalResponse(approved=True, reason="")


def executor() -> LocalCommandLineCodeExecutor:
    return LocalCommandLineCodeExecutor(work_dir=tempfile.mkdtemp())


async def openai_agent(program: Program) -> list[object]:
    async with openai_api() as api:
        return await read(OpenAIAgent("clerk", "Answers.", api, "gpt-4o", "Be brief.").run_stream(task=TASK))


async def assistant(program: Program) -> list[object]:
    async with openai_api() as api:
        made = OpenAIAssistantAgent("clerk", "Answers.", api, "gpt-4o", "Be brief.", tools=[own()])
        return await read(made.run_stream(task=TASK))


def own() -> FunctionTool:
    async def own(word: str) -> str:
        return word

    return FunctionTool(own, "Answers.")


def clerk() -> AssistantAgent:
    return speaker("clerk", "approved")


def office(member: Any) -> RoundRobinGroupChat:
    return RoundRobinGroupChat([member], name="office", termination_condition=MaxMessageTermination(2))


def coder(program: Program) -> CodeExecutorAgent:
    replies = model(f"```python\n{CODE}\n```", "It is approved.")
    return CodeExecutorAgent("coder", executor(), model_client=replies, approval_func=approve)


def message_filter(program: Program) -> MessageFilterAgent:
    return MessageFilterAgent("filter", clerk(), MessageFilterConfig(per_source=[PerSourceFilter(source="user")]))


def graph(program: Program) -> GraphFlow:
    first, second = clerk(), speaker("checker", "approved")
    builder = DiGraphBuilder().add_node(first).add_node(second).add_edge(first, second)
    return GraphFlow([first, second], builder.build(), name="office")


def selector(program: Program) -> SelectorGroupChat:
    members = [clerk(), speaker("checker", "approved")]
    return SelectorGroupChat(
        [*members], model("checker"), name="office", termination_condition=MaxMessageTermination(2)
    )


def swarm(program: Program) -> Swarm:
    first = speaker("clerk", asks(("transfer_to_checker", {})), handoffs=["checker"])
    ends = TextMentionTermination("approved")
    return Swarm([first, speaker("checker", "approved")], name="office", termination_condition=ends)


def magentic(program: Program) -> MagenticOneGroupChat:
    tracker = {name: {"reason": "", "answer": name == "is_request_satisfied"} for name in ANSWERS}
    tracker |= {name: {"reason": "", "answer": "clerk"} for name in ("next_speaker", "instruction_or_question")}
    replies = ("facts", "plan", json.dumps(tracker), "It is approved.")
    return MagenticOneGroupChat([clerk()], model(*replies), name="office")


def http_tool(program: Program) -> HttpTool:
    schema = {"type": "object", "properties": {"stream": {"type": "boolean"}}, "required": ["stream"]}
    path = "/ok/v1/chat/completions"
    return HttpTool("fetch", HOST, program.server.port, path=path, scheme="http", method="POST", json_schema=schema)


def params() -> StdioServerParams:
    return StdioServerParams(command=sys.executable, args=[str(SERVER)], read_timeout_seconds=20)


async def mcp_adapter(program: Program) -> list[object]:
    (fetch,) = [each for each in await mcp_server_tools(params()) if each.name == "fetch"]
    return [await fetch.run_json({"claim": "7"}, CancellationToken())]


async def mcp_workbench(program: Program) -> list[object]:
    async with McpWorkbench(params()) as workbench:
        made = speaker("clerk", asks(("fetch", {"claim": "7"}), ("fail", {})), workbench=workbench)
        return await read(made.run_stream(task=TASK))


async def workbench(program: Program) -> list[object]:
    return [await StaticWorkbench([own()]).call_tool("own", {"word": "yes"})]


async def stream_workbench(program: Program) -> list[object]:
    made = speaker("clerk", asks(("own", {"word": "yes"})), workbench=StaticStreamWorkbench([own()]))
    return await read(made.run_stream(task=TASK))


AGENTS: Final[dict[str, Body]] = {
    "AssistantAgent": agent(lambda program: program.agent("ok")),
    "CodeExecutorAgent": agent(coder),
    "MagenticOneCoderAgent": agent(lambda program: MagenticOneCoderAgent("coder", model("approved"))),
    "MessageFilterAgent": agent(message_filter),
    "OpenAIAgent": openai_agent,
    "OpenAIAssistantAgent": assistant,
    "SocietyOfMindAgent": agent(lambda program: SocietyOfMindAgent("society", office(clerk()), model("approved"))),
    "UserProxyAgent": agent(lambda program: UserProxyAgent("adjuster", input_func=lambda prompt: "yes")),
}
TEAMS: Final[dict[str, Body]] = {
    "GraphFlow": agent(graph),
    "MagenticOneGroupChat": agent(magentic),
    "RoundRobinGroupChat": agent(lambda program: office(clerk())),
    "SelectorGroupChat": agent(selector),
    "Swarm": agent(swarm),
}
CLIENTS: Final[dict[str, Body]] = {
    "AnthropicChatCompletionClient": client(lambda program: PROVIDERS["anthropic"].make(program, "ok")),
    "AzureOpenAIChatCompletionClient": client(lambda program: PROVIDERS["azure"].make(program, "ok")),
    "ChatCompletionCache": client(lambda program: ChatCompletionCache(program.client("ok"))),
    "OllamaChatCompletionClient": client(lambda program: PROVIDERS["ollama"].make(program, "ok")),
    "OpenAIChatCompletionClient": client(lambda program: program.client("ok")),
    "ReplayChatCompletionClient": client(lambda program: model("one", "two")),
}
TOOLS: Final[dict[str, Body]] = {
    "AgentTool": tool(lambda program: cast(Any, AgentTool(clerk())), {"task": TASK}),
    "FunctionTool": tool(lambda program: own(), {"word": "yes"}),
    "HttpTool": tool(http_tool, {"stream": True}),
    "PythonCodeExecutionTool": tool(lambda program: PythonCodeExecutionTool(executor()), {"code": CODE}),
    "StdioMcpToolAdapter": mcp_adapter,
    "TeamTool": tool(lambda program: cast(Any, TeamTool(office(clerk()), "panel", "Asks.")), {"task": TASK}),
    "UpdateFileTool": tool(lambda program: UpdateFileTool(TextCanvas()), {"filename": "a", "new_content": "b"}),
}
WORKBENCHES: Final[dict[str, Body]] = {
    "McpWorkbench": mcp_workbench,
    "StaticStreamWorkbench": stream_workbench,
    "StaticWorkbench": workbench,
}
