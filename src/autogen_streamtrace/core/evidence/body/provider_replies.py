"""What one JSON object of a model's reply shows, in the format of the provider that sent it.

Only keys in their place count: a tool's arguments are JSON, too. Sources:

- OpenAI https://platform.openai.com/docs/api-reference/chat-streaming
- Anthropic https://platform.claude.com/docs/en/build-with-claude/streaming
- Ollama https://docs.ollama.com/api/chat
- Bedrock https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
- Cohere https://docs.cohere.com/v2/docs/streaming
- Gemini https://ai.google.dev/api/generate-content
- Groq https://console.groq.com/docs/api-reference
- MiniMax https://platform.minimax.io/docs/api-reference/errorcode
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

Said = dict[str, Any]

_WORD: Final = 128
"""Characters of a finish reason, an id or a model's name."""
_COUNT: Final = 2**53
"""Tokens beyond which a count is not believed."""

_PARTS: Final = ("choices", "candidates", "results")
"""Lists of a reply's alternatives."""
_ORDER: Final = ("stop_reason", "finish_reason", "finishReason", "stopReason", "completionReason")
_REASONS: Final = frozenset(_ORDER)
_NO_REASON: Final = frozenset({"null", "none", "FINISH_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED"})
"""Words that some servers send with every piece of the text."""
_TERMINATORS: Final = frozenset(
    {"message_stop", "message-end", "response.completed", "response.incomplete", "transcript.text.done"}
    | {"image_generation.completed", "image_edit.completed"}
)
_PIECES: Final = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    }
)
"""The types of Anthropic's events."""

_OVER: Final = ("completed", "cancelled")
"""States of a response of OpenAI's that has no other reason to be over."""

_INPUT: Final = (
    ("prompt_tokens",),
    ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
    ("prompt_eval_count",),
    ("inputTokens",),
    ("promptTokenCount",),
)
_OUTPUT: Final = (
    ("completion_tokens",),
    ("output_tokens",),
    ("eval_count",),
    ("outputTokens",),
    ("candidatesTokenCount", "thoughtsTokenCount"),
)
"""Token counts by provider; those of one provider add up."""
_COUNTS: Final = frozenset(key for keys in (*_INPUT, *_OUTPUT) for key in keys)

_CONTENT: Final = frozenset({"choices", "candidates", "delta", "content", "output", "usage", "index"})
"""Members of a piece of a reply: beside them a text named ``message`` is no error."""
_FAILURES: Final = frozenset(
    {"error", "errors", "fault", "exception", "errorCode", "error_code", "errorMessage", "__type"}
)
"""Members that stand in an error alone; without a value they say nothing."""
_ENVELOPES: Final = frozenset({"x_groq", "base_resp", "response"})
"""Members in which an error may stand."""
_COMPLAINTS: Final = ("detail", "message", "Message", "msg")
"""Members that say why, in an error without an envelope."""
_FINE: Final = frozenset({False, 200, "", "0", "200", "ok", "success"})
"""Codes that say that nothing is wrong."""
_FAILED: Final = frozenset({"error", "fail", "failed", "failure"})


class Wire(NamedTuple):
    """What a body, or one record of it, shows of the reply."""

    terminator: bool = False
    """A finish reason or a terminator came."""
    finish: str | None = None
    """The last finish reason, in the provider's words."""
    error: bool = False
    """The provider reported that it failed."""
    over: bool = False
    """A terminator came: nothing that follows belongs to the reply."""
    response_id: str | None = None
    response_model: str | None = None
    input_tokens: int | None = None
    """Tokens of the request, cached ones included."""
    output_tokens: int | None = None
    """Tokens of the reply so far."""
    document: bool = False
    """The body is no stream: JSON, HTML or another text."""
    reply: bool = False
    """It looks like a model's reply, whoever asked for it."""


def then(before: Wire, after: Wire) -> Wire:
    """The reply's identity is told first, its end last; an error after a whole reply ends nothing."""
    whole = before.over and before.finish is not None
    return Wire(
        before.terminator or after.terminator,
        after.finish or before.finish,
        before.error or (after.error and not whole),
        before.over or after.over,
        before.response_id or after.response_id,
        before.response_model or after.response_model,
        before.input_tokens if after.input_tokens is None else after.input_tokens,
        before.output_tokens if after.output_tokens is None else after.output_tokens,
        before.document or after.document,
        before.reply or after.reply,
    )


def of(said: Said) -> Wire:
    """What one JSON object shows."""
    kind = said.get("type")
    start = kind == "message_start"
    reply = _dict(said.get("message")) if start else _dict(said.get("response")) or said
    usage = _dict(reply.get("usage")) or _dict(said.get("usage")) or _dict(said.get("usageMetadata")) or said
    done = said.get("done") is True
    finish = _finish(said, reply, done=done)
    over = done or (isinstance(kind, str) and kind in _TERMINATORS)
    return Wire(
        terminator=over or finish is not None,
        finish=finish,
        error=fails(said),
        over=over,
        response_id=_word(reply.get("id") or said.get("responseId")),
        response_model=_word(reply.get("model") or said.get("modelVersion")),
        input_tokens=_tokens(usage, _INPUT),
        output_tokens=None if start else _tokens(usage, _OUTPUT),  # the number at the start is no count yet
        reply=_is_reply(said),
    )


