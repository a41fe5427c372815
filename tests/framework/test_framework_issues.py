"""What users reported of Agent Framework's streams in public, replayed: each says how it ended, and who ended it."""

import asyncio
import json
from typing import Any, Final

import agent_framework
import pytest
from agent_framework_openai import OpenAIChatClient
from harness import MODEL_NAME, TASK, Program, Told, cancelled, origin, watch
from harness.raw_server import raw_server
from programs.framework import agent, begun, sdk, streamed

pytestmark = pytest.mark.once

USAGE: Final = {
    "input_tokens": 7,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 1000,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 1007,
}
INCOMPLETE: Final = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": MODEL_NAME,
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
    "output": [],
    "parallel_tool_calls": False,
    "tool_choice": "auto",
    "tools": [],
    "usage": USAGE,
}
DELTA: Final = {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0}


def streamed_responses(*last: dict[str, Any]) -> bytes:
    said = [{**DELTA, "delta": "A long essay", "logprobs": [], "sequence_number": 1}, *last]
    body = "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in said).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def essay(*last: dict[str, Any]) -> Any:
    async def body(program: Program) -> None:
        with raw_server((streamed_responses(*last), "keep")) as url:
            client = OpenAIChatClient(model=MODEL_NAME, async_client=sdk(program, f"{url}/v1"))
            await streamed(agent_framework.Agent(client=client, name="clerk"))

    return body


def test_a_reply_that_met_its_token_limit_says_so_with_its_usage() -> None:
    """https://github.com/microsoft/agent-framework/issues/7051: neither a finish reason nor the usage."""
    seen = watch(essay({"type": "response.incomplete", "response": INCOMPLETE, "sequence_number": 2}))
    length = Told("length", "model", fault=False, status="UNSET")
    assert seen.told("agent", "model") == [length, origin(length)]
    model = seen.one("model")
    assert (model["gen_ai.usage.input_tokens"], model["gen_ai.usage.output_tokens"]) == (7, 1000)


def test_a_reply_of_which_no_last_event_came_is_truncated() -> None:
    """https://github.com/microsoft/agent-framework/issues/3397: the turn completes, and no updates come."""
    seen = watch(essay())
    assert [stream["outcome"] for stream in seen.streams] == ["truncated"] * 3
    assert seen.one("http")["origin"] is True


def test_a_workflow_that_is_cancelled_in_its_second_step_stops_there() -> None:
    """https://github.com/microsoft/agent-framework/issues/3608: what is cancelled later goes on to its end."""
    second = asyncio.Event()

    @agent_framework.agent_middleware
    async def notes(context: Any, call_next: Any) -> None:
        second.set()
        await call_next()

    async def body(program: Program) -> None:
        first, last = agent(program, "ok"), agent(program, "stall", "checker", middleware=[notes])
        workflow = agent_framework.WorkflowBuilder(start_executor=first).add_edge(first, last).build()
        task = asyncio.ensure_future(workflow.run(TASK))
        await second.wait()
        await begun("http")
        task.cancel()
        await task

    seen = watch(body)
    assert seen.one("team").told == origin(cancelled(layer="team"))
    assert seen.one("agent", "checker").told == cancelled(layer="team")
    assert seen.one("agent", "clerk")["outcome"] == "completed"
