"""An MCP server on its standard streams: a tool that answers, one that raises, one that hangs, one that dies."""

import asyncio
import os

from mcp.server.fastmcp import FastMCP

server = FastMCP("claims", log_level="CRITICAL")


@server.tool()
async def fetch(claim: str) -> str:
    return f"{claim} is approved"


@server.tool()
async def fail() -> str:
    raise LookupError("no such claim")


@server.tool()
async def hang() -> str:
    await asyncio.Event().wait()
    return ""


@server.tool()
async def die() -> str:
    os._exit(3)


if __name__ == "__main__":
    server.run()
