"""Gemini's SDK, whose streams are generators: how a reader leaves one, and what else its replies say."""

import asyncio
import gc
import json
from typing import Any, Final

import pytest
from harness import Program, asked, cancelled, done, left, origin, read, read_some, struck, watch
from harness.raw_server import raw_server
from sdks.asking import GEMINI, contents, genai_client, sync_contents

pytestmark = pytest.mark.once

LEFT: Final = left("model")


def answer(*events: dict[str, Any]) -> bytes:
    body = b"".join(b"data: " + json.dumps(each).encode() + b"\r\n\r\n" for each in events)
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, **more}]}


def test_who_closes_a_stream_leaves_it() -> None:
    async def body(program: Program) -> None:
        stream = await contents(program, "slow")
        async for _ in stream:
            await stream.aclose()
            break
        program.kept.append(stream)

    assert watch(body).told("model", "http") == [origin(LEFT), LEFT]


def test_who_drops_a_stream_leaves_it() -> None:
    async def body(program: Program) -> None:
        await read_some(await contents(program, "slow"), 1)
        gc.collect()

    assert watch(body).one("model").told == origin(LEFT)


def test_who_leaves_a_synchronous_loop_leaves_the_stream() -> None:
    async def body(program: Program) -> None:
        def read() -> None:
            for _ in sync_contents(program, "slow"):
                break

        await asyncio.to_thread(read)

    assert watch(body).told("model", "http") == [origin(LEFT), LEFT]


@pytest.mark.parametrize("limit", [None, 0.3])
def test_a_reader_that_is_stopped(limit: float | None) -> None:
    async def body(program: Program) -> None:
        stream = await contents(program, "stall")
        await anext(stream)
        if limit is not None:
            await asyncio.wait_for(read(stream), limit)
        task = asyncio.ensure_future(read(stream))
        await asked()
        task.cancel()
        await asyncio.wait([task])

    told = cancelled(layer="model") if limit is None else struck(limit, layer="model")
    assert watch(body).one("model").told == origin(told)


@pytest.mark.parametrize(("fault", "outcome"), [("ok", "completed"), ("length", "length"), ("http_400", "rejected")])
def test_an_unstreamed_reply(fault: str, outcome: str) -> None:
    async def body(program: Program) -> None:
        await genai_client(program, fault).aio.models.generate_content(model=GEMINI, contents="x")

    model = watch(body).one("model")
    assert (model["outcome"], model["gen_ai.request.stream"]) == (outcome, None)


def test_a_function_that_the_sdk_calls_itself_is_asked_for_by_a_stream_and_answered_by_the_next() -> None:
    def fetch_claim(claim: str) -> str:
        """Fetches a claim."""
        return "paid"

    async def body(program: Program) -> None:
        models = genai_client(program, "tool_call").aio.models
        config = {"tools": [fetch_claim]}
        async for _ in await models.generate_content_stream(model=GEMINI, contents="x", config=config):
            pass

    assert [stream.told for stream in watch(body).of("model")] == [done(), done()]


@pytest.mark.parametrize(
    ("event", "outcome", "word"),
    [
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, "filtered", "PROHIBITED_CONTENT"),
        ({"promptFeedback": {"blockReason": "OTHER"}}, "filtered", "prompt_blocked"),
        (said("Some", finishReason="OTHER"), "completed", "OTHER"),
        (said("Some", finishReason="IMAGE_PROHIBITED_CONTENT"), "filtered", "IMAGE_PROHIBITED_CONTENT"),
        (said("", finishReason="MALFORMED_FUNCTION_CALL"), "rejected", "MALFORMED_FUNCTION_CALL"),
        (said("Some", finishReason="FINISH_REASON_UNSPECIFIED"), "truncated", "error"),
    ],
)
def test_why_a_reply_ended(event: dict[str, Any], outcome: str, word: str) -> None:
    with raw_server((answer(said("Your claim"), event), "keep")) as url:

        async def body(program: Program) -> None:
            async for _ in await contents(program, url):
                pass

        model = watch(body).one("model")
    assert (model["outcome"], model["gen_ai.response.finish_reasons"]) == (outcome, (word,))
