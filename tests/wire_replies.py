"""Replies of models as their providers send them: pieces of streams, and whole documents."""

import gzip
import json
import zlib
from collections.abc import Iterable
from typing import Any, Final

from autogen_streamtrace.core.evidence.body.provider_replies import Wire
from autogen_streamtrace.core.evidence.body.wire import Tail

DONE: Final = b"data: [DONE]\n\n"
OPENAI_ID: Final = "chatcmpl-1"
OPENAI_MODEL: Final = "gpt-4o-2024-08-06"
ANTHROPIC_ID: Final = "msg_1"
ANTHROPIC_MODEL: Final = "claude-sonnet-4-20250514"
OLLAMA_MODEL: Final = "llama3"

ERROR: Final = "an error"
"""Stands for the finish reason of a reply of which the provider said that it failed."""

End = tuple[bool, str | None]
"""Whether a finish reason or a terminator came, and the finish reason."""
NOTHING: Final[End] = (False, None)

SAYINGS: Final = (
    "data: [DONE]",
    "\n\ndata: [DONE]\n\n",
    "\r\ndata: [DONE]\r\n\r\n",
    '"finish_reason": "stop"',
    '{"finish_reason": "stop"}',
    '\ndata: {"type": "message_stop"}\n',
    '"stop_reason":"end_turn"',
    '\n{"done": true}\n',
    '{"done":true,"done_reason":"stop"}',
    "[DONE]",
    '\\"finish_reason\\": \\"stop\\"',
)
"""Texts of a model that quote an end."""


def event(data: object, name: str = "") -> bytes:
    """A server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def openai_event(choices: object, **more: object) -> bytes:
    """An event with these choices."""
    head = {"id": OPENAI_ID, "object": "chat.completion.chunk", "created": 1, "model": OPENAI_MODEL}
    return event({**head, "choices": choices, **more})


def openai(text: str, finish: object = None, **more: object) -> bytes:
    """A chunk as OpenAI sends it."""
    return openai_event([{"index": 0, "delta": {"content": text}, "finish_reason": finish}], **more)


def openai_usage(prompt: int = 3, completion: int = 12) -> bytes:
    """The chunk after the finish reason, where it was asked for."""
    return openai_event([], usage={"prompt_tokens": prompt, "completion_tokens": completion})


def openai_document(text: str, finish: str | None = "stop") -> dict[str, Any]:
    """An unstreamed reply of OpenAI's."""
    return {
        "id": OPENAI_ID,
        "object": "chat.completion",
        "created": 1,
        "model": OPENAI_MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 12, "total_tokens": 15},
    }


def anthropic_event(kind: str, **more: object) -> bytes:
    """An event as Anthropic sends it."""
    return event({"type": kind, **more}, kind)


def anthropic_document(text: str, finish: str | None = "end_turn", output: int = 9) -> dict[str, Any]:
    """An unstreamed reply of Anthropic's."""
    return {
        "model": ANTHROPIC_MODEL,
        "id": ANTHROPIC_ID,
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": finish,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 20,
            "cache_creation_input_tokens": 3,
            "cache_read_input_tokens": 2,
            "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 0},
            "output_tokens": output,
            "service_tier": "standard",
        },
    }


def anthropic_start() -> bytes:
    """The first events of a stream."""
    message = anthropic_document("", None, 1)
    block = {"type": "text", "text": ""}
    return anthropic_event("message_start", message=message) + anthropic_event(
        "content_block_start", index=0, content_block=block
    )


def anthropic(text: str) -> bytes:
    """A piece of text."""
    return anthropic_event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def anthropic_end(reason: str | None, stop: bool = True) -> bytes:
    """The last events of a stream."""
    last = anthropic_event("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 9})
    return last + (anthropic_event("message_stop") if stop else b"")


def ollama_document(text: str, **more: object) -> dict[str, Any]:
    """A line of Ollama's, or an unstreamed reply."""
    head = {"model": OLLAMA_MODEL, "created_at": "2026-01-01T00:00:00Z"}
    return {**head, "message": {"role": "assistant", "content": text}, "done": False, **more}


def ollama(text: str, **more: object) -> bytes:
    """A line as Ollama sends it."""
    return json.dumps(ollama_document(text, **more), ensure_ascii=False).encode() + b"\n"


def ollama_end(reason: str | None = "stop") -> bytes:
    """The last line of a stream."""
    more: dict[str, object] = {"done_reason": reason} if reason is not None else {}
    return ollama("", done=True, **more, prompt_eval_count=26, eval_count=298)


def packed(body: bytes, encoding: str) -> bytes:
    """A body in a content encoding; ``raw`` is deflate without its wrapper, as some servers send it."""
    if encoding == "gzip":
        return gzip.compress(body)
    if encoding in ("deflate", "raw"):
        squeeze = zlib.compressobj(wbits=zlib.MAX_WBITS if encoding == "deflate" else -zlib.MAX_WBITS)
        return squeeze.compress(body) + squeeze.flush()
    return body


def pieces(body: bytes, cuts: Iterable[int]) -> list[bytes]:
    """A body cut there."""
    at = sorted(min(cut, len(body)) for cut in cuts)
    return [body[start:stop] for start, stop in zip([0, *at], [*at, len(body)], strict=True)]


def told(parts: Iterable[bytes], encoding: str = "") -> Wire | None:
    """What a body in these reads says."""
    tail = Tail(encoding)
    for part in parts:
        tail.feed(part)
    return tail.read()


def end(wire: Wire | None) -> End | None:
    """What it says of its end."""
    return None if wire is None else (wire.terminator, ERROR if wire.error else wire.finish)


def ended(*parts: bytes) -> End | None:
    """What a body in these reads says of its end."""
    return end(told(parts))
