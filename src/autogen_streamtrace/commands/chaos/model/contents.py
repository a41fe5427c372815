"""The bytes of a reply of Gemini's API, as an event stream or as one JSON document.

Source: https://ai.google.dev/api/generate-content
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from autogen_streamtrace.commands.chaos.model.completions import Whole

MODEL: Final = "gemini-2.5-flash"
REASONS: Final = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
"""Finish reasons in Gemini's words; others stay as they are."""
USAGE: Final = {"promptTokenCount": 3, "candidatesTokenCount": 12, "totalTokenCount": 15}


def _part(text: str) -> dict[str, Any]:
    return {"text": text}


def _call(name: str, arguments: str) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": json.loads(arguments)}}


def _reply(*parts: Mapping[str, Any], **more: Any) -> bytes:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0, **more}
    return json.dumps(
        {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": MODEL, "responseId": "response-1"}
    ).encode()


def _error(message: str) -> bytes:
    return json.dumps({"error": {"code": 503, "message": message, "status": "UNAVAILABLE"}}).encode()


def _event(data: bytes) -> bytes:
    return b"data: " + data + b"\r\n\r\n"


class ContentEvents:
    """A reply of ``streamGenerateContent`` with ``alt=sse``. Its last event is its terminator."""

    content_type = "text/event-stream"
    done = b""

    def info(self) -> bytes:
        return b""

    def text(self, word: str) -> bytes:
        return _event(_reply(_part(word)))

    def tool_call(self, name: str, arguments: str) -> bytes:
        return _event(_reply(_call(name, arguments)))

    def finish(self, reason: str, usage: Mapping[str, int] | None = None) -> bytes:
        return _event(_reply(_part(""), finishReason=REASONS.get(reason, reason.upper())))

    def usage(self) -> bytes:
        return b""

    def error(self, message: str) -> bytes:
        return _event(_error(message))


class Content(Whole):
    """A reply of ``generateContent``."""

    def tool_call(self, name: str, arguments: str) -> bytes:
        self._calls.append(_call(name, arguments))
        return b"\n"

    def finish(self, reason: str, usage: Mapping[str, int] | None = None) -> bytes:
        text = [_part("".join(self._words))] if self._words else []
        return _reply(*text, *self._calls, finishReason=REASONS.get(reason, reason.upper()))

    def error(self, message: str) -> bytes:
        return _error(message)
