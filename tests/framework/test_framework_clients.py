"""How the chat clients of Agent Framework's packages end, over real sockets: each says the same of the same ending."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import pytest
from agent_framework import Agent
from agent_framework_openai import OpenAIChatClient, OpenAIChatCompletionClient
from harness import API_KEY, MODEL_NAME, READ_TIMEOUT, Program, watch
from harness.program import TLS
from openai import AsyncAzureOpenAI, DefaultAsyncHttpxClient
from programs.framework import WAYS, sdk

pytestmark = pytest.mark.once

TOLD: Final = ("outcome", "ended_by", "waiting_on.type")
Make = Callable[[Program, str, float], Any]
"""A chat client of a model with this fault, with this read timeout."""


def responses(program: Program, fault: str, timeout: float) -> Any:
    return OpenAIChatClient(model=MODEL_NAME, async_client=sdk(program, program.server.url(fault), timeout=timeout))


def azure(program: Program, fault: str, timeout: float) -> Any:
    made = AsyncAzureOpenAI(
        azure_endpoint=program.server.root(fault),
        azure_deployment=MODEL_NAME,
        api_key=API_KEY,
        api_version="2024-10-21",
        max_retries=0,
        timeout=timeout,
        http_client=DefaultAsyncHttpxClient(verify=TLS),
    )
    program.closing(made.close)
    return OpenAIChatCompletionClient(model=MODEL_NAME, async_client=made)


def anthropic(program: Program, fault: str, timeout: float) -> Any:
    from anthropic import AsyncAnthropic

    url = program.server.root(fault)
    made = AsyncAnthropic(api_key=API_KEY, base_url=url, max_retries=0, timeout=timeout)
    program.closing(made.close)
    return import_module("agent_framework_anthropic").AnthropicClient(model=MODEL_NAME, anthropic_client=made)


def ollama(program: Program, fault: str, timeout: float) -> Any:
    from ollama import AsyncClient

    made = AsyncClient(program.server.root(fault), timeout=timeout)
    program.closing(made._client.aclose)
    return import_module("agent_framework_ollama").OllamaChatClient(model=MODEL_NAME, client=made)


def foundry(program: Program, fault: str, timeout: float) -> Any:
    class Project:
        """A project in which one model is deployed."""

        def get_openai_client(self, **options: Any) -> Any:
            return sdk(program, program.server.url(fault), timeout=timeout)

    return import_module("agent_framework_foundry").FoundryChatClient(model=MODEL_NAME, project_client=Project())


MADE: Final = [
    responses,
    azure,
    *(each for each in (anthropic, ollama, foundry) if find_spec(f"agent_framework_{each.__name__}")),
]
"""Those of the packages that are installed: nox's session ``agent_framework`` has all."""

ENDINGS: Final = {
    "ok": ("completed", "model", "none", ""),
    "length": ("length", "model", "none", "model"),
    "silent": ("truncated", "upstream", "none", "http"),
    "fin": ("disconnected", "upstream", "http", "http"),
    "rst": ("disconnected", "upstream", "http", "http"),
    "stall": ("timeout", "http_client", "http", "http"),
    "http_429": ("rejected", "upstream", "http", "http"),
    "error_event": ("rejected", "upstream", "none", "model"),
    "bad_json": ("malformed", "upstream", "none", "model"),
}
"""The outcome of the agent and the model, who ended them, what they waited for, and on which layer it arose."""
CALLS: Final = [
    *((fault, "streamed") for fault in ENDINGS),
    *((fault, "awaited") for fault in ("ok", "length", "rst", "http_429")),
]


@pytest.mark.parametrize(("fault", "way"), CALLS)
@pytest.mark.parametrize("make", MADE)
def test_a_clients_reply_ends(make: Make, fault: str, way: str) -> None:
    async def body(program: Program) -> None:
        client = make(program, fault, READ_TIMEOUT if fault == "stall" else 20.0)
        await WAYS[way](Agent(client=client, name="clerk"))

    seen = watch(body)
    agent, model = seen.one("agent"), seen.one("model", MODEL_NAME)
    assert seen.layers == ["agent", "http", "model"]
    *told, arose = ENDINGS[fault]
    assert [agent[each] for each in TOLD] == [model[each] for each in TOLD] == told
    assert [each.layer for each in seen.streams if each["early"] and each["origin"]] == ([arose] if arose else [])
    if fault == "stall":
        assert (model["limit.id"], model["limit.value"]) == ("http_client.read_timeout", READ_TIMEOUT)
