"""Turns that call tools, and an agent of the user's own."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from importlib import import_module
from typing import Any, Final, cast

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.tools import AgentTool
from autogen_core import CancellationToken, FunctionCall
from autogen_core.models import CreateResult, RequestUsage
from autogen_core.tools import FunctionTool
from autogen_ext.models.replay import ReplayChatCompletionClient
from harness import (
    AGENT_NAME,
    CANCELLED_ERROR,
    HTTPX,
    NEVER,
    READ_TIMEOUT,
    TASK,
    TOOL_NAME,
    Program,
    Seen,
    Told,
    asked,
    cancelled,
    done,
    in_time,
    origin,
    read,
    timed_out,
    tool,
    watch,
)

from autogen_streamtrace.commands.demo.scenarios.program import MODEL_INFO

CLIENT: Final[Any] = import_module(HTTPX)


def calls(body: Callable[[], Awaitable[str]]) -> Callable[[Program], Awaitable[object]]:
    """A turn in which the model calls a tool that does this."""
    return lambda program: read(program.turn("tool_call", tools=[tool(body)]))


def failed(by: str, cause: str) -> Told:
    return Told("failed", by, "none", "", cause, by, error_type=cause)


# Tools.


def test_a_tool_that_raises_while_the_run_goes_on() -> None:
    async def fail() -> str:
        raise ConnectionResetError("the claims backend hung up")

    seen = watch(calls(fail))
    assert seen.raised == ""
    assert seen.layers == ["agent", "http", "http", "model", "model", "tool"]
    assert seen.one("tool").told == origin(failed("tool", "ConnectionResetError"))
    assert seen.one("agent").told == done()
    assert [stream.told for stream in (*seen.of("model"), *seen.of("http"))] == [done()] * 4


def test_without_reflection_the_tool_ends_the_turn() -> None:
    async def answer() -> str:
        return "approved"

    async def body(program: Program) -> None:
        agent = program.agent("tool_call", tools=[tool(answer)])
        agent._reflect_on_tool_use = False
        await read(agent.run_stream(task=TASK))

    seen = watch(body)
    assert seen.layers == ["agent", "http", "model", "tool"]
    assert seen.told("agent", "tool", "model", "http") == [done("tool"), done("tool"), done(), done()]


def test_the_callers_task_gives_up_while_a_tool_hangs_and_runs_on() -> None:
    async def body(program: Program) -> None:
        hangs, release = asyncio.Event(), asyncio.Event()

        async def hang() -> str:
            hangs.set()
            await release.wait()
            return "too late"

        task = asyncio.ensure_future(read(program.turn("tool_call", tools=[tool(hang)])))
        await hangs.wait()
        task.cancel()
        try:
            await task
        finally:
            release.set()

    seen = watch(body)
    told = cancelled("tool", TOOL_NAME)
    assert seen.raised == CANCELLED_ERROR
    assert seen.layers == ["agent", "http", "model", "tool"]
    assert seen.told("agent", "tool", "model", "http") == [origin(told), told, done(), done()]
    assert seen.one("tool")["upstream_overrun"] > 0


def test_a_token_cancels_a_tool_that_hangs() -> None:
    """AutoGen's agent then waits for the tool's answer for ever, until its own task is cancelled."""

    async def body(program: Program) -> None:
        token, hangs = CancellationToken(), asyncio.Event()

        async def hang() -> str:
            hangs.set()
            await asyncio.Event().wait()
            return ""

        task = asyncio.ensure_future(read(program.turn("tool_call", token, tools=[tool(hang)])))
        await hangs.wait()
        token.cancel()
        await asked()
        task.cancel()
        await task

    seen = watch(body)
    told = cancelled("tool", TOOL_NAME, by="token")
    assert seen.raised == CANCELLED_ERROR
    assert seen.told("agent", "tool", "model", "http") == [origin(told), told, done(), done()]


def test_of_two_tools_that_hang_the_one_begun_last_is_waited_for_and_both_are_cancelled() -> None:
    async def body(program: Program) -> None:
        hangs = asyncio.Semaphore(0)

        async def hang() -> str:
            hangs.release()
            await asyncio.Event().wait()
            return ""

        tools = [FunctionTool(hang, "Hangs.", name=name) for name in ("one", "two")]
        calls = [FunctionCall(id=each.name, name=each.name, arguments="{}") for each in tools]
        usage = RequestUsage(prompt_tokens=1, completion_tokens=1)
        asks = CreateResult(finish_reason="function_calls", content=calls, usage=usage, cached=False)
        info: Any = {**MODEL_INFO, "function_calling": True}
        agent = AssistantAgent(AGENT_NAME, ReplayChatCompletionClient([asks], model_info=info), tools=cast(Any, tools))
        task = asyncio.ensure_future(read(agent.run_stream(task=TASK)))
        for _ in tools:
            await hangs.acquire()
        task.cancel()
        await task

    seen = watch(body)
    told = cancelled("tool", "two")
    assert seen.one("agent").told == origin(told)
    assert seen.one("tool", "two").told == told
    assert (seen.one("tool", "one")["outcome"], seen.one("tool", "one")["origin"]) == ("cancelled", False)
    assert seen.one("model").told == done()
    assert seen.one("model")["terminator"] is True


def test_a_deadline_that_a_tool_sets_around_its_own_work_is_the_tools_failure() -> None:
    async def strike() -> str:
        await asyncio.wait_for(asyncio.Event().wait(), 0.01)
        return ""

    seen = watch(calls(strike))
    tool_told = seen.one("tool").told
    assert (tool_told.outcome, tool_told.ended_by, tool_told.origin) == ("failed", "tool", True)
    assert tool_told.cause in ("TimeoutError", "asyncio.exceptions.TimeoutError")
    assert seen.one("agent").told == done()


SILENCE: Final[Any] = CLIENT.Timeout(NEVER, read=READ_TIMEOUT)


def inner_post(program: Program, fault: str, **options: Any) -> Callable[[], Coroutine[Any, Any, str]]:
    """A tool's own HTTP request."""

    async def post() -> str:
        async with CLIENT.AsyncClient(verify=False, **options) as client:
            response = await client.post(f"{program.server.url(fault)}/chat/completions", json={"stream": True})
            response.raise_for_status()
            return "done"

    return post


