"""Semantic Kernel's clients behind AutoGen's adapter. Run where ``semantic-kernel`` is installed."""

from importlib import import_module
from typing import Any

import pytest
from autogen_core.models import UserMessage
from harness import (
    API_KEY,
    MODEL_NAME,
    NEVER,
    READ_TIMEOUT,
    TASK,
    TRUNCATED,
    Program,
    Told,
    done,
    origin,
    read,
    timed_out,
    watch,
)
from harness.program import TLS
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

kernel = pytest.importorskip("semantic_kernel")
service: Any = import_module("semantic_kernel.connectors.ai.open_ai")
adapters: Any = import_module("autogen_ext.models.semantic_kernel")

pytestmark = pytest.mark.once


def adapter(program: Program, fault: str, timeout: float) -> Any:
    http_client: Any = DefaultAsyncHttpxClient(verify=TLS)
    url = program.server.url(fault)
    api = AsyncOpenAI(api_key=API_KEY, base_url=url, max_retries=0, timeout=timeout, http_client=http_client)
    made = adapters.SKChatCompletionAdapter(
        service.OpenAIChatCompletion(ai_model_id=MODEL_NAME, async_client=api),
        kernel=kernel.Kernel(),
        prompt_settings=service.OpenAIChatPromptExecutionSettings(),
    )
    return program.keep(made, api.close)


@pytest.mark.parametrize(
    ("fault", "told", "exchange"),
    [
        ("ok", done(), done()),
        ("silent", TRUNCATED, origin(TRUNCATED)),
        ("stall", timed_out(), origin(timed_out())),
    ],
)
def test_a_reply_through_semantic_kernel(fault: str, told: Told, exchange: Told) -> None:
    async def body(program: Program) -> None:
        timeout = READ_TIMEOUT if fault == "stall" else NEVER
        asked = [UserMessage(content=TASK, source="user")]
        await read(adapter(program, fault, timeout).create_stream(asked))

    seen = watch(body)
    assert seen.told("model", "http") == [told, exchange], seen.raised
