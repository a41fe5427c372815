"""FastAPI streams an agent's words as server-sent events, and keeps them, so that a retry need not stream again."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import uvicorn
from autogen_agentchat.messages import ModelClientStreamingChunkEvent
from fastapi import FastAPI, Header
from model import agent, client
from sse_starlette import EventSourceResponse, ServerSentEvent

import autogen_streamtrace

TIMEOUT = 60.0
"""Seconds that the client waits for the model's next byte: longer than the model's pauses."""
DEADLINE = 300.0
"""Seconds for a whole turn: longer than every timeout inside it."""
PING = 15
"""Seconds of silence after which the user's connection is kept alive: shorter than every idle limit on the way."""
KEPT = 1000
"""Turns that are kept for a retry."""


class Turn:
    """One answer: what has come of it so far, and whether it is whole. Any number of readers, each from anywhere."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.ended = ""
        """``end``, or ``error``; empty while it goes on."""
        self._more = asyncio.Condition()
        self.task: asyncio.Task[None] | None = None

    async def run(self, question: str) -> None:
        """Reads the agent's stream to its end, whoever listens."""
        ended = "error"
        try:
            await asyncio.wait_for(self._read(question), DEADLINE)
            ended = "end"
        finally:
            async with self._more:
                self.ended = ended
                self._more.notify_all()

    async def _read(self, question: str) -> None:
        model = client(timeout=TIMEOUT)
        try:
            async for item in agent(model).run_stream(task=question):  # an agent per turn: it keeps its history
                if isinstance(item, ModelClientStreamingChunkEvent):
                    async with self._more:
                        self.words.append(item.content)
                        self._more.notify_all()
        finally:
            await model.close()

    async def listen(self, first: int) -> AsyncIterator[ServerSentEvent]:
        """The words from ``first`` on as they come, then how it ended."""
        while True:
            async with self._more:
                while len(self.words) <= first and not self.ended:
                    await self._more.wait()
                words, ended = self.words[first:], self.ended
            for word in words:
                first += 1
                yield ServerSentEvent(word, id=str(first))
            if ended and first == len(self.words):
                yield ServerSentEvent(
                    "", event=ended
                )  # without it the user cannot tell a whole answer from half of one
                return


turns: OrderedDict[str, Turn] = OrderedDict()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Lets turns that go on end before the process does."""
    yield
    running = [turn.task for turn in turns.values() if turn.task is not None and not turn.task.done()]
    if running:
        await asyncio.wait(running, timeout=20)


autogen_streamtrace.instrument()
app = FastAPI(lifespan=lifespan)


@app.get("/ask")
async def ask(id: str, question: str, last_event_id: Annotated[int, Header()] = 0) -> EventSourceResponse:  # noqa: A002
    """The answer to a question. The same id again gives the same answer, from ``Last-Event-ID`` on."""
    turn = turns.get(id)
    if turn is None:
        turn = turns[id] = Turn()
        turn.task = asyncio.create_task(turn.run(question))  # its own task: the user may leave, the turn goes on
        while len(turns) > KEPT:
            turns.popitem(last=False)
    headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-cache, no-transform"}
    return EventSourceResponse(turn.listen(last_event_id), ping=PING, headers=headers)


@app.get("/answer")
async def answer(id: str) -> dict[str, str]:  # noqa: A002
    """The text of an answer as far as it has come, without streaming."""
    turn = turns.get(id)
    return {"text": "".join(turn.words) if turn else "", "state": (turn.ended or "running") if turn else "unknown"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")), timeout_graceful_shutdown=30)