def choices(said: Said) -> Iterator[tuple[int, str | None]]:
    """Each alternative of a piece of a reply: its index and its finish reason."""
    for key in _PARTS:
        for at, choice in enumerate(map(_dict, _list(said, key))):
            index = choice.get("index", at)
            if type(index) is int:
                yield index, _named(choice)


def _is_reply(said: Said) -> bool:
    """Whether an object is a piece of a model's reply: OpenAI's two formats, Anthropic's, Ollama's or Gemini's."""
    kind = said.get("type")
    if isinstance(kind, str):
        return kind in _PIECES or (kind.startswith("response.") and bool({"response", "sequence_number"} & said.keys()))
    named = isinstance(said.get("object"), str) or isinstance(said.get("model"), str)
    if named and isinstance(said.get("done"), bool):
        return "message" in said or "response" in said
    return (named and isinstance(said.get("choices"), list)) or isinstance(said.get("candidates"), list)


def fails(said: Said) -> bool:
    """Whether an object is an error, or carries one, with an envelope or without."""
    if not _FAILURES.isdisjoint(said) and any(said[key] for key in _FAILURES & said.keys()):
        return True
    if any(_dict(choice).get("error") for choice in _list(said, "choices")):
        return True
    if _failure(said.get("type")) or _failure(said.get("object")):
        return True
    if not _ENVELOPES.isdisjoint(said) and _enveloped(said):
        return True
    if any(said[key] not in (None, []) for key in _CONTENT & said.keys()):
        return False
    return _complains(said)


def _enveloped(said: Said) -> bool:
    """An error inside what is no error by itself."""
    response = _dict(said.get("response"))
    if _dict(said.get("x_groq")).get("error") or _dict(said.get("base_resp")).get("status_code"):
        return True
    return bool(response.get("error")) or response.get("status") == "failed"


def _complains(said: Said) -> bool:
    """An error without an envelope: an error message, and no code that means success."""
    code, status = said.get("code"), next(filter(None, map(said.get, ("status", "statusCode", "status_code"))), None)
    if _is_status(status) or (isinstance(status, str) and status.lower() in _FAILED):
        return True
    if not any(said.get(key) if key == "detail" else _word(said.get(key)) for key in _COMPLAINTS):
        return _is_status(code)
    if isinstance(code, str | int):
        return (code.lower() if isinstance(code, str) else code) not in _FINE
    return status is None and not isinstance(said.get("type"), str)


def _is_status(code: object) -> bool:
    return type(code) is int and 400 <= code < 600


def _failure(kind: object) -> bool:
    return isinstance(kind, str) and kind.lower().endswith(("error", "exception", ".failed"))


def _finish(said: Said, reply: Said, *, done: bool) -> str | None:
    """The finish reason, which may stand in many places."""
    for key in _PARTS:
        if key in said:
            for choice in reversed(_list(said, key)):
                if reason := _named(choice):
                    return reason
    reason = _reason(said.get("done_reason")) if done else None
    reason = reason or _named(said) or _named(said.get("delta")) or _named(said.get("details"))
    reason = reason or _reason(_dict(reply.get("incomplete_details")).get("reason"))
    reason = reason or _reason(blocked(_dict(said.get("promptFeedback")).get("blockReason")))
    if reason is None and reply.get("object") == "response" and reply.get("status") in _OVER:
        return _reason(reply.get("status"))
    return reason


def blocked(why: Any) -> Any:
    """Gemini's reason why it took no prompt. ``OTHER`` is another word of a reply's end, where it means no block."""
    return "prompt_blocked" if why == "OTHER" else why


def _named(holder: Any) -> str | None:
    """``finish_reason`` before ``stop_reason``: vLLM names a stop string in the second."""
    if not isinstance(holder, dict) or _REASONS.isdisjoint(holder):
        return None
    order = reversed(_ORDER) if "finish_reason" in holder else _ORDER
    return next(filter(None, (_reason(holder[key]) for key in order if key in holder)), None)


def _dict(value: Any) -> Said:
    return value if isinstance(value, dict) else {}


def _list(said: Said, key: str) -> list[Any]:
    value = said.get(key)
    return value if isinstance(value, list) else []


def _reason(value: object) -> str | None:
    word = _word(value)
    return None if word in _NO_REASON else word


def _word(value: Any) -> str | None:
    """A text that can be exported."""
    if not isinstance(value, str):
        return None
    return value[:_WORD].encode("utf-8", "replace").decode() or None


def _tokens(usage: Said, groups: tuple[tuple[str, ...], ...]) -> int | None:
    if _COUNTS.isdisjoint(usage):
        return None
    for keys in groups:
        counts = [n for n in map(usage.get, keys) if type(n) is int and 0 <= n <= _COUNT]
        if counts:
            return sum(counts)
    return None
