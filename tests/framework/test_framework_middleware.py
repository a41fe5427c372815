"""Middleware that fails, ends the run, answers in another's place or swallows a cancellation, streamed and awaited."""

import asyncio
from dataclasses import replace
from typing import Any

import agent_framework
import pytest
from harness import TASK, TOOL_NAME, Program, Told, done, origin, watch
from programs.framework import BOTH, agent, begun, failed_tool, tool, turn


async def answer() -> str:
    return "approved"


async def fail() -> str:
    raise LookupError


@agent_framework.function_middleware
async def fails_before(context: Any, call_next: Any) -> None:
    raise PermissionError


@agent_framework.function_middleware
async def fails_after(context: Any, call_next: Any) -> None:
    await call_next()
    raise PermissionError


@agent_framework.function_middleware
async def renames(context: Any, call_next: Any) -> None:
    try:
        await call_next()
    except LookupError as error:
        raise PermissionError from error


@agent_framework.function_middleware
async def stands_in(context: Any, call_next: Any) -> None:
    try:
        await call_next()
    except LookupError:
        context.result = "in its place"


@agent_framework.function_middleware
async def answers_itself(context: Any, call_next: Any) -> None:
    context.result = "in its place"


@agent_framework.function_middleware
async def ends_the_loop(context: Any, call_next: Any) -> None:
    raise agent_framework.MiddlewareTermination


LOOKUP, PERMISSION = origin(failed_tool("LookupError")), origin(failed_tool("PermissionError"))


@pytest.mark.parametrize("way", BOTH)
@pytest.mark.parametrize(
    ("middleware", "body", "tools"),
    [
        (fails_before, answer, [PERMISSION]),
        (fails_after, answer, [PERMISSION, done("tool")]),
        (fails_after, fail, [LOOKUP]),
        (renames, fail, [LOOKUP]),
        (stands_in, fail, [LOOKUP]),
        (answers_itself, answer, []),
        (ends_the_loop, answer, []),
    ],
)
def test_a_call_that_fails_in_a_middleware_is_a_failed_one_and_told_once(
    middleware: Any, body: Any, tools: list[Told], way: str
) -> None:
    seen = watch(turn("tool_call", way, tools=[tool(body)], middleware=[middleware]))
    told = seen.of("tool")
    assert [each.told for each in told] == tools
    assert {each.name for each in told} <= {TOOL_NAME}
    assert len({each["gen_ai.tool.call.id"] for each in told}) <= 1
    assert seen.one("agent").told.outcome == "completed"


@pytest.mark.parametrize("way", BOTH)
def test_a_middleware_that_aborts_the_run_failed_in_its_call(way: str) -> None:
    @agent_framework.function_middleware
    async def aborts(context: Any, call_next: Any) -> None:
        raise agent_framework.MiddlewareFailure("no")

    seen = watch(turn("tool_call", way, tools=[tool(answer)], middleware=[aborts]))
    assert seen.one("agent").told == replace(seen.one("tool").told, origin=False)
    assert seen.one("tool").told.outcome == "failed"


@agent_framework.agent_middleware
async def ends_the_run(context: Any, call_next: Any) -> None:
    raise agent_framework.MiddlewareTermination


@agent_framework.agent_middleware
async def ends_the_run_later(context: Any, call_next: Any) -> None:
    await call_next()
    raise agent_framework.MiddlewareTermination


@agent_framework.agent_middleware
async def fails(context: Any, call_next: Any) -> None:
    raise LookupError


@agent_framework.chat_middleware
async def only_passes(context: Any, call_next: Any) -> None:
    await call_next()


@pytest.mark.parametrize(
    ("middleware", "layers"),
    [
        (ends_the_run, ["agent"]),
        (ends_the_run_later, ["agent", "http", "model"]),
        (only_passes, ["agent", "http", "model"]),
    ],
)
def test_a_middleware_that_ends_the_run_completes_it(middleware: Any, layers: list[str]) -> None:
    seen = watch(turn("ok", middleware=[middleware]))
    assert seen.layers == layers
    assert seen.one("agent")["outcome"] == "completed"


@agent_framework.chat_middleware
async def swallows(context: Any, call_next: Any) -> None:
    try:
        await call_next()
    except asyncio.CancelledError:
        reply = agent_framework.Message(role="assistant", contents=["enough"])
        context.result = agent_framework.ChatResponse(messages=[reply])


def test_a_middleware_that_swallows_a_cancellation_is_not_contradicted() -> None:
    said: list[str] = []

    async def body(program: Program) -> None:
        task = asyncio.ensure_future(agent(program, "stall", middleware=[swallows]).run(TASK))
        await begun("http")
        task.cancel()
        said.append((await task).text)

    seen = watch(body)
    assert (seen.raised, said) == ("", ["enough"])
    assert [seen.one(layer)["outcome"] for layer in ("agent", "model", "http")] == [
        "completed",
        "cancelled",
        "cancelled",
    ]


@pytest.mark.parametrize("way", BOTH)
def test_a_middleware_fails(way: str) -> None:
    seen = watch(turn("ok", way, middleware=[fails]))
    told = Told("failed", "agent", "none", "", "LookupError", "agent", error_type="LookupError")
    assert (seen.raised, seen.one("agent").told) == ("LookupError", origin(told))
