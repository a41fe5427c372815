"""The program of a game day: real agents that ask the model behind the chaos proxy, in each way to do it wrong.

docs/game-day.md says when to start it.

python examples/game_day.py WAY [--turns 12] [--timeout 10]
"""

import argparse
import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import ModelClientStreamingChunkEvent
from autogen_core.tools import FunctionTool
from autogen_ext.models.openai import OpenAIChatCompletionClient
from model import INFO

import autogen_streamtrace

TASK = "Where is my claim?"
DEADLINE = 1.0
"""Seconds for a whole turn, where a deadline is to be too short."""
LINGERS = 1.0
"""Seconds that the program lives on when its readers have left."""
BLOCKED = 2.0
"""Seconds for which a tool holds the event loop."""

Way = Callable[[OpenAIChatCompletionClient], Awaitable[None]]


async def read(agent: AssistantAgent) -> None:
    async for _ in agent.run_stream(task=TASK):
        pass


def helper(model: OpenAIChatCompletionClient, *tools: FunctionTool) -> AssistantAgent:
    return AssistantAgent("helper", model, model_client_stream=True, tools=list(tools) or None)


def tool(look_up: Callable[[str], Awaitable[str]]) -> FunctionTool:
    return FunctionTool(look_up, name="look_up", description="Looks a claim up.")


async def ask(model: OpenAIChatCompletionClient) -> None:
    """Reads the answer to its end."""
    await read(helper(model))


async def leave(model: OpenAIChatCompletionClient) -> None:
    """Leaves the answer half-way."""
    async for item in helper(model).run_stream(task=TASK):
        if isinstance(item, ModelClientStreamingChunkEvent):
            break  # the model writes on
    await asyncio.sleep(LINGERS)


async def unread(model: OpenAIChatCompletionClient) -> None:
    """Makes a turn, and never reads it."""
    helper(model).run_stream(task=TASK)


async def deadline(model: OpenAIChatCompletionClient) -> None:
    """Sets a deadline around the turn that is shorter than the client's own timeout."""
    await asyncio.wait_for(read(helper(model)), DEADLINE)


async def fail(model: OpenAIChatCompletionClient) -> None:
    """Calls a tool that raises."""

    async def look_up(claim: str) -> str:
        raise LookupError(claim)

    await read(helper(model, tool(look_up)))


async def block(model: OpenAIChatCompletionClient) -> None:
    """Calls a tool that stops the event loop."""

    async def look_up(claim: str) -> str:
        time.sleep(BLOCKED)  # noqa: ASYNC251 - what a driver without async does
        return f"{claim} is paid"

    await read(helper(model, tool(look_up)))


async def die(model: OpenAIChatCompletionClient) -> None:
    """Is killed with its turns open, as the kernel does it when memory is short."""

    async def kill() -> None:
        while not any(stream.chunks for stream in autogen_streamtrace.open_streams()):  # noqa: ASYNC110 - a look
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)  # the other turns come as far
        os.kill(os.getpid(), signal.SIGKILL)

    await asyncio.gather(read(helper(model)), kill())


WAYS: dict[str, Way] = {way.__name__: way for way in (ask, leave, unread, deadline, fail, block, die)}


async def turns(way: Way, count: int, timeout: float) -> None:
    """So many turns at once, however each ends."""
    url = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:9100/v1")
    key = os.environ.get("OPENAI_API_KEY", "none")
    model = OpenAIChatCompletionClient(
        model="gpt-4o", api_key=key, base_url=url, model_info=INFO, timeout=timeout, max_retries=0
    )
    ended = await asyncio.gather(*(way(model) for _ in range(count)), return_exceptions=True)
    for error in {type(each).__name__ for each in ended if each is not None}:
        print(f"{error} was raised.")
    await model.close()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--turns", type=int, default=12, help="at once")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds that the client waits for the next byte")
    told = parser.parse_args(arguments)
    autogen_streamtrace.instrument()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(turns(WAYS[told.way], told.turns, told.timeout))


if __name__ == "__main__":
    main()
