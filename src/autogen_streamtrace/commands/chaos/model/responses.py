"""The bytes of a reply of OpenAI's Responses API, as an event stream or as one JSON document.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from autogen_streamtrace.commands.chaos.model.completions import MODEL, Whole, error

USAGE: Final = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 12,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 15,
}
INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Finish reasons in the words of this API."""
FINISHED: Final = ("stop", "tool_calls")


def _response(status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    head = {"id": "resp_1", "object": "response", "created_at": 1, "status": status, "error": None, "model": MODEL}
    asked = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "incomplete_details": None}
    return {**head, **asked, "output": output, **more}


def _ended(reason: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    """The response as it is at its end; a reason that the API does not know is a failure."""
    if reason in FINISHED:
        return _response("completed", output, usage=USAGE)
    if reason in INCOMPLETE:
        return _response("incomplete", output, usage=USAGE, incomplete_details={"reason": INCOMPLETE[reason]})
    return _response("failed", output, usage=USAGE, error={"code": "server_error", "message": reason})


def _message(text: str, status: str = "completed") -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": [part]}


def _call(name: str, arguments: str) -> dict[str, Any]:
    called = {"call_id": "call_1", "name": name, "arguments": arguments, "status": "completed"}
    return {"id": "fc_1", "type": "function_call", **called}


class ResponseEvents:
    """A reply for ``"stream": true``."""

    content_type = "text/event-stream"
    done = b""

    def __init__(self) -> None:
        self._number = 0
        self._words: list[str] = []
        self._output: list[dict[str, Any]] = []

    def info(self) -> bytes:
        return self._event("response.created", response=_response("in_progress", []))

    def text(self, word: str) -> bytes:
        begins = b"" if self._words else self._begin()
        self._words.append(word)
        return begins + self._delta("response.output_text.delta", "msg_1", delta=word, content_index=0, logprobs=[])

    def tool_call(self, name: str, arguments: str) -> bytes:
        item = _call(name, arguments)
        added = self._event(
            "response.output_item.added", output_index=len(self._output), item={**item, "arguments": ""}
        )
        delta = self._delta("response.function_call_arguments.delta", "fc_1", delta=arguments)
        done = self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        return added + delta + done

    def finish(self, reason: str, usage: Mapping[str, int] | None = None) -> bytes:
        done = b""
        if self._words:
            text = "".join(self._words)
            done = self._delta("response.output_text.done", "msg_1", text=text, content_index=0, logprobs=[])
            done += self._event("response.output_item.done", output_index=0, item=_message(text))
            self._output.insert(0, _message(text))
        ended = _ended(reason, self._output)
        return done + self._event(f"response.{ended['status']}", response=ended)

    def usage(self) -> bytes:
        return b""

    def error(self, message: str) -> bytes:
        return self._event("error", code="server_error", message=message, param=None)

    def _begin(self) -> bytes:
        item = {**_message("", "in_progress"), "content": []}
        part = {"type": "output_text", "text": "", "annotations": []}
        added = self._event("response.output_item.added", output_index=0, item=item)
        return added + self._delta("response.content_part.added", "msg_1", content_index=0, part=part)

    def _delta(self, kind: str, item: str, **data: Any) -> bytes:
        return self._event(kind, item_id=item, output_index=len(self._output), **data)

    def _event(self, kind: str, **data: Any) -> bytes:
        self._number += 1
        read = {"type": kind, "sequence_number": self._number, **data}
        return f"event: {kind}\ndata: {json.dumps(read)}\n\n".encode()


class ResponseDocument(Whole):
    """A reply without ``"stream"``."""

    def tool_call(self, name: str, arguments: str) -> bytes:
        self._calls.append(_call(name, arguments))
        return b"\n"

    def finish(self, reason: str, usage: Mapping[str, int] | None = None) -> bytes:
        text = [_message("".join(self._words))] if self._words else []
        return json.dumps(_ended(reason, [*text, *self._calls])).encode()

    def error(self, message: str) -> bytes:
        return json.dumps(error(message)).encode()
