"""The model that the examples talk to: OpenAI's, one at `MODEL_URL`, or a server inside this process."""

import os
from functools import cache
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_core.models import ModelFamily, ModelInfo
from autogen_ext.models.openai import OpenAIChatCompletionClient

from autogen_streamtrace.commands.chaos.model_server import ModelServer

INFO = ModelInfo(
    vision=False,
    function_calling=True,
    json_output=False,
    family=ModelFamily.UNKNOWN,
    structured_output=False,
    multiple_system_messages=True,
)


@cache
def server() -> ModelServer:
    """The model server of this process, started at its first use."""
    started = ModelServer()
    started.start()
    return started


def client(manner: str = "slow/4", timeout: float = 60.0) -> OpenAIChatCompletionClient:
    """A client for the model.

    Args:
        manner: how the server inside this process replies; OpenAI's replies as it does.
        timeout: seconds that the client waits for the next byte.
    """
    if os.environ.get("OPENAI_API_KEY"):
        return OpenAIChatCompletionClient(model="gpt-4o", timeout=timeout)
    url = os.environ.get("MODEL_URL") or server().url(*manner.split("/"))
    return OpenAIChatCompletionClient(
        model="gpt-4o", api_key="none", base_url=url, model_info=INFO, timeout=timeout, max_retries=0
    )


def agent(model: OpenAIChatCompletionClient, **more: Any) -> AssistantAgent:
    """An agent that streams its words."""
    return AssistantAgent("helper", model, model_client_stream=True, **more)
