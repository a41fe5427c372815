"""The bytes of a reply of Anthropic's Messages API, as an event stream or as one JSON document.

Source: https://docs.anthropic.com/en/api/messages-streaming
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from autogen_streamtrace.commands.chaos.model.completions import Whole

MODEL: Final = "claude-3-5-sonnet-20241022"
REASONS: Final = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
"""Finish reasons in Anthropic's words; others stay as they are."""
_HEAD: Final = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "stop_sequence": None}


def _event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


class MessageEvents:
    """A reply for ``"stream": true``."""

    content_type = "text/event-stream"
    done = _event("message_stop")

    def __init__(self) -> None:
        self._block = 0

    def info(self) -> bytes:
        message: dict[str, Any] = {
            **_HEAD,
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 3, "output_tokens": 1},
        }
        return _event("message_start", message=message) + self._start({"type": "text", "text": ""})

    def text(self, word: str) -> bytes:
        return self._delta({"type": "text_delta", "text": word})

    def tool_call(self, name: str, arguments: str) -> bytes:
        stop, self._block = self._stop(), self._block + 1
        start = self._start({"type": "tool_use", "id": "toolu_1", "name": name, "input": {}})
        return stop + start + self._delta({"type": "input_json_delta", "partial_json": arguments})

    def finish(self, reason: str, usage: Mapping[str, int] | None = None) -> bytes:
        delta = {"stop_reason": REASONS.get(reason, reason), "stop_sequence": None}
        return self._stop() + _event("message_delta", delta=delta, usage={"output_tokens": 12})

    def usage(self) -> bytes:
        return b""

    def error(self, message: str) -> bytes:
        return _event("error", error={"type": "overloaded_error", "message": message})

    def _start(self, block: Mapping[str, Any]) -> bytes:
        return _event("content_block_start", index=self._block, content_block=block)

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        return _event("content_block_delta", index=self._block, delta=delta)

    def _stop(self) -> bytes:
        return _event("content_block_stop", index=self._block)


class Message(Whole):
    """A reply without ``"stream"``."""

    def tool_call(self, name: str, arguments: str) -> bytes:
        self._calls.append({"type": "tool_use", "id": "toolu_1", "name": name, "input": json.loads(arguments)})
        return b"\n"

    def finish(self, reason: str, usage: Mapping[str, int] | None = None) -> bytes:
        text = [{"type": "text", "text": "".join(self._words)}] if self._words else []
        said = {"content": [*text, *self._calls], "stop_reason": REASONS.get(reason, reason)}
        return json.dumps({**_HEAD, **said, "usage": {"input_tokens": 3, "output_tokens": 12}}).encode()

    def error(self, message: str) -> bytes:
        return json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": message}}).encode()
