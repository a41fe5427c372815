"""A FastAPI application that streams an agent's turn to its user, in every way in which that is done.

``MODEL_URL`` is the model server's, with ``FAULT`` in it. ``INSTRUMENT`` says when ``instrument()`` is called:
``first``, ``last`` or ``never``; ``OFFICIAL`` whether OpenTelemetry's FastAPI instrumentation is applied ``before``
that, or ``after`` it.
"""

import asyncio
import gc
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar

import autogen_streamtrace

WHEN = os.environ.get("INSTRUMENT", "first")
if WHEN == "first":
    autogen_streamtrace.instrument()

from autogen_agentchat.agents import AssistantAgent  # noqa: E402
from autogen_agentchat.messages import ModelClientStreamingChunkEvent  # noqa: E402
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect  # noqa: E402
from fastapi.responses import PlainTextResponse, StreamingResponse  # noqa: E402
from programs.agents import model_agent  # noqa: E402
from sse_starlette import EventSourceResponse  # noqa: E402
from uvicorn_worker import UvicornWorker  # type: ignore[import-untyped]  # noqa: E402

PIECE = b"x" * 32_768
PIECES = 256

app = FastAPI()
mounted = FastAPI()
around = FastAPI()


def agent(name: str, fault: str, *tools: Any) -> tuple[AssistantAgent, Callable[[], Awaitable[None]]]:
    return model_agent(os.environ["MODEL_URL"].replace("FAULT", fault), name, timeout=90, tools=tools)


async def words(name: str, fault: str) -> AsyncIterator[str]:
    writer, close = agent(name, fault)
    try:
        async for message in writer.run_stream(task="hello"):
            if isinstance(message, ModelClientStreamingChunkEvent):
                yield message.content
    finally:
        await close()


async def events(name: str, fault: str) -> AsyncIterator[str]:
    async for word in words(name, fault):
        yield f"data: {word}\n\n"


@app.get("/response/{name}/{fault}")
@mounted.get("/response/{name}/{fault}")
@around.get("/response/{name}/{fault}")
async def response(name: str, fault: str) -> StreamingResponse:
    served_by = {"x-process": str(os.getpid())}
    return StreamingResponse(events(name, fault), headers=served_by, media_type="text/event-stream")


@app.get("/sse/{name}/{fault}")
async def sse(name: str, fault: str) -> EventSourceResponse:
    return EventSourceResponse({"data": word} async for word in words(name, fault))


try:
    from fastapi.sse import EventSourceResponse as OwnResponse
except ImportError:
    pass
else:

    @app.get("/own/{name}/{fault}", response_class=OwnResponse)
    async def own(name: str, fault: str) -> AsyncIterator[str]:
        async for word in words(name, fault):
            yield word


@app.get("/framework/{name}/{fault}")
async def framework(name: str, fault: str) -> StreamingResponse:
    """A turn of Agent Framework, which may be absent."""
    from agent_framework import Agent
    from agent_framework_openai import OpenAIChatCompletionClient
    from openai import AsyncOpenAI

    async def texts() -> AsyncIterator[str]:
        url = os.environ["MODEL_URL"].replace("FAULT", fault)
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=90) as sdk:
            writer = Agent(client=OpenAIChatCompletionClient(model="gpt-4o", async_client=sdk), name=name)
            async with writer.run("hello", stream=True) as updates:
                async for update in updates:
                    yield f"data: {update.text}\n\n"

    return StreamingResponse(texts(), media_type="text/event-stream")


@app.websocket("/socket/{name}/{fault}")
async def socket(websocket: WebSocket, name: str, fault: str) -> None:
    """Answers each message with a turn; a task of its own listens for the next."""
    await websocket.accept()
    listening = asyncio.ensure_future(websocket.receive_text())
    await listening
    answering = asyncio.ensure_future(answer(websocket, name, fault))
    listening = asyncio.ensure_future(websocket.receive_text())
    await asyncio.wait([answering, listening], return_when=asyncio.FIRST_COMPLETED)
    if not answering.done():
        answering.cancel()
    await asyncio.wait([answering, listening])
    for task in (answering, listening):
        if not task.cancelled():
            task.exception()


