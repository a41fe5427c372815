"""Layer ``model``: what the clients of ``ollama`` ask."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from autogen_streamtrace.core.evidence import requests
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.stream.models import model_info, parameters
from autogen_streamtrace.core.stream.state import StreamInfo
from autogen_streamtrace.core.tap import Reader
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.flow.sdks import calls
from autogen_streamtrace.neighbours import check_version, sdks

_OPERATIONS: Final = {"/api/chat": "chat", "/api/generate": "text_completion"}
"""``gen_ai.operation.name`` by endpoint. The other ones that stream report progress, such as that of a download."""


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches both clients of ``ollama``."""
    check_version("ollama", *sdks.TESTED["ollama"])

    def describe(client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> StreamInfo | None:
        operation = _OPERATIONS.get(next((a for a in args if isinstance(a, str) and a.startswith("/")), ""))
        if operation is None:
            return None
        body = kwargs.get("json")
        asked: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
        return model_info(
            str(asked.get("model") or type(client).__name__),
            "ollama",
            streamed=bool(kwargs.get("stream")),
            operation=operation,
            asked=parameters(asked.get("options"), asked),
            subject=client,
            content=requests.content_of(asked) if tracker.captures else None,
        )

    for client in (module.AsyncClient, module.Client):
        patcher.family(client, sdks.OLLAMA_REQUEST.attribute, calls.watched(tracker, describe, _READER))
        sdks.OLLAMA_REQUEST.need(client)


def _text(item: Any) -> str:
    message = getattr(item, "message", None)
    return str((item.response if message is None else message.content) or "")


def _holds(item: Any) -> bool:
    """A text, a thought or a call."""
    message = getattr(item, "message", None) or item
    return bool(_text(item) or getattr(message, "thinking", None) or getattr(message, "tool_calls", None))


_READER: Final = Reader(_text, lambda item: str(item.done_reason or "stop") if item.done else "", _holds, _text)
