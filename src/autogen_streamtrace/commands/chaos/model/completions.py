"""The bytes of a chat completion, as an event stream or as one JSON document."""

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

MODEL: Final = "gpt-4o-2024-08-06"
USAGE: Final = {"prompt_tokens": 3, "completion_tokens": 12, "total_tokens": 15}
DONE: Final = b"data: [DONE]\n\n"


class Form(Protocol):
    """How a completion is written. Each method returns what goes into the HTTP body at that point."""

    content_type: str
    done: bytes

    def info(self) -> bytes: ...

    def text(self, word: str) -> bytes: ...

    def tool_call(self, name: str, arguments: str) -> bytes: ...

    def finish(self, reason: str, usage: Mapping[str, int] | None = None) -> bytes: ...

    def usage(self) -> bytes: ...

    def error(self, message: str) -> bytes:
        """An error inside a reply that began with 200."""


def event(data: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def error(message: str, kind: str = "server_error") -> dict[str, Any]:
    """An error as the API words it, in a body or in an event."""
    return {"error": {"message": message, "type": kind, "code": None}}


class EventStream:
    """A completion for `"stream": true`."""

    content_type = "text/event-stream"
    done = DONE

    def info(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def text(self, word: str) -> bytes:
        return self._chunk({"content": word})

    def tool_call(self, name: str, arguments: str) -> bytes:
        function = {"name": name, "arguments": ""}
        start = {"index": 0, "id": "call_1", "type": "function", "function": function}
        rest = {"index": 0, "function": {"arguments": arguments}}
        return self._chunk({"tool_calls": [start]}) + self._chunk({"tool_calls": [rest]})

    def finish(self, reason: str, usage: Mapping[str, int] | None = None) -> bytes:
        return self._chunk({}, reason, usage)

    def usage(self) -> bytes:
        return event(self._body([], USAGE))

    def error(self, message: str) -> bytes:
        return event(error(message))

    def _chunk(
        self, delta: Mapping[str, Any], reason: str | None = None, usage: Mapping[str, int] | None = None
    ) -> bytes:
        return event(self._body([{"index": 0, "delta": delta, "finish_reason": reason}], usage))

    def _body(self, choices: list[dict[str, Any]], usage: Mapping[str, int] | None) -> dict[str, Any]:
        body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": choices}
        return body | {"usage": usage} if usage else body


class Whole:
    """A reply in one piece: blank lines while the model works, as some providers send, then one JSON document."""

    content_type = "application/json"
    done = b""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._calls: list[dict[str, Any]] = []

    def info(self) -> bytes:
        return b""

    def text(self, word: str) -> bytes:
        self._words.append(word)
        return b"\n"

    def usage(self) -> bytes:
        return b""


class Document(Whole):
    """A completion without `"stream"`."""

    def tool_call(self, name: str, arguments: str) -> bytes:
        function = {"name": name, "arguments": arguments}
        self._calls.append({"id": "call_1", "type": "function", "function": function})
        return b"\n"

    def finish(self, reason: str, usage: Mapping[str, int] | None = None) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._words)}
        if self._calls:
            message |= {"content": None, "tool_calls": self._calls}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice]}
        return json.dumps(body | {"usage": usage or USAGE}).encode()

    def error(self, message: str) -> bytes:
        return event(error(message))
