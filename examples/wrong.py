"""The same done wrong, a URL for each way. README.md says what the telemetry tells of each."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import uvicorn
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import ModelClientStreamingChunkEvent
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.tools import FunctionTool
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from model import agent, client

import autogen_streamtrace

TASK = "Where is my claim?"

autogen_streamtrace.instrument(stall_after=0.5)  # its own 10 s are longer than anything that stands still here
app = FastAPI()

Words = Callable[[], AsyncIterator[str]]
ways: dict[str, Words] = {}


def way(words: Words) -> Words:
    """Puts a way to do it wrong under its own name."""
    ways[words.__name__.rstrip("_")] = words
    return words


async def spoken(helper: AssistantAgent | RoundRobinGroupChat) -> AsyncIterator[str]:
    """The words of a turn."""
    async for item in helper.run_stream(task=TASK):
        if isinstance(item, ModelClientStreamingChunkEvent):
            yield item.content


def with_tool(tool: Callable[..., Awaitable[str]]) -> AssistantAgent:
    """An agent that calls this tool."""
    return agent(client("tool_call"), tools=[FunctionTool(tool, description="Looks a claim up.")])


def impatient() -> AssistantAgent:
    """An agent whose client waits for less long than the model pauses."""
    return agent(client("stall", timeout=0.5))


@way
async def break_() -> AsyncIterator[str]:
    async for word in spoken(agent(client("slow/20"))):
        yield word
        break  # the model writes on; read to the end, or close the stream with contextlib.aclosing


@way
async def unread() -> AsyncIterator[str]:
    agent(client()).run_stream(task=TASK)  # an asynchronous generator: calling it does nothing
    yield "done"


@way
async def blocking() -> AsyncIterator[str]:
    async def look_up(claim: str) -> str:
        time.sleep(2.0)  # noqa: ASYNC251 - stops every stream of the process; await asyncio.to_thread(…) does not
        return f"{claim} is paid"

    async for word in spoken(with_tool(look_up)):
        yield word


@way
async def unbounded() -> AsyncIterator[str]:
    async def look_up(claim: str) -> str:
        await asyncio.Event().wait()  # a server that never answers; await asyncio.wait_for(…, 20) gives up
        return claim

    words: list[str] = []

    async def read() -> None:
        words.extend([word async for word in spoken(with_tool(look_up))])

    try:
        await asyncio.wait_for(read(), 3.0)
    except asyncio.TimeoutError:
        yield "".join(words)


@way
async def deadline() -> AsyncIterator[str]:
    # Shorter than the client's 60 s: nobody learns that it was the model that fell silent.
    words: list[str] = []

    async def read() -> None:
        async for word in spoken(agent(client("stall"))):
            words.append(word)

    try:
        await asyncio.wait_for(read(), 3.0)
    except asyncio.TimeoutError:
        yield "".join(words)


@way
async def impatient_() -> AsyncIterator[str]:
    async for word in spoken(impatient()):
        yield word


@way
async def swallowed() -> AsyncIterator[str]:
    try:
        async for word in spoken(agent(client("fin"))):
            yield word
    except Exception:  # the user gets half an answer that looks whole; say `event: error`
        pass


@way
async def unfinished() -> AsyncIterator[str]:
    async for word in spoken(agent(client("silent"))):
        yield word  # and nobody asks whether the model was finished


one_for_all = RoundRobinGroupChat([agent(client("slow/8"))], max_turns=1)


@way
async def shared() -> AsyncIterator[str]:
    async for word in spoken(one_for_all):  # it keeps its history, and runs once at a time; make one per turn
        yield word


@way
async def silent() -> AsyncIterator[str]:
    await asyncio.sleep(1.5)  # as long as a model thinks; no `: ping` keeps the connection alive meanwhile
    async for word in spoken(agent(client())):
        yield word


@app.get("/")
async def index() -> list[str]:
    """The ways."""
    return [f"/{name}" for name in ways]


@app.get("/{name}")
async def stream(name: str) -> StreamingResponse:
    """One of them."""
    return StreamingResponse(ways[name](), media_type="text/event-stream")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8001")))
