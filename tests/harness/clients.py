"""One client of each provider against the fault server."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import anthropic as anthropic_sdk
from autogen_core.models import ChatCompletionClient
from autogen_ext.models.anthropic import AnthropicChatCompletionClient
from autogen_ext.models.ollama import OllamaChatCompletionClient
from autogen_ext.models.openai import AzureOpenAIChatCompletionClient
from openai import DefaultAsyncHttpxClient, Timeout

from autogen_streamtrace.commands.demo.scenarios.program import MODEL_INFO

from .program import API_KEY, HTTPX, MODEL_NAME, NEVER, TLS, Program

Make = Callable[..., ChatCompletionClient]


@dataclass(frozen=True)
class Provider:
    """A provider's client, and what is known of it."""

    make: Make
    """Of a program and a fault of the server; ``timeout`` in seconds is that of a read."""
    httpx: str
    """The HTTP library below it."""
    name: str
    """``gen_ai.provider.name``."""
    stop: str = "stop"
    """Its word for a reply that is whole."""
    length: str = "length"
    tool_calls: str = "tool_calls"


def root(program: Program, fault: str) -> str:
    name, *arguments = fault.split("/")
    return program.server.root(name, *arguments)


def openai(program: Program, fault: str, timeout: float = NEVER) -> ChatCompletionClient:
    return program.client(fault, timeout=timeout)


def azure(program: Program, fault: str, timeout: float = NEVER) -> ChatCompletionClient:
    options = {
        "model": MODEL_NAME,
        "azure_deployment": "claims",
        "azure_endpoint": root(program, fault),
        "api_version": "2024-06-01",
        "api_key": API_KEY,
        "timeout": Timeout(NEVER, read=timeout),
        "max_retries": 0,
        "model_info": MODEL_INFO,
        "http_client": DefaultAsyncHttpxClient(verify=TLS),
    }
    return program.keep(AzureOpenAIChatCompletionClient(**cast(Any, options)))


def anthropic(program: Program, fault: str, timeout: float = NEVER) -> ChatCompletionClient:
    options = {
        "model": "claude-3-5-sonnet-20241022",
        "api_key": API_KEY,
        "base_url": root(program, fault),
        "timeout": anthropic_sdk.Timeout(NEVER, read=timeout),
        "max_retries": 0,
        "model_info": MODEL_INFO,
    }
    return program.keep(AnthropicChatCompletionClient(**cast(Any, options)))


def ollama(program: Program, fault: str) -> ChatCompletionClient:
    """AutoGen's Ollama client has no timeout."""
    options = {"model": "llama3.1", "host": root(program, fault), "model_info": MODEL_INFO}
    client = OllamaChatCompletionClient(**cast(Any, options))
    return program.keep(client, client._client._client.aclose)


PROVIDERS: Final = {
    "openai": Provider(openai, HTTPX, "openai"),
    "azure": Provider(azure, HTTPX, "azure.ai.openai"),
    "anthropic": Provider(anthropic, "httpx", "anthropic", "end_turn", "max_tokens", "tool_use"),
    "ollama": Provider(ollama, "httpx", "ollama", tool_calls="stop"),
}
