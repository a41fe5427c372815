"""Layer ``model``: a ``create_stream`` or an unstreamed ``create`` of any chat completion client."""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from ..core import names as n
from ..core import tap
from ..core.ledger import Ledger
from ..core.patcher import Patcher
from ..core.record import Opening, Record, weakly
from ..core.scope import current

_PROVIDERS: Final = {
    "AzureOpenAIChatCompletionClient": "azure.ai.openai",
    "BaseOpenAIChatCompletionClient": "openai",
    "BaseAnthropicChatCompletionClient": "anthropic",
    "BaseOllamaChatCompletionClient": "ollama",
    "AzureAIChatCompletionClient": "azure.ai.inference",
}
"""``gen_ai.provider.name`` by the client's nearest named base."""


def apply(module: ModuleType, patcher: Patcher, ledger: Ledger) -> None:
    """Watches every ``ChatCompletionClient`` of ``autogen_core.models``."""
    finished = module.CreateResult

    def streamed(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def create_stream(self: Any, *args: Any, **kwargs: Any) -> Any:
            source = original(self, *args, **kwargs)
            if _inside():
                return source
            return tap.watched(ledger, source, lambda: _opening(self, kwargs, streamed=True), finished, _note)

        return create_stream

    def unstreamed(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def create(self: Any, *args: Any, **kwargs: Any) -> Any:
            if _inside():
                return await original(self, *args, **kwargs)
            opening = tap.opened(lambda: _opening(self, kwargs, streamed=False))
            return await tap.call(ledger, opening, lambda: original(self, *args, **kwargs), _note)

        return create

    patcher.family(module.ChatCompletionClient, "create_stream", streamed)
    patcher.family(module.ChatCompletionClient, "create", unstreamed)


def _inside() -> bool:
    """A client that another one wraps: the outer one has the span."""
    record = current()
    return record is not None and record.layer == n.MODEL and not record.closed


def _opening(client: Any, kwargs: dict[str, Any], *, streamed: bool) -> Opening:
    model = _model(client)
    provider = next((_PROVIDERS[c.__name__] for c in type(client).__mro__ if c.__name__ in _PROVIDERS), None)
    span_name, attributes = _said(model, provider, streamed)
    return Opening(
        n.MODEL,
        model,
        subject=id(client),
        token=weakly(kwargs.get("cancellation_token")),
        span_name=span_name,
        attributes=attributes,
        streamed=streamed,
    )


@functools.lru_cache(maxsize=256)
def _said(model: str, provider: str | None, streamed: bool) -> tuple[str, tuple[tuple[str, Any], ...]]:
    """The span's name and attributes: the same objects for every stream of a model."""
    attributes: tuple[tuple[str, Any], ...] = ((n.GEN_AI_OPERATION, "chat"), (n.GEN_AI_REQUEST_MODEL, model))
    if provider is not None:
        attributes += ((n.GEN_AI_PROVIDER, provider),)
    if streamed:
        attributes += ((n.GEN_AI_REQUEST_STREAM, True),)
    return f"chat {model}", attributes


def _model(client: Any) -> str:
    """The model that the client asks for, as AutoGen's own clients keep it; else the client's class."""
    arguments = getattr(client, "_create_args", None)
    model = arguments.get("model") if isinstance(arguments, dict) else getattr(client, "_model_name", None)
    return model if isinstance(model, str) and model else type(client).__name__


def _note(record: Record, result: Any) -> None:
    """A client of the user's own may answer with anything."""
    finish = getattr(result, "finish_reason", "unknown")
    if isinstance(finish, str) and finish != "unknown":
        record.finish = finish
        record.terminated = True
    content = getattr(result, "content", None)
    if not record.opening.streamed and isinstance(content, str):
        record.size = len(content)
    usage = getattr(result, "usage", None)
    record.input_tokens = getattr(usage, "prompt_tokens", 0) or None
    record.output_tokens = getattr(usage, "completion_tokens", 0) or None
