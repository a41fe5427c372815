"""A chat completion client without a model, for agents in tests."""

from collections.abc import AsyncGenerator
from typing import Any

from autogen_core.models import ChatCompletionClient, CreateResult, ModelInfo, RequestUsage

RESULT = CreateResult(
    finish_reason="stop", content="hello", usage=RequestUsage(prompt_tokens=1, completion_tokens=1), cached=False
)
_INFO = ModelInfo(vision=False, function_calling=True, json_output=False, family="unknown", structured_output=False)


class Client(ChatCompletionClient):
    """Says hello."""

    component_type = "model"

    async def create(self, *args: Any, **kwargs: Any) -> CreateResult:
        return RESULT

    def create_stream(self, *args: Any, **kwargs: Any) -> Any:
        return hello()

    async def close(self) -> None: ...

    def actual_usage(self) -> RequestUsage:
        return RESULT.usage

    def total_usage(self) -> RequestUsage:
        return RESULT.usage

    def count_tokens(self, *args: Any, **kwargs: Any) -> int:
        return 1

    def remaining_tokens(self, *args: Any, **kwargs: Any) -> int:
        return 1

    @property
    def capabilities(self) -> Any:
        return _INFO

    @property
    def model_info(self) -> ModelInfo:
        return _INFO


async def hello() -> AsyncGenerator[Any, None]:
    """What a well-behaved client streams."""
    yield "hello"
    yield RESULT
