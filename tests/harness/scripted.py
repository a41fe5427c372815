"""Models that answer with what a test says, over AutoGen's replay client."""

import json
from collections.abc import Sequence
from typing import Any, Final, cast

from autogen_agentchat.agents import AssistantAgent
from autogen_core import FunctionCall
from autogen_core.models import CreateResult, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient

from autogen_streamtrace.commands.demo.scenarios.program import MODEL_INFO

INFO: Final[Any] = {**MODEL_INFO, "function_calling": True, "structured_output": True, "json_output": True}
USAGE: Final = RequestUsage(prompt_tokens=1, completion_tokens=1)


def asks(*calls: tuple[str, object]) -> CreateResult:
    """A reply that asks for these tools: a name, and arguments as an object or as the text that the model wrote."""
    content = [
        FunctionCall(id=f"call_{n}", name=name, arguments=told if isinstance(told, str) else json.dumps(told))
        for n, (name, told) in enumerate(calls)
    ]
    return CreateResult(finish_reason="function_calls", content=content, usage=USAGE, cached=False)


def model(*replies: str | CreateResult) -> ReplayChatCompletionClient:
    """A client that gives these replies in turn."""
    return ReplayChatCompletionClient(cast(Any, list(replies)), model_info=INFO)


def speaker(name: str, *replies: str | CreateResult, tools: Sequence[Any] = (), **options: Any) -> AssistantAgent:
    """An agent that gives these replies in turn."""
    return AssistantAgent(name, model(*replies), tools=list(tools), model_client_stream=True, **options)
