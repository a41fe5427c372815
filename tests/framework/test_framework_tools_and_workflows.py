"""Tools, agents as tools, approvals and workflows: what each layer says, streamed and awaited."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

import agent_framework
import pytest
from harness import (
    AGENT_NAME,
    CANCELLED_ERROR,
    HTTPX,
    MODEL_NAME,
    NEVER,
    TASK,
    TOOL_NAME,
    TRUNCATED,
    Program,
    Seen,
    Told,
    disconnected,
    done,
    origin,
    struck,
    watch,
)
from programs.framework import (
    BOTH,
    DEADLINE,
    WAYS,
    agent,
    failed_tool,
    never,
    streamed,
    struck_later,
    tool,
    turn,
)


class Fatal(BaseException):
    """What no framework catches."""


async def answer() -> str:
    return "approved"


async def fail() -> str:
    raise LookupError


async def die() -> str:
    raise Fatal


async def cancel_inside() -> str:
    task = asyncio.ensure_future(asyncio.sleep(10))
    await asyncio.sleep(0)
    task.cancel()
    await task
    return ""


async def end_the_turn() -> str:
    raise agent_framework.MiddlewareTermination(result="enough")


async def ask_the_user() -> str:
    raise agent_framework.UserInputRequiredException(contents=[])


INSIDE: Final = Told(
    "cancelled", "tool", "none", "", CANCELLED_ERROR, "tool", cancelled_by="inside", error_type=CANCELLED_ERROR
)
FATAL: Final = f"{__name__}.Fatal"


TOOLS: Final[dict[Callable[[], Awaitable[str]], tuple[Told, Told]]] = {
    answer: (done("tool"), done()),
    end_the_turn: (done("tool"), done()),
    ask_the_user: (done("tool"), done()),
    fail: (origin(failed_tool("LookupError")), done()),
    die: (origin(failed_tool(FATAL)), failed_tool(FATAL)),
    cancel_inside: (origin(INSIDE), INSIDE),
}
"""What a tool's layer and its agent's say."""


@pytest.mark.parametrize("way", BOTH)
@pytest.mark.parametrize("body", TOOLS, ids=lambda body: body.__name__)
def test_a_tool_ends(body: Callable[[], Awaitable[str]], way: str) -> None:
    seen = watch(turn("tool_call", way, tools=[tool(body)]))
    assert seen.told("tool", "agent") == list(TOOLS[body])
    assert [above.layer for above in seen.above(seen.one("tool"))] == ["agent"]
    assert all(model["outcome"] == "completed" for model in seen.of("model"))


GIVEN_UP: Final = threading.Event()


def hang(claim_id: str) -> str:
    """In a thread, which is let go once its caller has given up."""
    GIVEN_UP.wait(NEVER)
    return ""


@pytest.mark.parametrize("way", BOTH)
@pytest.mark.parametrize("made", [tool(never), agent_framework.tool(hang, name=TOOL_NAME)], ids=["async", "thread"])
def test_a_deadline_names_the_tool_that_hangs(made: Any, way: str) -> None:
    async def body(program: Program) -> None:
        GIVEN_UP.clear()
        try:
            await struck_later(WAYS[way](agent(program, "tool_call", tools=[made])), "tool")
        finally:
            GIVEN_UP.set()

    seen = watch(body)
    assert seen.told("agent", "tool") == [
        origin(struck(DEADLINE, "tool", TOOL_NAME)),
        struck(DEADLINE, "tool", TOOL_NAME),
    ]


def test_the_siblings_of_a_call_are_each_a_tool_call_of_the_agent() -> None:
    async def body(program: Program) -> None:
        calls = agent_framework.tool(answer, name="one"), agent_framework.tool(answer, name="two")
        await asyncio.gather(*(call.invoke() for call in calls))

    seen = watch(body)
    assert sorted(stream.name for stream in seen.of("tool")) == ["one", "two"]


@pytest.mark.parametrize("way", BOTH)
def test_an_agent_that_is_a_tool_is_inside_its_call(way: str) -> None:
    async def body(program: Program) -> None:
        expert = agent(program, "silent", "expert")
        await WAYS[way](agent(program, "tool_call", tools=[expert.as_tool(name="ask_expert")]))

    seen = watch(body)
    assert seen.one("agent", "expert").told == TRUNCATED
    assert [above.name for above in seen.above(seen.one("agent", "expert"))] == ["ask_expert", AGENT_NAME]
    assert seen.one("agent", AGENT_NAME).told == done()


@pytest.mark.parametrize("way", BOTH)
def test_a_call_that_waits_for_an_approval_is_no_ending(way: str) -> None:
    requests: list[Any] = []

    async def body(program: Program) -> None:
        clerk = agent(program, "tool_call", tools=[tool(answer, approval_mode="always_require")])
        session = clerk.create_session()
        response = await WAYS[way](clerk, TASK, session=session)
        requests.extend(response.user_input_requests)
        approved = agent_framework.Message(
            role="user", contents=[requests[0].to_function_approval_response(approved=True)]
        )
        await WAYS[way](clerk, approved, session=session)

    seen = watch(body)
    assert len(requests) == 1
    assert [stream["outcome"] for stream in seen.of("agent")] == ["completed", "completed"]
    assert seen.one("tool").told == done("tool")


@pytest.mark.parametrize("way", BOTH)
def test_a_call_that_names_no_tool_of_the_agents_is_a_failed_one(way: str) -> None:
    async def body(program: Program) -> None:
        @agent_framework.function_middleware
        async def passes(context: Any, call_next: Any) -> None:
            await call_next()

        clerk = agent(program, "tool_call", tools=[tool(answer)], middleware=[passes])
        rename(clerk)
        await WAYS[way](clerk)

    seen = watch(body)
    assert seen.one("tool", "other").told == Told("failed", "tool", error_type="failed", origin=True)


def rename(clerk: Any) -> None:
    """Has the model ask for another tool than the agent has."""
    parse = clerk.client._parse_tool_calls_from_openai

    def renamed(choice: Any) -> Any:
        found = parse(choice)
        for content in found:
            if content.type == "function_call" and content.name:
                content.name = "other"
        return found

    clerk.client._parse_tool_calls_from_openai = renamed


def office(program: Program, fault: str) -> Any:
    first, second = agent(program, "ok"), agent(program, fault, "checker")
    return agent_framework.WorkflowBuilder(start_executor=first).add_edge(first, second).build()


async def run(workflow: Any, way: str) -> None:
    if way == "awaited":
        await workflow.run(TASK)
    elif way == "final":
        await workflow.run(TASK, stream=True).get_final_response()
    else:
        async for _ in workflow.run(TASK, stream=True):
            pass


FIN: Final = disconnected(f"{HTTPX}.RemoteProtocolError")
RUNS: Final = {"ok": done(), "length": Told("length", "model", fault=False, status="UNSET"), "fin": FIN}


def assert_office(seen: Seen) -> None:
    team = seen.one("team")
    assert team.name == "WorkflowBuilder"  # the id that the framework makes up is no name
    assert [stream.name for stream in seen.of("agent")] == [AGENT_NAME, "checker"]
    assert all([above.layer for above in seen.above(stream)] == ["team"] for stream in seen.of("agent"))
    assert [stream.name for stream in seen.of("model")] == [MODEL_NAME, MODEL_NAME]


@pytest.mark.parametrize("way", [*BOTH, "final"])
@pytest.mark.parametrize("fault", RUNS)
def test_a_workflow_runs(fault: str, way: str) -> None:
    seen = watch(lambda program: run(office(program, fault), way))
    assert seen.one("team").told == seen.one("agent", "checker").told == RUNS[fault]
    assert_office(seen)


@pytest.mark.parametrize("way", BOTH)
def test_a_deadline_of_a_workflow_names_what_its_member_waits_for(way: str) -> None:
    seen = watch(lambda program: struck_later(run(office(program, "stall"), way), "http", name="checker"))
    assert seen.told("team") == [origin(struck(DEADLINE, layer="team"))]
    assert seen.one("agent", "checker").told == struck(DEADLINE, layer="team")
    assert_office(seen)


def test_a_workflow_that_its_reader_leaves_is_abandoned() -> None:
    async def body(program: Program) -> None:
        async with office(program, "long").run(TASK, stream=True) as events:
            async for event in events:
                if event.type == "output":
                    break

    seen = watch(body)
    team = seen.one("team")
    assert (team["outcome"], team["ended_by"], team["waiting_on.type"]) == ("abandoned", "caller", "caller")


def test_a_member_of_a_workflow_fails() -> None:
    class Clerk(agent_framework.Executor):
        @agent_framework.handler
        async def work(self, said: str, context: agent_framework.WorkflowContext[str]) -> None:
            raise LookupError

    seen = watch(lambda program: run(agent_framework.WorkflowBuilder(start_executor=Clerk(id="clerk")).build(), "x"))
    told = Told("failed", "agent", "none", "", "LookupError", "team", error_type="LookupError")
    assert (seen.raised, seen.one("team").told) == ("LookupError", origin(told))


def test_a_workflow_that_is_an_agent_has_both_layers() -> None:
    async def body(program: Program) -> None:
        await streamed(office(program, "ok").as_agent(name="front"))

    seen = watch(body)
    assert [above.layer for above in seen.above(seen.one("team"))] == ["agent"]
    assert seen.one("agent", "front").told == replace(done(), ended_by=seen.one("team")["ended_by"])


@pytest.mark.filterwarnings("ignore:.*is experimental")
def test_a_functional_workflow_runs() -> None:
    async def body(program: Program) -> None:
        @agent_framework.workflow(name="function")
        async def function(said: str) -> str:
            return str((await agent(program, "ok").run(said)).text)

        built = function.build()
        await built.run(TASK)
        await run(built, "streamed")

    seen = watch(body)
    assert [(stream.name, stream["outcome"]) for stream in seen.of("team")] == [("function", "completed")] * 2
    assert all([above.layer for above in seen.above(stream)] == ["team"] for stream in seen.of("agent"))
