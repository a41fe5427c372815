"""The bytes of a reply of Ollama's chat API, as JSON lines or as one JSON document.

Source: https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from autogen_streamtrace.commands.chaos.model.completions import Whole

MODEL: Final = "llama3.1"
COUNTS: Final = {"prompt_eval_count": 3, "eval_count": 12, "total_duration": 1, "eval_duration": 1}


def _line(message: Mapping[str, Any], **more: Any) -> bytes:
    said = {"role": "assistant", "content": "", **message}
    head = {"model": MODEL, "created_at": "2026-01-01T00:00:00Z"}
    return json.dumps({**head, "message": said, "done": False, **more}).encode() + b"\n"


def _call(name: str, arguments: str) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": json.loads(arguments)}}


def _reason(reason: str) -> str:
    return "stop" if reason == "tool_calls" else reason


class ChatLines:
    """A reply for ``"stream": true``. Its last line is its terminator."""

    content_type = "application/x-ndjson"
    done = b""

    def info(self) -> bytes:
        return b""

    def text(self, word: str) -> bytes:
        return _line({"content": word})

    def tool_call(self, name: str, arguments: str) -> bytes:
        return _line({"tool_calls": [_call(name, arguments)]})

    def finish(self, reason: str, usage: Mapping[str, int] | None = None) -> bytes:
        return _line({}, done=True, done_reason=_reason(reason), **COUNTS)

    def usage(self) -> bytes:
        return b""

    def error(self, message: str) -> bytes:
        return json.dumps({"error": message}).encode() + b"\n"


class ChatDocument(Whole):
    """A reply for ``"stream": false``."""

    def tool_call(self, name: str, arguments: str) -> bytes:
        self._calls.append(_call(name, arguments))
        return b"\n"

    def finish(self, reason: str, usage: Mapping[str, int] | None = None) -> bytes:
        calls = {"tool_calls": self._calls} if self._calls else {}
        return _line({"content": "".join(self._words), **calls}, done=True, done_reason=_reason(reason), **COUNTS)

    def error(self, message: str) -> bytes:
        return json.dumps({"error": message}).encode()
