"""The endpoints at which an SDK asks a model, and how the items of their streams are read."""

import re
from typing import Any, Final, NamedTuple

from autogen_streamtrace.core.tap import Reader


class Endpoint(NamedTuple):
    """An endpoint that answers with a model's reply."""

    path: re.Pattern[str]
    """Where a request's path ends like this."""
    reader: Reader
    operation: str = "chat"
    """``gen_ai.operation.name``."""
    unstreamed: bool = True
    """Its unstreamed replies are a model's, too; else only its streams are watched."""


def _chat_text(item: Any) -> str:
    choices = item.choices
    return (choices[0].delta.content or "") if choices else ""


def _chat_ends(item: Any) -> str:
    choices = item.choices
    return (choices[0].finish_reason or "") if choices else ""


def _chat_holds(item: Any) -> bool:
    """A piece with a role alone holds nothing."""
    said = ({**vars(choice.delta), **(choice.delta.model_extra or {})} for choice in item.choices)
    return any(value for delta in said for key, value in delta.items() if key != "role")


def _chat_whole(reply: Any) -> str:
    return "" if reply.choices == [] else str(reply.choices[0].message.content or "")


def _legacy_text(item: Any) -> str:
    return str(item.choices[0].text or "") if item.choices else ""


def _event_text(item: Any) -> str:
    """Of a response, an agent's run or a transcription: events that name themselves."""
    return str(item.delta) if getattr(item, "type", "") in _TEXT_EVENTS else ""


def _event_ends(item: Any) -> str:
    """The last word of the last event, such as ``completed``; the body says more."""
    kind = str(getattr(item, "type", None) or getattr(item, "event", ""))
    return kind.rpartition(".")[2] if kind in _LAST_EVENTS else ""


def _message_text(item: Any) -> str:
    return str(getattr(item.delta, "text", "") or "") if item.type == "content_block_delta" else ""


def _message_ends(item: Any) -> str:
    return str(item.delta.stop_reason or "") if item.type == "message_delta" else ""


def _message_holds(item: Any) -> bool:
    return str(item.type).startswith("content_block")


def _message_whole(reply: Any) -> str:
    return "".join(block.text for block in reply.content if block.type == "text")


def _anything(item: Any) -> bool:
    return True


def _no_text(reply: Any) -> str:
    return ""


_TEXT_EVENTS: Final = frozenset({"response.output_text.delta", "response.refusal.delta", "transcript.text.delta"})
_LAST_EVENTS: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "error", "transcript.text.done"}
    | {"image_generation.completed", "image_edit.completed"}
    | {"thread.run.completed", "thread.run.incomplete", "thread.run.failed", "thread.run.requires_action"}
)

CHAT: Final = Reader(_chat_text, _chat_ends, _chat_holds, _chat_whole)
RESPONSE: Final = Reader(_event_text, _event_ends, _anything, lambda reply: str(reply.output_text))
MESSAGE: Final = Reader(_message_text, _message_ends, _message_holds, _message_whole)
_LEGACY: Final = Reader(
    _legacy_text,
    lambda item: (item.choices[0].finish_reason or "") if item.choices else "",
    lambda item: bool(_legacy_text(item)),
    _legacy_text,
)
_PROMPT: Final = Reader(
    lambda item: str(item.completion or ""),
    lambda item: str(item.stop_reason or ""),
    _anything,
    lambda reply: str(reply.completion),
)
_OTHER: Final = Reader(_event_text, _event_ends, _anything, _no_text)

ENDPOINTS: Final = (
    Endpoint(re.compile(r"(^|/)chat/completions$"), CHAT),
    Endpoint(re.compile(r"(^|/)responses$"), RESPONSE),
    Endpoint(re.compile(r"(^|/)responses/[^/]+$"), RESPONSE, unstreamed=False),
    Endpoint(re.compile(r"(^|/)v1/messages$"), MESSAGE),
    Endpoint(re.compile(r"(^|/)v1/complete$"), _PROMPT, "text_completion"),
    Endpoint(re.compile(r"(^|/)completions$"), _LEGACY, "text_completion"),
    Endpoint(re.compile(r"(^|/)threads/(.*/)?runs(/[^/]+/submit_tool_outputs)?$"), _OTHER, unstreamed=False),
    Endpoint(re.compile(r"(^|/)audio/transcriptions$"), _OTHER, unstreamed=False),
    Endpoint(re.compile(r"(^|/)images/(generations|edits)$"), _OTHER, "generate_content", unstreamed=False),
)
"""The first that fits counts. At other endpoints, an SDK's requests are watched as HTTP exchanges alone."""


def endpoint(url: str, *, streamed: bool) -> Endpoint | None:
    """The endpoint of a request, where it is a model's."""
    path = url.partition("?")[0].rstrip("/")
    for each in ENDPOINTS:
        if each.path.search(path):
            return each if streamed or each.unstreamed else None
    return None
