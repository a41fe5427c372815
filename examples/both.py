"""A turn of AutoGen and one of Agent Framework, side by side: the model of each stops in the middle of its reply.

pip install 'autogen-streamtrace[demo,frameworks]'
OTEL_TRACES_EXPORTER=console OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=console python examples/both.py
"""

import asyncio

import autogen_streamtrace

autogen_streamtrace.instrument()

from agent_framework import Agent  # noqa: E402 - the line works before and after
from agent_framework_openai import OpenAIChatCompletionClient  # noqa: E402
from autogen_agentchat.agents import AssistantAgent  # noqa: E402
from model import client, server  # noqa: E402
from openai import AsyncOpenAI  # noqa: E402

QUESTION = "Where is my claim?"


async def of_autogen() -> int:
    model = client("silent")
    count = 0
    async for _ in AssistantAgent("helper", model, model_client_stream=True).run_stream(task=QUESTION):
        count += 1
    await model.close()
    return count


async def of_agent_framework() -> int:
    async with AsyncOpenAI(base_url=server().url("silent"), api_key="none") as sdk:
        agent = Agent(client=OpenAIChatCompletionClient(model="gpt-4o", async_client=sdk), name="helper")
        async with agent.run(QUESTION, stream=True) as updates:  # closed at once, however this block ends
            return len([update async for update in updates])


async def main() -> None:
    print(f"AutoGen: {await of_autogen()} items, then nothing more. Nothing was raised.")
    print(f"Agent Framework: {await of_agent_framework()} updates, then nothing more. Nothing was raised.")


asyncio.run(main())