async def answer(websocket: WebSocket, name: str, fault: str) -> None:
    async for word in words(name, fault):
        await websocket.send_text(word)


@app.websocket("/deaf/{name}/{fault}")
async def deaf(websocket: WebSocket, name: str, fault: str) -> None:
    """Nobody listens while it sends: only ``send`` says that the user is gone."""
    await websocket.accept()
    try:
        await answer(websocket, name, fault)
        await websocket.close()
    except WebSocketDisconnect:
        pass


@app.get("/awaited/{name}/{fault}")
async def awaited(name: str, fault: str) -> str:
    """No stream to the user, and nobody listens."""
    writer, close = agent(name, fault)
    try:
        return str((await writer.run(task="hello")).stop_reason)
    finally:
        await close()


@app.get("/stays/{name}/{fault}")
async def stays(name: str, fault: str) -> StreamingResponse:
    """The turn goes on without its user, and is whole."""
    turn: asyncio.Queue[str | None] = asyncio.Queue()

    async def run() -> None:
        async for word in events(name, fault):
            turn.put_nowait(word)
        turn.put_nowait(None)

    async def relay() -> AsyncIterator[str]:
        while (word := await turn.get()) is not None:
            yield word

    kept.add(asyncio.ensure_future(run()))
    return StreamingResponse(relay(), media_type="text/event-stream")


@app.get("/ponders/{name}/{fault}")
async def ponders(name: str, fault: str) -> StreamingResponse:
    """What it has of the model it works on for long."""

    async def thoughts() -> AsyncIterator[str]:
        async for event in events(name, fault):
            yield event
            await asyncio.sleep(60)

    return StreamingResponse(thoughts(), media_type="text/event-stream")


@app.get("/flood/{name}")
async def flood(name: str) -> StreamingResponse:
    """As fast as the user takes it."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(PIECES):
            given[name] += 1
            yield PIECE

    source = autogen_streamtrace.trace_stream(pieces(), name)
    return StreamingResponse(source, media_type="application/octet-stream")


@app.get("/given/{name}")
async def so_far(name: str) -> int:
    """How many pieces the flood of this name has given."""
    return given[name]


@app.get("/blocked/{name}")
async def blocked(name: str) -> StreamingResponse:
    """A tool blocks the event loop, and all that it serves."""
    writer, close = agent(name, "tool_call", block)

    async def types() -> AsyncIterator[str]:
        try:
            async for message in writer.run_stream(task="hello"):
                yield f"data: {type(message).__name__}\n\n"
        finally:
            await close()

    return StreamingResponse(types(), media_type="text/event-stream")


async def block(claim_id: str) -> str:
    """Fetches a claim."""
    time.sleep(60)  # noqa: ASYNC251 - that is the fault
    return "none"


@app.get("/blocks/{seconds}")
async def blocks(seconds: float) -> None:
    """Stops its event loop."""
    time.sleep(seconds)  # noqa: ASYNC251


@app.get("/quiet")
async def quiet() -> Response:
    return PlainTextResponse("quiet")


@app.get("/collect")
async def collect() -> int:
    """A body that its client does not close is open until the garbage collection."""
    return gc.collect()


@around.middleware("http")
async def pass_on(request: Request, call_next: Callable[[Request], Awaitable[Any]]) -> Any:
    return await call_next(request)


kept: set[Any] = set()
given: Counter[str] = Counter()
app.mount("/mounted", mounted)
app.mount("/around", around)


def official() -> None:
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    FastAPIInstrumentor.instrument_app(app)


if os.environ.get("OFFICIAL") == "before":
    official()
if WHEN == "last":
    autogen_streamtrace.instrument()
if os.environ.get("OFFICIAL") == "after":
    official()


class HurriedWorker(UvicornWorker):  # type: ignore[misc]
    """Cancels what is open before gunicorn's own patience ends in SIGKILL."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {**UvicornWorker.CONFIG_KWARGS, "timeout_graceful_shutdown": 1}
