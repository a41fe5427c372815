"""Endings as public reports describe them, sent by a server that answers with the very bytes. Each names its report."""

import base64
import binascii
import json
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.anthropic import AnthropicBedrockChatCompletionClient, BedrockInfo
from harness import TASK, Program, Seen, read, turn, watch
from harness.program import API_KEY
from harness.raw_server import raw_server
from wire_replies import DONE, anthropic_document, openai, openai_document

from autogen_streamtrace.commands.demo.scenarios.program import MODEL_INFO

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # AutoGen warns of replies without usage

STREAM: Final = "text/event-stream"
FRAMES: Final = "application/vnd.amazon.eventstream"
WORDS: Final = openai("half ") + openai("an answer")


def answer(body: bytes, kind: str = STREAM, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Says(NamedTuple):
    """How agent and model ended, in which layer that arose, and how the exchange ended.

    An exchange that the client closes over an error takes the model's verdict, one that it reads to the end does not.
    """

    outcome: str
    ended_by: str
    fault: bool
    http: str = "completed"
    origin: str = "model"


REJECTED: Final = Says("rejected", "upstream", fault=True)
MALFORMED: Final = Says("malformed", "upstream", fault=True)
TRUNCATED: Final = Says("truncated", "upstream", fault=True)
CUT: Final = TRUNCATED._replace(http="truncated", origin="http")
WHOLE: Final = Says("completed", "model", fault=False, origin="")


def check(seen: Seen, says: Says) -> None:
    for layer in ("agent", "model"):
        told = seen.one(layer).told
        assert (told.outcome, told.ended_by, told.fault) == says[:3], layer
    assert seen.one("http").told.outcome in (says.http, *(("rejected",) if says.outcome == "rejected" else ()))
    assert [layer for layer in ("http", "model", "agent") if seen.one(layer).told.origin] == [says.origin][
        : bool(says.origin)
    ]


def line(said: object) -> bytes:
    return json.dumps(said).encode() + b"\n\n"


def event(said: object, name: str = "") -> bytes:
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + line(said)


STATUS_400: Final = {
    "code": 400,
    "message": "request exceeds the available context size",
    "type": "exceed_context_size_error",
}
PRINTED: Final = json.dumps({"error": STATUS_400}, indent=2).encode() + b"\n"
PAGE: Final = b"<!doctype html>\n<html><body>Sign in</body></html>\n"

REPORTS: Final[dict[str, tuple[bytes, str, Says]]] = {
    # https://github.com/lemonade-sdk/lemonade/pull/2975
    "an error without data: in an event stream": (line({"error": STATUS_400}), STREAM, REJECTED),
    "the same after words": (WORDS + line({"error": STATUS_400}) + DONE, STREAM, REJECTED),
    # https://github.com/ggml-org/llama.cpp/issues/16104
    "an error in a field of its own, without an end": (WORDS + b"error: " + line(STATUS_400), STREAM, REJECTED),
    "an error in a field of its own, after a bare end": (
        WORDS + DONE + b"error: " + line(STATUS_400),
        STREAM,
        REJECTED,
    ),
    "an error in many lines": (WORDS + PRINTED + b"\n", STREAM, REJECTED),
    "an error in many lines, with the other end of lines": (
        (WORDS + PRINTED + b"\n").replace(b"\n", b"\r\n"),
        STREAM,
        REJECTED,
    ),
    "an error in many lines, after a comment and before an end": (
        b": ping\n\n" + PRINTED + b"\n" + DONE,
        STREAM,
        REJECTED,
    ),
    "an error in many lines, each of them data": (
        WORDS + b"".join(b"data: " + each + b"\n" for each in PRINTED.splitlines()) + b"\n",
        STREAM,
        REJECTED,
    ),
    "an error in many lines, the first of them data": (WORDS + b"data: " + PRINTED + b"\n", STREAM, REJECTED),
    "a list of errors in many lines": (WORDS + b"[\n " + PRINTED + b"]\n\n", STREAM, REJECTED),
    "an error as the first line, then an end": (line({"error": STATUS_400}) + DONE, STREAM, REJECTED),
    "an error event after a ping": (
        WORDS + event({"type": "ping"}, "ping") + event({"error": STATUS_400}, "error"),
        STREAM,
        REJECTED,
    ),
    "usage in many lines, that no reader reads": (
        WORDS + json.dumps({"usage": {"total_tokens": 1}}, indent=1).encode() + b"\n\n" + openai("", "stop") + DONE,
        STREAM,
        WHOLE,
    ),
    "words that quote an error in many lines": (openai(PRINTED.decode()) + openai("", "stop") + DONE, STREAM, WHOLE),
    "a ping before the end": (WORDS + b": ping\n\n" + openai("", "stop") + DONE, STREAM, WHOLE),
    # https://github.com/zyycn/codex-proxy-rs/pull/90
    "an error event that holds a text": (WORDS + b"event: error\ndata: overloaded\n\n", STREAM, REJECTED),
    # https://github.com/mpetazzoni/sse.js/issues/76
    "an error without an envelope, in place of a stream": (
        line({"message": "Usage rate limit exceeded"}),
        "application/json",
        REJECTED,
    ),
    # https://console.groq.com/docs/api-reference: why a stream was stopped early
    "an error in Groq's own member": (
        WORDS + line({"choices": [], "x_groq": {"id": "r", "error": "over_capacity"}}) + DONE,
        STREAM,
        REJECTED,
    ),
    # https://platform.minimax.io/docs/api-reference/errorcode
    "an error in MiniMax's own member": (
        WORDS + line({"choices": None, "base_resp": {"status_code": 1002, "status_msg": "rate limit"}}) + DONE,
        STREAM,
        REJECTED,
    ),
    "a reply in which both say that all is well": (
        openai("Hi", x_groq={"id": "r", "error": None}, base_resp={"status_code": 0, "status_msg": ""})
        + openai("", "stop")
        + DONE,
        STREAM,
        WHOLE,
    ),
    "an error beside empty choices": (
        WORDS + line({"choices": [], "code": 503, "message": "no backend"}) + DONE,
        STREAM,
        REJECTED,
    ),
    "a detail without an envelope": (line({"detail": "Not authenticated"}), "application/json", REJECTED),
    # https://github.com/sourcegraph/cody/pull/3479
    "a text in place of a stream": (
        b"oh this is malformed huh? too bad",
        "text/plain",
        MALFORMED._replace(http="malformed"),
    ),
    "a page in place of a stream": (PAGE, "text/html", MALFORMED._replace(http="malformed")),
    # https://github.com/mistralai/mistral-vibe/pull/619
    "a whole reply in place of a stream": (
        json.dumps(openai_document("Hi"), indent=1).encode(),
        "application/json",
        MALFORMED,
    ),
    # https://github.com/vaadin/flow-components/pull/9195
    "an empty reply with an end and no finish reason": (openai("") + DONE, STREAM, TRUNCATED),
    "an end alone": (DONE, STREAM, TRUNCATED),
    # https://github.com/BerriAI/litellm/pull/33222
    "an empty reply that says that it is finished": (openai("", "stop") + DONE, STREAM, WHOLE),
    # https://github.com/ollama/ollama/issues/4357
    "an empty finish reason with each piece": (openai("Hi", "") + openai("", "stop") + DONE, STREAM, WHOLE),
    "words and an end, no finish reason": (WORDS + DONE, STREAM, WHOLE),
    "a field that no reader knows": (WORDS + b'meta: {"cost": 1}\n\n' + openai("", "stop") + DONE, STREAM, WHOLE),
    "words that quote an error": (openai('\nerror: {"code": 400}\n') + openai("", "stop") + DONE, STREAM, WHOLE),
    "a comment about an error": (WORDS + b": error: none\n\n" + openai("", "stop") + DONE, STREAM, WHOLE),
    "an error that is null": (openai("Hi", error=None, code=0, message="") + openai("", "stop") + DONE, STREAM, WHOLE),
    "a stream that is said to be JSON": (WORDS + openai("", "stop") + DONE, "application/json", WHOLE),
    "words, and no end": (WORDS, STREAM, CUT),
    "nothing": (b"", STREAM, CUT),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_reply_of_a_report_ends_as_what_it_was(name: str) -> None:
    body, kind, says = REPORTS[name]
    with raw_server((answer(body, kind), "keep")) as url:
        seen = watch(swallowed(turn(url)))
    check(seen, says)
    header = seen.one("http").attributes.get("http.response.header.content-type")
    assert header == ((kind,) if says.outcome == "malformed" else header)


def swallowed(body: Callable[[Program], Awaitable[object]]) -> Callable[[Program], Awaitable[object]]:
    """Some clients raise over what they get, others do not: the verdict is the same."""

    async def main(program: Program) -> None:
        try:
            await body(program)
        except Exception:
            return

    return main


def frame(payload: bytes, **headers: str) -> bytes:
    """A message of AWS's event stream encoding; ``event_type`` stands for ``:event-type``."""
    top = b"".join(
        bytes([len(name) + 1])
        + b":"
        + name.replace("_", "-").encode()
        + b"\x07"
        + struct.pack(">H", len(value))
        + value.encode()
        for name, value in headers.items()
    )
    start = struct.pack(">II", 16 + len(top) + len(payload), len(top))
    whole = start + struct.pack(">I", binascii.crc32(start)) + top + payload
    return whole + struct.pack(">I", binascii.crc32(whole))


def chunk(**said: object) -> bytes:
    inner = base64.b64encode(json.dumps(said).encode()).decode()
    return frame(json.dumps({"bytes": inner}).encode(), event_type="chunk", message_type="event")


def exception(kind: str) -> bytes:
    return frame(b'{"message":"try again"}', exception_type=kind, message_type="exception")


def piece(text: str) -> bytes:
    return chunk(type="content_block_delta", index=0, delta={"type": "text_delta", "text": text})


BEGUN: Final = (
    chunk(type="message_start", message=anthropic_document("", None, 1))
    + chunk(type="content_block_start", index=0, content_block={"type": "text", "text": ""})
    + piece("half ")
)
STOPPED: Final = chunk(type="content_block_stop", index=0)


def ended(reason: str) -> bytes:
    said = chunk(type="message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 9})
    return STOPPED + said + chunk(type="message_stop")


BROKEN: Final = piece("and a half")[:-1] + b"\0"

BEDROCK: Final[dict[str, tuple[bytes, str, Says]]] = {
    "whole": (BEGUN + ended("end_turn"), FRAMES, WHOLE),
    "a token limit": (BEGUN + ended("max_tokens"), FRAMES, Says("length", "model", fault=False)),
    "a guardrail": (BEGUN + ended("guardrail_intervened"), FRAMES, Says("filtered", "model", fault=False)),
    "long and whole": (BEGUN + piece("words " * 20) * 200 + ended("end_turn"), FRAMES, WHOLE),
    # https://github.com/anomalyco/opencode/pull/46065
    "without its end": (BEGUN, FRAMES, CUT),
    "long, without its end": (BEGUN + piece("words " * 20) * 200, FRAMES, CUT),
    # https://github.com/vercel/ai/issues/19034
    "an exception in a frame": (BEGUN + exception("modelStreamErrorException"), FRAMES, REJECTED),
    # https://github.com/Mingye-Lu/AgenticCrawler/pull/128
    "an exception in the first frame": (exception("throttlingException"), FRAMES, REJECTED),
    # https://github.com/Portkey-AI/gateway/issues/1142
    "an error as JSON": (b'{"message":"The model returned the following errors"}', "application/json", REJECTED),
    "a frame with a wrong checksum": (BEGUN + BROKEN + ended("end_turn"), FRAMES, MALFORMED._replace(http="malformed")),
}


@pytest.mark.parametrize("name", BEDROCK)
def test_a_bedrock_reply_ends_as_what_it_was(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body, kind, says = BEDROCK[name]
    keys = BedrockInfo(aws_access_key="a", aws_secret_key="b", aws_session_token="c", aws_region="us-east-1")
    options: dict[str, Any] = {
        "model": "anthropic.claude-3-5-sonnet-20240620-v1:0",
        "model_info": MODEL_INFO,
        "max_retries": 0,
    }

    async def main(program: Program) -> object:
        client = program.keep(AnthropicBedrockChatCompletionClient(bedrock_info=keys, api_key=API_KEY, **options))
        return await read(AssistantAgent("clerk", client, model_client_stream=True).run_stream(task=TASK))

    with raw_server((answer(body, kind), "keep")) as url:
        monkeypatch.setenv("ANTHROPIC_BEDROCK_BASE_URL", url)
        seen = watch(swallowed(main))
    check(seen, says)
