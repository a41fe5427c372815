"""Tools of an MCP server. They need ``mcp`` 2, which AutoGen's extras forbid: nox's session ``agent_framework``."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import agent_framework
import pytest
from harness import AGENT_NAME, Program, done, watch
from programs.framework import client, streamed

pytestmark = [pytest.mark.once, pytest.mark.skipif(version("mcp").startswith("1."), reason="needs mcp 2")]

SERVER: Final = """
from mcp.server import MCPServer

server = MCPServer("claims")

@server.tool()
def fetch(claim: str) -> str:
    return "approved"

@server.tool()
def fail(claim: str) -> str:
    raise LookupError(claim)

server.run()
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("name", "outcome"), [("fetch", "completed"), ("fail", "failed")])
def test_a_call_of_a_servers_tool(name: str, outcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.LIMIT", 100.0)  # a process of its own has to start
    file = tmp_path / "server.py"
    file.write_text(SERVER)

    async def body(program: Program) -> None:
        made: Any = agent_framework.MCPStdioTool("claims", sys.executable, args=[str(file)], allowed_tools=[name])
        async with made:
            await streamed(agent_framework.Agent(client=client(program, "tool_call"), name=AGENT_NAME, tools=made))

    seen = watch(body)
    tool = seen.one("tool", name)
    assert (tool["outcome"], tool["ended_by"]) == (outcome, "tool")
    assert [above.layer for above in seen.above(tool)] == ["agent"]
    assert seen.one("agent").told == done()
