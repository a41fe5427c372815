"""A FastAPI application that streams an agent's turn to its user; ``served.py MODEL_URL`` runs it under uvicorn.

``OPEN`` is printed when the first word has gone out. The second turn is one that ended before.
"""

import asyncio
import sys
from collections.abc import AsyncIterator

import uvicorn
from autogen_agentchat.messages import ModelClientStreamingChunkEvent
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from programs.agents import model_agent

import autogen_streamtrace

GRACE = 1
"""Seconds that uvicorn waits for open streams; the model's stream that stalls never ends."""

autogen_streamtrace.instrument()
app = FastAPI()


@app.get("/{name}/{fault}")
async def chat(name: str, fault: str) -> StreamingResponse:
    async def words() -> AsyncIterator[str]:
        agent, close = model_agent(sys.argv[1].replace("FAULT", fault), name)
        try:
            async for message in agent.run_stream(task="hello"):
                if isinstance(message, ModelClientStreamingChunkEvent):
                    yield message.content
        finally:
            await close()

    return StreamingResponse(words(), media_type="text/plain")


async def main() -> None:
    # The shortest grace is a whole second in uvicorn's types, not in its code.
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=GRACE))
    serving = asyncio.ensure_future(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await serving


if __name__ == "__main__":
    asyncio.run(main())
