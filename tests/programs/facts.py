"""One program that goes through every private name of AutoGen, of asyncio and of uvicorn, and what is told of it."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from types import SimpleNamespace
from typing import Any, Final, cast

import uvicorn
from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import BaseChatMessage, TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken, SingleThreadedAgentRuntime
from autogen_core.tools import BaseStreamTool, FunctionTool, StaticStreamWorkbench, StaticWorkbench, ToolOverride
from autogen_ext.models.openai import OpenAIChatCompletionClient
from autogen_ext.tools.mcp import McpWorkbench, StdioServerParams
from harness.scripted import asks, speaker
from programs.watching import Watching
from pydantic import BaseModel

from autogen_streamtrace import trace_stream
from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.commands.demo.scenarios.program import MODEL_INFO

SOON: Final = 0.02
"""Seconds, after which a deadline strikes a stream that has no item."""


class OpenAIAssistantAgent(BaseChatAgent):
    """Answers at once, and keeps a conversation as AutoGen's agent of this name does."""

    def __init__(self) -> None:
        super().__init__("assistant", "answers")
        self._thread = SimpleNamespace(id="thread_1")

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (TextMessage,)

    async def on_messages(self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken) -> Response:
        return Response(chat_message=TextMessage(content="hello", source=self.name))

    async def on_reset(self, cancellation_token: CancellationToken) -> None: ...


def failing(name: str) -> FunctionTool:
    async def tool() -> str:
        raise LookupError(name)

    return FunctionTool(tool, f"Looks for {name}.", name=name)


class Nothing(BaseModel):
    """A tool's arguments, or its result."""


class Streaming(BaseStreamTool[Nothing, Nothing, Nothing]):
    """Fails when it is read."""

    def __init__(self) -> None:
        super().__init__(Nothing, Nothing, "streaming", "Streams.")

    async def run(self, args: Nothing, cancellation_token: CancellationToken) -> Nothing:
        return Nothing()

    async def run_stream(self, args: Nothing, cancellation_token: CancellationToken) -> AsyncGenerator[Any, None]:
        yield args
        raise LookupError("two")


async def gone(*_: Any) -> Any:
    """An MCP server that is there no more."""
    raise ConnectionResetError


async def agents(server: ModelServer) -> None:
    client = OpenAIChatCompletionClient(
        model="gpt-4o", api_key="key", base_url=server.url("ok"), model_info=cast(Any, MODEL_INFO), temperature=0.5
    )
    async for _ in client.create_stream([]):
        pass
    await client.close()
    runtime = SingleThreadedAgentRuntime()
    runtime.start()  # its tasks are older than the team's run
    ends = MaxMessageTermination(2)
    team = RoundRobinGroupChat([speaker("member", "hello")], termination_condition=ends, runtime=runtime, name="team")
    await team.run(task="go")
    await runtime.stop()
    await OpenAIAssistantAgent().run(task="go")
    await speaker("caller", asks(("nothing", {})), "done").run(task="go")


async def tools() -> None:
    renamed = {"found": ToolOverride(name="sought")}
    await StaticWorkbench([failing("lost")]).call_tool("lost")
    await StaticWorkbench([failing("found")], tool_overrides=renamed).call_tool("sought")
    async for _ in StaticStreamWorkbench([Streaming()]).call_tool_stream("streaming"):
        pass
    mcp = McpWorkbench(StdioServerParams(command="none"))
    cast(Any, mcp)._actor = SimpleNamespace(call=gone)
    await mcp.call_tool("remote")
    cast(Any, mcp)._actor = None


async def deadlines() -> None:
    async def silent() -> Any:
        await asyncio.Event().wait()
        yield

    async def read(name: str) -> None:
        async for _ in trace_stream(silent(), name):
            pass

    async def timeout() -> None:
        async with cast(Any, asyncio).timeout(SOON):
            await read("timeout")

    async def awaits() -> None:
        await asyncio.ensure_future(read("awaited"))

    async def gathers() -> None:
        await asyncio.gather(read("gathered"))

    async def groups() -> None:
        async with cast(Any, asyncio).timeout(SOON), cast(Any, asyncio).TaskGroup() as group:
            group.create_task(read("grouped"))

    waiting = [asyncio.wait_for(each, SOON) for each in (read("wait_for"), awaits(), gathers())]
    for waits in waiting + ([timeout(), groups()] if sys.version_info >= (3, 11) else []):
        try:
            await waits
        except (TimeoutError, asyncio.TimeoutError):
            pass


async def token() -> None:
    token = CancellationToken()

    async def stopped() -> str:
        asyncio.get_running_loop().call_soon(token.cancel)
        await asyncio.Event().wait()
        return ""

    call = StaticWorkbench([FunctionTool(stopped, "Waits.")]).call_tool("stopped", {}, token)
    await asyncio.gather(call, return_exceptions=True)


async def server(told: Watching) -> bool:
    """Whether the event loop counts as shutting down after a server that nothing has stopped but the program."""

    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    stopped = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="error"))
    stopped.should_exit = True
    await stopped.serve()
    return told.tracker.loops.shutting_down(id(asyncio.get_running_loop()))


def facts(told: Watching, model: ModelServer) -> dict[str, object]:
    """Runs it, and says what was told."""

    async def main() -> bool:
        await agents(model)
        await tools()
        await deadlines()
        await token()
        return await server(told)

    shutting_down = asyncio.run(main())
    spans = told.spans()
    names = [span.name for span in spans]
    ids = {span.context.span_id: span.name for span in spans}

    def attribute(span: str, key: str) -> object:
        ours = [each.attributes for each in spans if each.attributes and "streamtrace.layer" in each.attributes]
        named = [each.attributes or {} for each in spans if each.name == span and each.attributes in ours]
        return named[0].get(key) if named else None

    member = [ids.get(each.parent.span_id) for each in spans if each.name == "invoke_agent member" and each.parent]
    return {
        "layers": sorted({str((each.attributes or {}).get("streamtrace.layer")) for each in spans} - {"None"}),
        "model": next((name for name in names if name.startswith("chat ") and "Replay" not in name), None),
        "temperature": any((each.attributes or {}).get("gen_ai.request.temperature") == 0.5 for each in spans),
        "team of an agent": "invoke_workflow team" in member,
        "agent's spans in a team": names.count("invoke_agent member"),
        "agent's spans": names.count("invoke_agent assistant"),
        "conversation": attribute("invoke_agent assistant", "gen_ai.conversation.id"),
        "tool's spans": names.count("execute_tool lost"),
        "tool's error": attribute("execute_tool lost", "error.type"),
        "streaming tool's error": attribute("execute_tool streaming", "error.type"),
        "tool's description": attribute("execute_tool lost", "gen_ai.tool.description"),
        "renamed tool": {name for name in names if name in ("execute_tool found", "execute_tool sought")},
        "unknown tool": "execute_tool nothing" in names,
        "mcp tool's spans": names.count("execute_tool remote"),
        "mcp tool's error": attribute("execute_tool remote", "error.type"),
        "deadlines": [
            [attribute(f"stream {name}", f"streamtrace.{key}") for key in ("cancelled_by", "limit.value")]
            for name in ("wait_for", "awaited", "gathered", "timeout", "grouped")
        ],
        "token": attribute("execute_tool stopped", "streamtrace.cancelled_by"),
        "shutting down": shutting_down,
    }
