"""The application: a real agent's words as server-sent events. MODEL is the base URL of the model server."""

import os
from collections.abc import AsyncIterator

import autogen_streamtrace

autogen_streamtrace.instrument()

from autogen_agentchat.agents import AssistantAgent  # noqa: E402
from autogen_agentchat.messages import ModelClientStreamingChunkEvent  # noqa: E402
from autogen_core.models import ModelFamily, ModelInfo  # noqa: E402
from autogen_ext.models.openai import OpenAIChatCompletionClient  # noqa: E402
from fastapi import FastAPI  # noqa: E402
from fastapi.responses import StreamingResponse  # noqa: E402

INFO = ModelInfo(
    vision=False, function_calling=True, json_output=False, family=ModelFamily.UNKNOWN, structured_output=False
)
client = OpenAIChatCompletionClient(
    model="gpt-4o",
    api_key="none",
    base_url=os.environ["MODEL"] + "/v1",
    max_retries=0,
    model_info=INFO,
    timeout=float(os.environ.get("READ_TIMEOUT", "120")),
)
app = FastAPI()


@app.get("/ask")
async def ask(q: str) -> StreamingResponse:
    async def words() -> AsyncIterator[str]:
        agent = AssistantAgent("helper", client, model_client_stream=True)
        async for item in agent.run_stream(task=q):
            if isinstance(item, ModelClientStreamingChunkEvent):
                yield f"data: {item.content}\n\n"
        yield "event: end\ndata:\n\n"

    return StreamingResponse(words(), media_type="text/event-stream")
