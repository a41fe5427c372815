"""Tools of a real MCP server process. AutoGen makes every failure of theirs an ``is_error``."""

import asyncio
import sys
from pathlib import Path

import pytest
from autogen_core import CancellationToken
from autogen_core.tools import ToolOverride
from autogen_ext.tools.mcp import McpWorkbench, StdioServerParams, mcp_server_tools
from harness import CANCELLED_ERROR, TASK, Body, Program, Told, cancelled, done, origin, read, watch
from harness.scripted import asks, speaker

pytestmark = pytest.mark.once

SERVER = Path(__file__).parents[1] / "programs" / "mcp_server.py"


def params() -> StdioServerParams:
    return StdioServerParams(command=sys.executable, args=[str(SERVER)], read_timeout_seconds=20)


def calling(*calls: tuple[str, object]) -> Body:
    """A turn of an agent whose model asks for these tools of the server's."""

    async def body(program: Program) -> None:
        async with McpWorkbench(params()) as workbench:
            await read(speaker("clerk", asks(*calls), workbench=workbench).run_stream(task=TASK))

    return body


def failed(cause: str = "") -> Told:
    layer = "tool" if cause else ""
    return Told("failed", "tool", "none", "", cause, layer, error_type=cause or "failed", origin=True)


def test_a_tool_that_answers_and_one_that_raises_in_the_server() -> None:
    seen = watch(calling(("fetch", {"claim": "7"}), ("fail", {})))
    assert seen.layers == ["agent", "model", "tool", "tool"]
    assert seen.one("tool", "fetch").told == done("tool")
    assert seen.one("tool", "fail").told == failed()
    assert seen.one("tool", "fail")["gen_ai.tool.call.id"] == "call_1"
    assert seen.one("agent").told.outcome == "completed"


def test_a_server_that_dies_during_the_call() -> None:
    async def body(program: Program) -> None:
        workbench = McpWorkbench(params())
        await workbench.start()
        await workbench.call_tool("die")
        await workbench.stop()

    told = watch(body).one("tool", "die").told
    assert (told.outcome, told.ended_by, told.origin) == ("failed", "tool", True)
    assert told.cause.startswith("mcp.")


def test_a_tool_that_hangs_while_its_caller_gives_up() -> None:
    async def body(program: Program) -> None:
        async with McpWorkbench(params()) as workbench:
            await workbench.list_tools()
            task = asyncio.ensure_future(workbench.call_tool("hang"))
            await asyncio.sleep(0.1)
            task.cancel()
            await task

    seen = watch(body)
    assert seen.raised == CANCELLED_ERROR
    assert seen.one("tool").told == origin(cancelled("tool", "hang", layer="tool"))


def test_a_renamed_tool_goes_by_its_own_name() -> None:
    async def body(program: Program) -> None:
        async with McpWorkbench(params(), {"fetch": ToolOverride(name="renamed")}) as workbench:
            result = await workbench.call_tool("renamed", {"claim": "7"})
            assert not result.is_error

    assert watch(body).one("tool", "fetch").told == done("tool")


def test_a_servers_tool_as_one_of_autogens_own() -> None:
    async def body(program: Program) -> None:
        tools = {tool.name: tool for tool in await mcp_server_tools(params())}
        await tools["fail"].run_json({}, CancellationToken())

    told = watch(body).one("tool", "fail").told
    assert told == failed("Exception")
