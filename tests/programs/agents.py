"""A real agent over the real OpenAI client."""

from collections.abc import Awaitable, Callable

from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient


def model_agent(
    url: str, name: str = "writer", timeout: float = 30
) -> tuple[AssistantAgent, Callable[[], Awaitable[None]]]:
    """The agent, and what closes its client, whose ``timeout`` is in seconds."""
    client = OpenAIChatCompletionClient(model="gpt-4o", api_key="none", base_url=url, max_retries=0, timeout=timeout)
    return AssistantAgent(name, client, model_client_stream=True), client.close
