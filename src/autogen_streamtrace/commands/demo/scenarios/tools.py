"""Turns that call a tool."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from autogen_core.tools import FunctionTool

from autogen_streamtrace.commands.demo.scenarios.expectation import CANCELLED, Says, Scenario, done, each, turns
from autogen_streamtrace.commands.demo.scenarios.program import TASK, Program, read
from autogen_streamtrace.core import semconv

TOOL: Final = "fetch_claim"
OVERRUN: Final = 0.3
"""How long a hung tool runs on after its caller has given up, in seconds."""


def tool(body: Callable[[str], Awaitable[str]]) -> FunctionTool:
    async def fetch_claim(claim_id: str) -> str:
        return await body(claim_id)

    return FunctionTool(fetch_claim, "Fetch a claim.", name=TOOL)


async def fetch(claim_id: str) -> str:
    return f"Claim {claim_id} is approved."


async def fail(claim_id: str) -> str:
    raise ConnectionResetError("the claims backend hung up")


async def tool_call(program: Program) -> None:
    url = program.server.url("tool_call")
    await read(program.agent(url, tools=[tool(fetch)]).run_stream(task=TASK))


async def tool_raises(program: Program) -> None:
    url = program.server.url("tool_call")
    await read(program.agent(url, tools=[tool(fail)]).run_stream(task=TASK))


async def tool_hang(program: Program) -> None:
    hanging = asyncio.Event()

    async def hang(claim_id: str) -> str:
        hanging.set()
        await asyncio.sleep(OVERRUN)
        return claim_id

    agent = program.agent(program.server.url("tool_call"), tools=[tool(hang)])
    task = asyncio.ensure_future(read(agent.run_stream(task=TASK)))
    await hanging.wait()
    task.cancel()
    await task


GAVE_UP: Final = replace(CANCELLED, waiting_on=semconv.TOOL, waiting_on_name=TOOL)

SCENARIOS = (
    Scenario(
        "tool_call",
        "a tool is called, and the model reflects on its result",
        tool_call,
        (*turns(2), done(semconv.TOOL, TOOL)),
    ),
    Scenario(
        "tool_raises",
        "a tool raises, and the run goes on",
        tool_raises,
        (
            *turns(2),
            Says(semconv.TOOL, semconv.FAILED, semconv.TOOL, cause="ConnectionResetError", origin=True, name=TOOL),
        ),
    ),
    Scenario(
        "tool_hang",
        "a tool hangs, and the reader's task is cancelled",
        tool_hang,
        (
            done(semconv.HTTP),
            done(semconv.MODEL),
            *each((semconv.AGENT,), GAVE_UP, semconv.AGENT),
            replace(GAVE_UP, layer=semconv.TOOL, name=TOOL, overrun=True),
        ),
        raises=r"asyncio\.exceptions\.CancelledError",
    ),
)
