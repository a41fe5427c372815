"""Layer ``model``: a ``create_stream`` or an unstreamed ``create`` of any chat completion client."""

import functools
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core import tap
from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.evidence import content
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.stream.models import model_info, parameters
from autogen_streamtrace.core.stream.scope import outer_model
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState, weakly
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.neighbours import autogen

_PROVIDERS: Final = {
    "AzureOpenAIChatCompletionClient": "azure.ai.openai",
    "BaseOpenAIChatCompletionClient": "openai",
    "BaseAnthropicChatCompletionClient": "anthropic",
    "BaseOllamaChatCompletionClient": "ollama",
    "AzureAIChatCompletionClient": "azure.ai.inference",
}
"""``gen_ai.provider.name`` by the nearest base class of the client that is listed here."""


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches every ``ChatCompletionClient`` of ``autogen_core.models``."""
    finished = module.CreateResult

    def info(client: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, streamed: bool) -> StreamInfo:
        known = _info(client, kwargs, streamed=streamed)
        if not tracker.captures:
            return known
        messages = args[0] if args else kwargs.get("messages", ())
        return known._replace(content=content.of_request(messages, kwargs.get("tools", ())))

    def streamed(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def create_stream(self: Any, *args: Any, **kwargs: Any) -> Any:
            source = original(self, *args, **kwargs)
            outer = outer_model()
            if outer is not None:
                return tap.overheard(source, outer, finished, _note)
            return tap.watched(tracker, source, lambda: info(self, args, kwargs, streamed=True), finished, _note)

        return create_stream

    def unstreamed(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def create(self: Any, *args: Any, **kwargs: Any) -> Any:
            outer = outer_model()
            if outer is not None:
                result = await original(self, *args, **kwargs)
                with contained("reading an inner client's result"):
                    _note(outer, result)
                return result
            known = tap.opened(lambda: info(self, args, kwargs, streamed=False))
            return await tap.call(tracker, known, lambda: original(self, *args, **kwargs), _note)

        return create

    patcher.family(module.ChatCompletionClient, "create_stream", streamed)
    patcher.family(module.ChatCompletionClient, "create", unstreamed)


def _info(client: Any, kwargs: dict[str, Any], *, streamed: bool) -> StreamInfo:
    return model_info(
        _model(client),
        _provider(type(client).__mro__),
        streamed=streamed,
        asked=_asked(client, kwargs),
        subject=client,
        token=weakly(kwargs.get("cancellation_token")),
        framework=autogen.FRAMEWORK,
    )


@functools.lru_cache(maxsize=64)
def _provider(bases: tuple[type, ...]) -> str | None:
    return next((_PROVIDERS[base.__name__] for base in bases if base.__name__ in _PROVIDERS), None)


def _asked(client: Any, kwargs: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The request's parameters. Those of the call win over those of the client."""
    several: list[Any] = []
    for arguments in (autogen.CREATE_ARGUMENTS.of(client), kwargs.get("extra_create_args")):
        if isinstance(arguments, Mapping):
            several += [arguments.get("options"), arguments]
    output = ((sc.GEN_AI_OUTPUT_TYPE, "json"),) if kwargs.get("json_output") else ()
    return parameters(*several) + output


def _model(client: Any) -> str:
    """The model's name, where AutoGen's own clients store it; else the name of the client's class."""
    arguments = autogen.CREATE_ARGUMENTS.of(client)
    model = arguments.get("model") if isinstance(arguments, dict) else autogen.MODEL_NAME.of(client)
    return model if isinstance(model, str) and model else type(client).__name__


def _note(state: StreamState, result: Any) -> None:
    """A number, or None: a client of the user's own may return anything."""
    finish = getattr(result, "finish_reason", "unknown")
    if isinstance(finish, str) and finish != "unknown":
        state.finish = finish
        state.terminated = True
    content = getattr(result, "content", None)
    state.empty = not (content or state.size or getattr(result, "thought", None)) and hasattr(result, "content")
    if not state.info.streamed and isinstance(content, str):
        state.size = len(content)
    usage = getattr(result, "usage", None)
    state.input_tokens = getattr(usage, "prompt_tokens", 0) or state.input_tokens
    state.output_tokens = getattr(usage, "completion_tokens", 0) or state.output_tokens
