"""Tools of an MCP server.

They need ``mcp`` 2, which AutoGen's extras forbid, and before Agent Framework 1.23 ``mcp`` 1: nox's sessions
``agent_framework``.
"""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import agent_framework
import pytest
from harness import AGENT_NAME, Program, Seen, done, origin, struck, watch
from programs.framework import DEADLINE, client, streamed, struck_later

MCP_1: Final = version("mcp").startswith("1.")
BEFORE_MCP_2: Final = version("agent-framework-core").startswith("1.22.")

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(MCP_1 != BEFORE_MCP_2, reason="needs mcp 2, and Agent Framework 1.22 needs mcp 1"),
]

ERROR: Final = "mcp.shared.exceptions.McpError" if MCP_1 else "mcp.shared.exceptions.MCPError"
SERVERS: Final = "mcp.server.fastmcp import FastMCP as MCPServer" if MCP_1 else "mcp.server import MCPServer"

SERVER: Final = f"""
import asyncio
import os

from {SERVERS}

server = MCPServer("claims")

@server.tool()
def fetch(claim: str) -> str:
    return "approved"

@server.tool()
def fail(claim: str) -> str:
    raise LookupError(claim)

@server.tool()
def die(claim: str) -> str:
    os._exit(1)

@server.tool()
async def hang(claim: str) -> str:
    await asyncio.sleep(1000)

server.run()
"""

OVER_HTTP: Final = """
import sys

import uvicorn
from mcp.server import MCPServer

server = MCPServer("claims")

@server.tool()
def rejected(claim: str) -> str:
    return "its exchange is refused"

@server.tool()
def disconnected(claim: str) -> str:
    return "its exchange is cut"

sessions = server.streamable_http_app()

async def app(scope, receive, send):
    if scope["type"] != "http" or scope["method"] != "POST":
        return await sessions(scope, receive, send)
    asked = await receive()
    first = [asked]

    async def again():
        return first.pop() if first else await receive()

    if b"tools/call" not in asked["body"]:
        return await sessions(scope, again, send)
    status = 500 if b"rejected" in asked["body"] else 200
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": b": on its way\\n\\n", "more_body": status == 200})

uvicorn.run(app, fd=int(sys.argv[1]), log_level="critical")
"""


Bound = Callable[[Awaitable[object]], Awaitable[object]]


def _unbounded(turn: Awaitable[object]) -> Awaitable[object]:
    return turn


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Seen]:
    """Has an agent call this tool of the server, within what ``bounded`` makes of it."""
    monkeypatch.setattr("harness.LIMIT", 100.0)  # a process of its own has to start
    file = tmp_path / "server.py"
    file.write_text(SERVER)

    def called(name: str, bounded: Bound = _unbounded, **options: Any) -> Seen:
        async def body(program: Program) -> None:
            made: Any = agent_framework.MCPStdioTool(
                "claims", sys.executable, args=[str(file)], allowed_tools=[name], **options
            )
            async with made:
                clerk = agent_framework.Agent(client=client(program, "tool_call"), name=AGENT_NAME, tools=made)
                await bounded(streamed(clerk))

        return watch(body)

    return called


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("name", "outcome"), [("fetch", "completed"), ("fail", "failed"), ("die", "failed")])
def test_a_call_of_a_servers_tool(name: str, outcome: str, call: Callable[..., Seen]) -> None:
    seen = call(name)
    tool = seen.one("tool", name)
    assert (tool["outcome"], tool["ended_by"]) == (outcome, "tool")
    assert [above.layer for above in seen.above(tool)] == ["agent"]
    assert seen.one("agent").told == done()


@pytest.mark.timeout(120)
def test_a_deadline_names_the_servers_tool_that_hangs(call: Callable[..., Seen]) -> None:
    """https://github.com/microsoft/agent-framework/issues/4896: the call of an MCP server's tool never returns."""
    seen = call("hang", lambda turn: struck_later(turn, "tool"))
    assert seen.told("agent", "tool") == [
        origin(struck(DEADLINE, "tool", "hang")),
        struck(DEADLINE, "tool", "hang"),
    ]


@pytest.mark.timeout(120)
def test_the_framework_gives_up_on_a_servers_tool(call: Callable[..., Seen]) -> None:
    seen = call("hang", request_timeout=5)  # of which the server takes a part to start
    tool = seen.one("tool", "hang")
    assert (tool["outcome"], tool["cause.type"]) == ("failed", ERROR)
    assert seen.one("agent").told == done()


@contextlib.contextmanager
def over_http() -> Iterator[str]:
    """The URL of a server whose tool calls are cut on their way."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        command = [sys.executable, "-c", OVER_HTTP, str(listener.fileno())]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()])
    try:
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(120)
@pytest.mark.skipif(MCP_1, reason="mcp 1 sends an exchange outside of the call, which it then never answers")
@pytest.mark.parametrize("outcome", ["rejected", "disconnected"])
def test_a_call_whose_exchange_fails_is_what_became_of_that(outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.LIMIT", 100.0)  # a process of its own has to start

    async def body(program: Program) -> None:
        with over_http() as url:
            async with agent_framework.MCPStreamableHTTPTool("claims", url, allowed_tools=[outcome]) as made:
                await streamed(agent_framework.Agent(client=client(program, "tool_call"), name=AGENT_NAME, tools=made))

    seen = watch(body)
    tool = seen.one("tool", outcome)
    exchange = next(each for each in seen.streams if each.layer == "http" and seen.above(each)[:1] == [tool])
    assert (tool["outcome"], tool["ended_by"], tool["waiting_on.type"]) == (outcome, "upstream", "http")
    assert (exchange["outcome"], exchange["ended_by"]) == (outcome, "upstream")
    assert (tool["origin"], exchange["origin"]) == (False, True)
    assert seen.one("agent").told == done()
