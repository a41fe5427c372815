"""The contents of messages, which are recorded only where the operator asks for them.

The shape is that of ``gen_ai.input.messages`` and ``gen_ai.output.messages``, see
https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-events.md.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import contained, report

VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

LIMIT: Final = 1 << 20
"""Characters of a reply, at most, that are recorded."""

logger = logging.getLogger(__name__)

Part = dict[str, Any]


class Capture(NamedTuple):
    """Where contents are recorded."""

    spans: bool
    events: bool


NOWHERE: Final = Capture(spans=False, events=False)
_MODES: Final = {
    "": NOWHERE,
    "false": NOWHERE,
    "no_content": NOWHERE,
    "true": Capture(spans=True, events=False),
    "span_only": Capture(spans=True, events=False),
    "event_only": Capture(spans=False, events=True),
    "span_and_event": Capture(spans=True, events=True),
}


def capture(environment: Mapping[str, str]) -> Capture:
    """The choice of the standard variable. For a wrong value there is one warning, and nothing is recorded."""
    chosen = environment.get(VARIABLE, "")
    mode = _MODES.get(chosen.strip().lower())
    if mode is None:
        allowed = "true, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT, false, NO_CONTENT"
        logger.warning("%s: %r is not allowed; no content is recorded. Allowed: %s", VARIABLE, chosen, allowed)
    return mode or NOWHERE


class Content:
    """The contents of one stream's messages."""

    __slots__ = ("_left", "_pieces", "asked", "error", "result")

    def __init__(self, **asked: Any) -> None:
        """``asked``: the contents of its request, by the last part of the attribute's name; None is skipped."""
        self.asked: dict[str, Any] = {key: value for key, value in asked.items() if value}
        self.result: Any = None
        """The terminal item."""
        self.error = ""
        """The message of the exception that ended it."""
        self._pieces: list[str] = []
        self._left = LIMIT

    def add(self, item: Any) -> None:
        """Adds a piece of text that arrived: a string, or an event that contains one.

        An item may be of any class, and its attributes may fail.
        """
        try:
            text = item if isinstance(item, str) else getattr(item, "content", None)
            if isinstance(text, str) and (
                text is item or getattr(item, "type", "") == "ModelClientStreamingChunkEvent"
            ):
                self._pieces.append(text[: self._left])
                self._left -= len(self._pieces[-1])
        except Exception as defect:
            report("reading an item", defect)

    def attributes(self, layer: sc.Layer, finish: str) -> dict[str, Any]:
        """The contents by attribute name, as structures; ``finish`` is the finish reason of a model's reply."""
        found = {_KEYS[key]: value for key, value in self.asked.items()}
        if layer == sc.TOOL:
            if self.result is not None:
                found[sc.GEN_AI_TOOL_RESULT] = _plain(self.result)
        else:
            parts = parts_of(self.result) if self.result is not None else _texts("".join(self._pieces))
            if parts:
                reply: Part = {"role": "assistant", "parts": parts}
                found[sc.GEN_AI_OUTPUT_MESSAGES] = [reply | ({"finish_reason": finish} if finish else {})]
        if self.error:
            found[sc.A_EXCEPTION_MESSAGE] = self.error
        return found


_KEYS: Final = {
    "system": sc.GEN_AI_SYSTEM_INSTRUCTIONS,
    "input": sc.GEN_AI_INPUT_MESSAGES,
    "arguments": sc.GEN_AI_TOOL_ARGUMENTS,
    "tools": sc.GEN_AI_TOOL_DEFINITIONS,
}


def as_text(attributes: dict[str, Any]) -> dict[str, Any]:
    """The same for a span, which takes structures as JSON."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        for key, value in attributes.items()
    }


def of_request(messages: Iterable[Any], tools: Iterable[Any] = ()) -> Content:
    """The contents of a model's request: AutoGen's ``LLMMessage`` objects, and the tools that it may call.

    An iterator is not read, since the program could not read it again.
    """
    messages = messages if isinstance(messages, Sequence) else ()
    tools = tools if isinstance(tools, Sequence) else ()
    return Content(
        system=[part for m in messages if _type(m) == "SystemMessage" for part in parts_of(m)],
        input=_readable(message, (m for m in messages if _type(m) != "SystemMessage")),
        tools=_readable(_tool, tools),
    )


def of_task(task: Any) -> Content:
    """The contents of an agent's or a team's task: a text, a message, or several."""
    if task is None:
        return Content()
    several = task if isinstance(task, list | tuple) else [task]
    return Content(input=_readable(message, several))


def _readable(read: Callable[[Any], Part], several: Iterable[Any]) -> list[Part]:
    """The messages that can be read; an unreadable one is skipped."""
    parts: list[Part] = []
    for each in several:
        with contained("reading a content"):
            parts.append(read(each))
    return parts


def message(said: Any) -> Part:
    """One message."""
    if isinstance(said, str):
        return {"role": "user", "parts": _texts(said)}
    source = getattr(said, "source", "")
    named = {"name": source} if isinstance(source, str) and source else {}
    return {"role": _ROLES.get(_type(said)) or ("user" if source == "user" else "assistant"), **named} | {
        "parts": parts_of(said)
    }


_ROLES: Final = {
    "SystemMessage": "system",
    "UserMessage": "user",
    "AssistantMessage": "assistant",
    "FunctionExecutionResultMessage": "tool",
}


def parts_of(said: Any) -> list[Part]:
    """The parts of a message, or of the last message in a ``Response`` or ``TaskResult``."""
    if isinstance(getattr(said, "messages", None), list):
        return parts_of(said.messages[-1]) if said.messages else []
    if hasattr(said, "chat_message"):
        return parts_of(said.chat_message)
    thought = getattr(said, "thought", None)
    parts: list[Part] = [{"type": "reasoning", "content": thought}] if isinstance(thought, str) and thought else []
    content = getattr(said, "content", said)
    if isinstance(content, list):
        for piece in content:
            with contained("reading a content"):
                parts += _part(piece)
        return parts
    return parts + _texts(content if isinstance(content, str) else _plain(content))


def _part(piece: Any) -> list[Part]:
    if isinstance(piece, str):
        return _texts(piece)
    if hasattr(piece, "arguments"):
        return [{"type": "tool_call", "id": piece.id, "name": piece.name, "arguments": piece.arguments}]
    if hasattr(piece, "call_id"):
        return [{"type": "tool_call_response", "id": piece.call_id, "response": piece.content}]
    return [{"type": "blob", "modality": "image"}]


def _texts(text: Any) -> list[Part]:
    return [{"type": "text", "content": text}] if text else []


def _tool(tool: Any) -> Part:
    schema = tool if isinstance(tool, dict) else tool.schema
    return {"type": "function", **{key: schema[key] for key in ("name", "description", "parameters") if key in schema}}


def _type(said: Any) -> str:
    return str(getattr(said, "type", ""))


def _plain(value: Any) -> Any:
    """A value as JSON; text where JSON has no such type."""
    if callable(getattr(value, "to_text", None)):
        return value.to_text()
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) else value if isinstance(value, str | int | float | bool) else str(value)
