"""Layer ``model``: a chat client's reply, streamed or not."""

import functools
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from autogen_streamtrace import neighbours
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.exception_kinds import WRAPPERS
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.stream.models import model_info, parameters
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.flow.agent_framework import contents
from autogen_streamtrace.flow.agent_framework.calls import Notes, watched
from autogen_streamtrace.neighbours import agent_framework

_UNKNOWN: Final = "unknown"
"""What the framework says where a client names no provider."""


_WRAPPERS: Final = (
    "ChatClientException",
    "ChatClientInvalidAuthException",
    "ChatClientInvalidRequestException",
    "ChatClientInvalidResponseException",
    "ToolExecutionException",
)
"""What the framework raises from whatever a client or a tool raised."""


def know_wrappers(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Looks through the exceptions of ``agent_framework.exceptions`` for their causes. It is imported first."""
    neighbours.check_version(agent_framework.PACKAGE, agent_framework.FIRST, agent_framework.BEFORE)
    WRAPPERS.update(f"{module.__name__}.{name}" for name in _WRAPPERS)


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches every client of ``agent_framework.observability``'s telemetry layer: inside it is one model call."""
    patcher.attribute(agent_framework.CLIENTS.need(module), "get_response", _wrap(tracker))


def apply_raw(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches the clients of ``agent_framework._clients`` that have no telemetry layer."""
    patcher.attribute(agent_framework.RAW_CLIENTS.need(module), "get_response", _wrap(tracker))


def _wrap(tracker: StreamTracker) -> Any:
    def describe(client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> StreamInfo:
        known = _info(client, kwargs)
        if not tracker.captures:
            return known
        return known._replace(content=contents.of_request(args[0] if args else kwargs.get("messages"), kwargs))

    return watched(tracker, sc.MODEL, describe, Notes(_note_update, _note_response))


def _info(client: Any, kwargs: Mapping[str, Any]) -> StreamInfo:
    options = kwargs.get("options") or {}
    overrides = kwargs.get("client_kwargs") or {}
    model = overrides.get("model") or options.get("model") or getattr(client, "model", None)
    name = model if isinstance(model, str) and model else type(client).__name__
    provider = getattr(client, "otel_provider_name", None) or getattr(client, "OTEL_PROVIDER_NAME", None)
    named = provider if isinstance(provider, str) and provider != _UNKNOWN else None
    known = _known(name, named, bool(kwargs.get("stream")), id(client))
    asked = parameters(options)
    return known._replace(attributes=(*known.attributes, *asked)) if asked else known


@functools.lru_cache(maxsize=256)
def _known(name: str, provider: str | None, streamed: bool, subject: int) -> StreamInfo:
    """One for all replies of a client's model."""
    info = model_info(name, provider, streamed=streamed, framework=agent_framework.FRAMEWORK)
    return info._replace(subject=subject)


def _note_update(state: StreamState, update: Any) -> None:
    if state.chunks == 1:
        state.empty = True
    if update.contents:
        _note_contents(state, update.contents)
    if update.finish_reason:
        _note_finish(state, update.finish_reason)


def _note_response(state: StreamState, response: Any) -> None:
    for message in response.messages:
        _note_contents(state, message.contents)
    _note_usage(state, response.usage_details)
    _note_finish(state, response.finish_reason)


def _note_contents(state: StreamState, pieces: Any) -> None:
    for piece in pieces:
        kind = piece.type
        if kind == "usage":
            _note_usage(state, piece.usage_details)
            continue
        state.empty = False
        if kind == "text" and piece.text:
            state.size += len(piece.text)


def _note_usage(state: StreamState, usage: Any) -> None:
    """Numbers alone: a client of the program's own may say anything."""
    if isinstance(usage, Mapping):
        asked, answered = usage.get("input_token_count"), usage.get("output_token_count")
        state.input_tokens = asked if isinstance(asked, int) and asked else state.input_tokens
        state.output_tokens = answered if isinstance(answered, int) and answered else state.output_tokens


def _note_finish(state: StreamState, reason: Any) -> None:
    if isinstance(reason, str) and reason:
        state.finish = reason
        state.terminal = state.terminated = True
