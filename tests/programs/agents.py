"""A real agent over the real OpenAI client."""

import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final

from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient
from openai import DefaultAsyncHttpxClient

TLS: Final = ssl.create_default_context()
"""Made once: each client of its own would take a twelfth of a second to make it."""


def model_agent(
    url: str, name: str = "writer", timeout: float = 30, tools: Any = None
) -> tuple[AssistantAgent, Callable[[], Awaitable[None]]]:
    """The agent, and what closes its client, whose ``timeout`` is in seconds."""
    more: Any = {"http_client": DefaultAsyncHttpxClient(verify=TLS)}
    client = OpenAIChatCompletionClient(
        model="gpt-4o", api_key="none", base_url=url, max_retries=0, timeout=timeout, **more
    )
    return AssistantAgent(name, client, tools=tools, model_client_stream=True), client.close