def with_tool(make: Callable[[Program], Callable[[], Awaitable[str]]]) -> Seen:
    return watch(lambda program: read(program.turn("tool_call", tools=[tool(make(program))])))


def test_an_http_exchange_of_a_tool_belongs_to_the_tool() -> None:
    seen = with_tool(lambda program: inner_post(program, "ok"))
    http = seen.of("http")[1]
    assert [outer.layer for outer in seen.above(http)] == ["tool", "agent"]
    assert http.told == done()  # it is a model's reply
    assert seen.one("tool").told == done("tool")


def test_an_http_exchange_in_a_thread_of_a_tool_belongs_to_the_tool() -> None:
    def make(program: Program) -> Callable[[], Awaitable[str]]:
        def post() -> str:
            with CLIENT.Client(verify=False) as client:
                client.post(f"{program.server.url('ok')}/chat/completions", json={"stream": True})
            return "done"

        return lambda: asyncio.to_thread(post)

    seen = with_tool(make)
    assert [outer.layer for outer in seen.above(seen.of("http")[1])] == ["tool", "agent"]
    assert seen.of("http")[1].told == done()


def test_a_timeout_of_a_tools_own_http_client() -> None:
    seen = with_tool(lambda program: inner_post(program, "stall", timeout=SILENCE))
    assert seen.one("tool").told == timed_out()
    assert seen.of("http")[1].told == origin(timed_out())
    assert seen.one("agent").told == done()


def test_a_status_that_a_tools_own_http_client_raises() -> None:
    seen = with_tool(lambda program: inner_post(program, "http_500"))
    cause = f"{HTTPX}.HTTPStatusError"
    told = seen.one("tool").told
    assert (told.outcome, told.ended_by, told.cause, told.error_type) == ("rejected", "upstream", cause, "500")
    assert seen.of("http")[1].told.origin
    assert seen.one("agent").told == done()


def test_a_deadline_of_a_tool_over_its_own_http_client() -> None:
    """The proof of a deadline: a ``TimeoutError`` over the exchange's ``CancelledError``."""

    def make(program: Program) -> Callable[[], Awaitable[str]]:
        async def strike() -> str:
            sent = asyncio.Event()

            async def sends(request: object) -> None:
                sent.set()

            return await in_time(inner_post(program, "stall", event_hooks={"request": [sends]})(), sent, READ_TIMEOUT)

        return strike

    seen = with_tool(make)
    http, tool_told = seen.of("http")[1].told, seen.one("tool").told
    assert (tool_told.outcome, tool_told.ended_by, tool_told.origin) == ("failed", "tool", True)
    assert (http.outcome, http.cancelled_by, http.fault, http.origin) == ("cancelled", "deadline", True, False)
    assert (http.waiting_on, http.waiting_on_name) == ("http", "127.0.0.1")


def test_an_agent_that_is_a_tool_keeps_its_truncation_to_itself() -> None:
    async def body(program: Program) -> None:
        inner = AgentTool(program.agent("silent", "expert"))
        await read(program.turn("tool_call", tools=[cast(Any, inner)]))

    seen = watch(body)
    expert = seen.one("agent", "expert")
    assert expert.told.outcome == "truncated"
    assert [outer.layer for outer in seen.above(expert)] == ["tool", "agent"]
    assert seen.one("agent", AGENT_NAME).told == done()


def test_a_failing_agent_of_the_users_own_is_the_agents_fault() -> None:
    class OwnError(Exception):
        pass

    class Own(AssistantAgent):
        async def on_messages_stream(self, messages: Any, cancellation_token: Any) -> Any:
            async for item in super().on_messages_stream(messages, cancellation_token):
                yield item
                raise OwnError

    async def body(program: Program) -> None:
        agent = Own(AGENT_NAME, program.client("slow"), model_client_stream=True)
        await read(agent.run_stream(task=TASK))

    seen = watch(body)
    assert seen.raised.endswith(".OwnError")
    told = failed("agent", seen.raised)
    assert seen.one("agent").told == origin(told)
    assert [replace(s.told, origin=False) for s in seen.streams if s.layer != "agent"] == [told] * (
        len(seen.streams) - 1
    )
