"""Replies of the SDKs' APIs, in pieces that may come in any order."""

import json
from typing import Any, Final

TEXT: Final = "text/event-stream"


def _data(said: Any, name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(said).encode() + b"\n\n"


def _chat(delta: Any, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return _data({**head, **more})


def _typed(kind: str, **more: Any) -> bytes:
    return _data({"type": kind, **more}, kind)


def _response(kind: str, status: str) -> bytes:
    head = {"id": "r1", "object": "response", "created_at": 1, "model": "m", "status": status, "output": []}
    asked = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None}
    return _typed(kind, sequence_number=1, response={**head, **asked})


def _line(text: str, **more: Any) -> bytes:
    head = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": False}
    return json.dumps({**head, "message": {"role": "assistant", "content": text}, **more}).encode() + b"\n"


_CALL: Final = {"index": 0, "id": "t1", "type": "function", "function": {"name": "fetch", "arguments": "{}"}}
_PLACE: Final = {"item_id": "i1", "output_index": 0, "content_index": 0, "sequence_number": 1}
_MESSAGE: Final[dict[str, Any]] = {
    "id": "m1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
}
_ITEM: Final = {"id": "i1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
_PART: Final = {"type": "output_text", "text": "", "annotations": []}

_ODD: Final = {
    "comment": b": ping\n\n",
    "blank": b"\n\n",
    "field": b"x-odd: 1\n\n",
    "half": b'data: {"id": "c1", "ch\n\n',
    "list": b"data: [1, 2]\n\n",
    "nothing": b"data:\n\n",
    "named": _data({"message": "overloaded"}, "error"),
    "error": _data({"error": {"message": "overloaded", "type": "server_error", "code": 503}}),
    "crlf": b'data: {"id": "c1", "object": "chat.completion.chunk", "choices": []}\r\n\r\n',
}
"""What may stand in any event stream."""

PIECES: Final[dict[str, dict[str, bytes]]] = {
    "chat": {
        **_ODD,
        "role": _chat({"role": "assistant", "content": ""}),
        "word": _chat({"content": "word "}),
        "call": _chat({"tool_calls": [_CALL]}),
        "stop": _chat({}, "stop"),
        "length": _chat({"content": "w"}, "length"),
        "filter": _chat({}, "content_filter"),
        "usage": _data({"id": "c1", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
        "done": b"data: [DONE]\n\n",
    },
    "responses": {
        **_ODD,
        "created": _response("response.created", "in_progress"),
        "item": _typed("response.output_item.added", item=_ITEM, **_PLACE),
        "part": _typed("response.content_part.added", part=_PART, **_PLACE),
        "word": _typed("response.output_text.delta", delta="word ", logprobs=[], **_PLACE),
        "completed": _response("response.completed", "completed"),
        "incomplete": _response("response.incomplete", "incomplete"),
        "failed": _response("response.failed", "failed"),
        "fails": _typed("error", code="server_error", message="overloaded", param=None, sequence_number=2),
        "new": _typed("response.of_tomorrow", sequence_number=3),
    },
    "messages": {
        **_ODD,
        "start": _typed("message_start", message={**_MESSAGE, "usage": {"input_tokens": 1, "output_tokens": 1}}),
        "block": _typed("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        "word": _typed("content_block_delta", index=0, delta={"type": "text_delta", "text": "word "}),
        "stop block": _typed("content_block_stop", index=0),
        "end": _typed("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 4}),
        "limit": _typed("message_delta", delta={"stop_reason": "max_tokens"}, usage={"output_tokens": 4}),
        "stop": _typed("message_stop"),
        "ping": _typed("ping"),
        "fails": _typed("error", error={"type": "overloaded_error", "message": "overloaded"}),
        "new": _typed("of_tomorrow"),
    },
    "ollama": {
        "word": _line("word "),
        "done": _line("", done=True, done_reason="stop"),
        "length": _line("", done=True, done_reason="length"),
        "fails": b'{"error": "overloaded"}\n',
        "half": b'{"model": "m", "mess\n',
        "blank": b"\n",
    },
}
"""By API and name."""

BEGINS: Final = {
    "chat": ("role", "word"),
    "responses": ("created", "item", "part", "word"),
    "messages": ("start", "block", "word"),
    "ollama": ("word",),
}
"""How a sound reply begins, which the SDKs' own helpers expect."""


def framed(body: bytes, how: str, status: str, content_type: str, sizes: list[int]) -> bytes:
    """An answer: ``chunked``, ``endless`` without its last chunk, of a ``length``, ``short`` of it, or of ``none``."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\n".encode()
    if how in ("length", "short"):
        return head + b"content-length: %d\r\n\r\n" % (len(body) + 9 * (how == "short")) + body
    if how == "none":
        return head + b"connection: close\r\n\r\n" + body
    parts, rest = [], body
    for size in sizes:
        parts.append(rest[:size])
        rest = rest[size:]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, rest) if part)
    return head + b"transfer-encoding: chunked\r\n\r\n" + chunks + (b"0\r\n\r\n" if how == "chunked" else b"")
