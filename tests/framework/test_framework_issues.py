"""What users reported of Agent Framework's streams in public, replayed: each says how it ended, and who ended it."""

import asyncio
import gc
import json
from typing import Any, Final

import agent_framework
import pytest
from agent_framework_openai import OpenAIChatClient
from harness import HOST, MODEL_NAME, TASK, TOOL_NAME, Program, Told, cancelled, done, left, origin, watch
from harness.raw_server import Then, raw_server
from programs.framework import agent, begun, client, sdk, streamed, tool

from autogen_streamtrace.commands.chaos.model.completions import EventStream

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


def answer(body: str, status: str = "200 OK", kind: str = "text/event-stream") -> tuple[bytes, Then]:
    """An HTTP response, over a connection that is kept."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body.encode())}\r\n\r\n"
    return f"{head}{body}".encode(), "keep"


def streamed_responses(*last: dict[str, Any]) -> tuple[bytes, Then]:
    said = [{**DELTA, "delta": "A long essay", "logprobs": [], "sequence_number": 1}, *last]
    return answer("".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in said))


def asks_for_the_tool() -> tuple[bytes, Then]:
    form = EventStream()
    parts = form.tool_call(TOOL_NAME, '{"claim_id": "7"}'), form.finish("tool_calls"), form.done
    return answer(b"".join(parts).decode())


async def approve() -> str:
    return "approved"


def essay(*last: dict[str, Any]) -> Any:
    async def body(program: Program) -> None:
        with raw_server(streamed_responses(*last)) as url:
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


@pytest.mark.filterwarnings("ignore:.*is experimental")
def test_a_functional_workflow_that_is_left_at_its_question_is_abandoned() -> None:
    """https://github.com/microsoft/agent-framework/issues/7787: closed by the garbage collection, in any task."""

    async def body(program: Program) -> None:
        @agent_framework.workflow(name="function")
        async def function(said: str, context: agent_framework.RunContext) -> Any:
            return await context.request_info("Approve?", response_type=str)

        async for event in function.build().run(TASK, stream=True):
            if event.type == "request_info":
                break
        await asyncio.to_thread(gc.collect)

    assert watch(body).told("team") == [origin(left("team"))]


def test_a_reader_that_looks_at_a_flag_leaves_after_the_tool() -> None:
    """https://github.com/microsoft/agent-framework/issues/5814: no other way to stop a turn."""
    stopped = asyncio.Event()

    async def stop() -> str:
        stopped.set()
        return "approved"

    async def body(program: Program) -> None:
        async for _ in agent(program, "tool_call", tools=[tool(stop)]).run(TASK, stream=True):
            if stopped.is_set():
                break

    seen = watch(body)
    assert seen.told("agent", "tool", "model") == [origin(left()), done("tool"), done()]


def test_a_bound_of_the_tool_calls_ends_a_turn_without_a_fault() -> None:
    """https://github.com/microsoft/agent-framework/pull/7772: the framework answers in the model's place."""

    async def body(program: Program) -> None:
        with raw_server(*[asks_for_the_tool()] * 3) as url:
            asked = client(program, f"{url}/v1")
            asked.function_invocation_configuration["max_iterations"] = 2
            await streamed(agent_framework.Agent(client=asked, name="clerk", tools=[tool(approve)]))

    seen = watch(body)
    assert seen.one("agent").told == done()
    assert [model["gen_ai.response.finish_reasons"] for model in seen.of("model")] == [("tool_calls",)] * 3
    assert [call["outcome"] for call in seen.of("tool")] == ["completed"] * 2


def test_the_call_that_brings_a_tools_result_is_refused() -> None:
    """https://github.com/microsoft/agent-framework/issues/4328: status 400 in the middle of a workflow's step."""
    refusal = answer('{"error": {"message": "tool_use", "type": "invalid"}}', "400 Bad Request", "application/json")

    async def body(program: Program) -> None:
        with raw_server(asks_for_the_tool(), refusal) as url:
            clerk = agent_framework.Agent(client=client(program, f"{url}/v1"), name="clerk", tools=[tool(approve)])
            async for _ in agent_framework.WorkflowBuilder(start_executor=clerk).build().run(TASK, stream=True):
                pass

    seen = watch(body)
    told = Told("rejected", "upstream", "http", HOST, "openai.BadRequestError", "model", error_type="400")
    assert seen.told("team", "agent") == [told, told]
    assert [model["outcome"] for model in seen.of("model")] == ["completed", "rejected"]
    assert [http["origin"] for http in seen.of("http") if http["early"]] == [True]
