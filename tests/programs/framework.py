"""Small programs of Agent Framework: real agents and clients against the fault server."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import agent_framework
from agent_framework.observability import OBSERVABILITY_SETTINGS
from agent_framework_openai import OpenAIChatCompletionClient
from harness import AGENT_NAME, API_KEY, MODEL_NAME, NEVER, TASK, TOOL_NAME, Program, Told
from harness.program import TLS
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from autogen_streamtrace import open_streams

Body = Callable[[Program], Awaitable[object]]
Way = Callable[[Any], Awaitable[object]]
"""How the turn of an agent is asked for and read."""


def sdk(program: Program, url: str, *, timeout: float = NEVER, retries: int = 0) -> AsyncOpenAI:
    """OpenAI's own client, which is closed in the end."""
    http = DefaultAsyncHttpxClient(verify=TLS)
    made = AsyncOpenAI(base_url=url, api_key=API_KEY, max_retries=retries, timeout=timeout, http_client=http)
    program.closing(made.close)
    return made


def client(program: Program, fault: str, *, cls: Any = OpenAIChatCompletionClient, **options: Any) -> Any:
    """A chat client over a real socket. ``options`` are those of ``sdk``."""
    url = fault if "://" in fault else program.server.url(*fault.split("/"))
    return cls(model=MODEL_NAME, async_client=sdk(program, url, **options))


def agent(program: Program, fault: str, name: str = AGENT_NAME, **options: Any) -> Any:
    """An agent. ``timeout`` and ``retries`` are the client's."""
    of_client = {key: options.pop(key) for key in ("timeout", "retries") if key in options}
    return agent_framework.Agent(client=client(program, fault, **of_client), name=name, **options)


def tool(body: Callable[[], Awaitable[str]], **options: Any) -> Any:
    """A function tool that does this."""

    async def call(claim_id: str) -> str:
        return await body()

    return agent_framework.tool(call, name=TOOL_NAME, description="Fetches a claim.", **options)


async def streamed(agent: Any, *said: Any, **options: Any) -> Any:
    """Reads a turn to its end, and has its final response."""
    stream = agent.run(*(said or (TASK,)), stream=True, **options)
    async for _ in stream:
        pass
    return await stream.get_final_response()


async def final(agent: Any, *said: Any, **options: Any) -> Any:
    """Has a streamed turn's final response without reading the turn."""
    return await agent.run(*(said or (TASK,)), stream=True, **options).get_final_response()


async def within(agent: Any, *said: Any, **options: Any) -> Any:
    """Reads a turn to its end in an ``async with``."""
    async with agent.run(*(said or (TASK,)), stream=True, **options) as stream:
        return [update async for update in stream]


async def awaited(agent: Any, *said: Any, **options: Any) -> Any:
    """Awaits a turn."""
    return await agent.run(*(said or (TASK,)), **options)


WAYS: Final = {"streamed": streamed, "final": final, "within": within, "awaited": awaited}


BOTH: Final = ["streamed", "awaited"]


def failed_tool(cause: str) -> Told:
    """What a tool's layer says where the tool raised this."""
    return Told("failed", "tool", "none", "", cause, "tool", error_type=cause)


async def read_some(stream: Any, count: int = 3) -> None:
    """Reads so many updates, then breaks."""
    async for _ in stream:
        count -= 1
        if not count:
            break


def turn(fault: str, way: str = "streamed", **options: Any) -> Body:
    """A program of one turn."""
    return lambda program: WAYS[way](agent(program, fault, **options))


DEADLINE: Final = 0.2
"""Seconds, once what it is about has begun."""


async def begun(*layers: str, name: str = "") -> None:
    """Waits until a stream of each of these layers is open and has an item, a tool call none, and one of this name."""
    while True:
        there = {each.layer for each in open_streams() if each.chunks or each.layer == "tool"}
        if there >= set(layers) and name in ("", *(each.name for each in open_streams())):
            return
        await asyncio.sleep(0.01)


async def struck_later(call: Awaitable[object], *layers: str, name: str = "") -> None:
    """Awaits ``call`` under a deadline that is set once this has begun."""
    scope: Any
    async with asyncio.timeout(None) as scope:  # type: ignore[attr-defined]

        async def strike() -> None:
            await begun(*layers, name=name)
            scope.reschedule(asyncio.get_running_loop().time() + DEADLINE)

        striking = asyncio.ensure_future(strike())
        await call
    await striking


async def never() -> str:
    """A tool that hangs."""
    await asyncio.sleep(NEVER)
    return ""


@contextmanager
def telemetry(*, on: bool, sensitive: bool = False) -> Iterator[None]:
    """Agent Framework's own telemetry, and whether it records contents."""
    settings = OBSERVABILITY_SETTINGS
    before = settings.enable_instrumentation, settings.enable_sensitive_data
    settings.enable_instrumentation, settings.enable_sensitive_data = on, sensitive
    try:
        yield
    finally:
        settings.enable_instrumentation, settings.enable_sensitive_data = before
