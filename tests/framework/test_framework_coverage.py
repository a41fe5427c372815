"""Each agent, client, tool and workflow class of the installed packages of Agent Framework is in the table."""

import inspect
import json
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.metadata import packages_distributions
from typing import Any, Final

import agent_framework
import pytest
from agent_framework import Message
from agent_framework_openai import (
    OpenAIChatClient,
    RawOpenAIChatClient,
    RawOpenAIChatCompletionClient,
)
from harness import MODEL_NAME, TASK, Program, Stream, instrumented, watch
from harness.raw_server import raw_server
from programs.framework import client, sdk, tool
from surface.classes import descendants
from surface.framework import KINDS, PACKAGES, TABLE

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore:.*is experimental")]

INSTALLED: Final = sorted(name for name in packages_distributions() if name.startswith("agent_framework"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_class_of_the_packages_is_in_the_table_and_no_other(kind: str) -> None:
    assert sorted(TABLE[kind]) == list(descendants(PACKAGES, KINDS[kind].roots))


def test_every_class_of_every_installed_package_has_the_patched_methods() -> None:
    unwatched: list[str] = []
    count = 0
    with instrumented():
        for kind in KINDS.values():
            for name, module in descendants(INSTALLED, kind.roots).items():
                cls = imported(module, name)
                count += cls is not None
                unwatched += [
                    f"{name}.{each}" for each in kind.methods if cls is not None and not is_watched(cls, each)
                ]
    assert unwatched == []
    assert count >= sum(map(len, TABLE.values()))


def imported(module: str, name: str) -> Any:
    """The class, where what it depends on is installed."""
    try:
        return getattr(import_module(module), name)
    except ImportError:
        return None


def is_watched(cls: type, method: str) -> bool:
    """Whether a class's method is ours, where there is one: an MCP server has none."""
    there = inspect.getattr_static(cls, method, None)
    return there is None or "autogen_streamtrace" in there.__code__.co_filename


def office(program: Program) -> Any:
    return agent_framework.WorkflowBuilder(start_executor=clerk(program), name="office").build()


def clerk(program: Program, cls: Any = agent_framework.Agent) -> Any:
    return cls(client=client(program, "ok"), name="clerk")


def function(program: Program) -> Any:
    @agent_framework.workflow(name="function")
    async def function(said: Any) -> str:
        return str((await clerk(program).run(TASK)).text)

    return function.build()


async def ask(made: Any) -> None:
    async for _ in made.get_response([Message(role="user", contents=[TASK])], stream=True):
        pass


async def read(made: Any) -> None:
    async for _ in made.run(TASK, stream=True):
        pass


DELTA: Final = {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0}
DONE: Final = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": MODEL_NAME,
    "status": "completed",
    "output": [],
    "parallel_tool_calls": False,
    "tool_choice": "auto",
    "tools": [],
}


def responses() -> bytes:
    """A streamed reply in OpenAI's format of responses."""
    said = [
        {**DELTA, "delta": "approved", "logprobs": [], "sequence_number": 1},
        {"type": "response.completed", "response": DONE, "sequence_number": 2},
    ]
    body = "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in said).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def of_responses(cls: Any) -> Callable[[Program], Awaitable[None]]:
    async def body(program: Program) -> None:
        with raw_server((responses(), "keep")) as url:
            await ask(cls(model=MODEL_NAME, async_client=sdk(program, f"{url}/v1")))

    return body


async def call(program: Program) -> None:
    async def approve() -> str:
        return "approved"

    await tool(approve).invoke(claim_id="7")


PROGRAMS: Final[dict[str, Callable[[Program], Awaitable[None]]]] = {
    "Agent": lambda program: read(clerk(program)),
    "RawAgent": lambda program: read(clerk(program, agent_framework.RawAgent)),
    "WorkflowAgent": lambda program: read(office(program).as_agent(name="office")),
    "FunctionalWorkflowAgent": lambda program: read(function(program).as_agent(name="function")),
    "OpenAIChatCompletionClient": lambda program: ask(client(program, "ok")),
    "RawOpenAIChatCompletionClient": lambda program: ask(client(program, "ok", cls=RawOpenAIChatCompletionClient)),
    "OpenAIChatClient": of_responses(OpenAIChatClient),
    "RawOpenAIChatClient": of_responses(RawOpenAIChatClient),
    "FunctionTool": call,
    "Workflow": lambda program: read(office(program)),
    "FunctionalWorkflow": lambda program: read(function(program)),
}
RUN: Final = {name: row for rows in TABLE.values() for name, row in rows.items() if not row.startswith("not run")}


def test_every_class_that_is_run_has_a_program_and_no_other() -> None:
    assert sorted(PROGRAMS) == sorted(RUN)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_streams_of_its_program_are_told(name: str) -> None:
    seen = watch(PROGRAMS[name])
    assert (seen.raised, ", ".join(map(said, seen.streams))) == ("", RUN[name])


def said(stream: Stream) -> str:
    outcome = stream["outcome"]
    return f"{stream.layer} {stream.name}" + (f": {outcome}" if outcome != "completed" else "")
