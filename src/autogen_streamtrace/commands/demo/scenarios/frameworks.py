"""The endings that every framework and SDK has, on real clients of each: Agent Framework's, openai's, anthropic's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from autogen_streamtrace.commands.demo.scenarios.expectation import (
    CANCELLED,
    IN_TIME,
    LEFT,
    TIMED_OUT,
    TURN,
    Says,
    Scenario,
    cut,
    done,
    each,
)
from autogen_streamtrace.commands.demo.scenarios.program import (
    TASK,
    Program,
    read,
    read_some,
    read_timeout,
    start_reading,
)
from autogen_streamtrace.commands.demo.scenarios.readers import DEADLINE, IS_CANCELLED, IS_TIMEOUT
from autogen_streamtrace.core import semconv
from autogen_streamtrace.core.semconv import Layer

MESSAGES: Final[Any] = [{"role": "user", "content": TASK}]
MODEL: Final = "gpt-4o"
SOMETHING: Final = ".+"
"""Any exception: each library has its own."""

Opens = Callable[[Program, str], Awaitable[AsyncIterator[object]]]
"""Asks under the fault of that name, and returns the reply's stream."""


class Framework(NamedTuple):
    """What the demo plays."""

    name: str
    modules: tuple[str, ...]
    """What has to be installed."""
    layers: tuple[Layer, ...]
    """From the inside out."""
    opens: Opens


async def agent_run(program: Program, fault: str) -> AsyncIterator[object]:
    """A turn of an agent of Agent Framework."""
    from agent_framework import Agent
    from agent_framework_openai import OpenAIChatCompletionClient

    client = OpenAIChatCompletionClient(model=MODEL, async_client=_openai(program, fault))
    stream: Any = Agent(client=client, name="support_agent").run(TASK, stream=True)
    return aiter_of(stream)


async def chat_completion(program: Program, fault: str) -> AsyncIterator[object]:
    """A stream of the openai SDK's."""
    made = await _openai(program, fault).chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    return aiter_of(made)


async def message(program: Program, fault: str) -> AsyncIterator[object]:
    """A stream of the anthropic SDK's."""
    from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

    timeout = read_timeout(fault)
    # The server is in this process: a proxy that the environment names would never reach it.
    http = DefaultAsyncHttpxClient(trust_env=False, timeout=timeout)
    url = program.server.root(fault)
    client: Any = AsyncAnthropic(api_key="none", base_url=url, timeout=timeout, max_retries=0, http_client=http)
    program.closing(client)
    return aiter_of(await client.messages.create(model=MODEL, max_tokens=99, messages=MESSAGES, stream=True))


def _openai(program: Program, fault: str) -> Any:
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    timeout = read_timeout(fault)
    http = DefaultAsyncHttpxClient(trust_env=False, timeout=timeout)
    url = program.server.url(fault)
    client = AsyncOpenAI(api_key="none", base_url=url, timeout=timeout, max_retries=0, http_client=http)
    program.closing(client)
    return client


def aiter_of(stream: Any) -> AsyncIterator[object]:
    """The iterator of a stream, which for these is the stream itself."""
    iterator: AsyncIterator[object] = stream.__aiter__()
    return iterator


SDK_LAYERS: Final[tuple[Layer, ...]] = (semconv.HTTP, semconv.MODEL)

AGENT_FRAMEWORK: Final = Framework("agent-framework", ("agent_framework", "agent_framework_openai"), TURN, agent_run)
OPENAI: Final = Framework("openai", ("openai",), SDK_LAYERS, chat_completion)
ANTHROPIC: Final = Framework("anthropic", ("anthropic",), SDK_LAYERS, message)
FRAMEWORKS: Final = {each.name: each for each in (AGENT_FRAMEWORK, OPENAI, ANTHROPIC)}


def scenarios(framework: Framework) -> dict[str, Scenario]:
    """The endings of one framework, by name."""
    return {scenario.name: scenario for scenario in (*_replies(framework), *_cuts(framework), *_readers(framework))}


def _whole(framework: Framework, fault: str) -> Callable[[Program], Awaitable[None]]:
    async def run(program: Program) -> None:
        await read(await framework.opens(program, fault))

    return run


def _replies(framework: Framework) -> tuple[Scenario, ...]:
    above = framework.layers[1:]
    length = (done(semconv.HTTP), *each(above, Says(semconv.MODEL, semconv.LENGTH), semconv.MODEL))
    return (
        Scenario(
            "ok", "nothing: text, finish reason, end", _whole(framework, "ok"), tuple(map(done, framework.layers))
        ),
        Scenario("length", "the model stops at its token limit", _whole(framework, "length"), length),
    )


def _cuts(framework: Framework) -> tuple[Scenario, ...]:
    def scenario(name: str, what: str, says: Says, *, raises: str = SOMETHING) -> Scenario:
        return Scenario(name, what, _whole(framework, name), each(framework.layers, says, semconv.HTTP), raises)

    gone = cut(semconv.DISCONNECTED, semconv.HTTP)
    refused = cut(semconv.REJECTED, semconv.HTTP, ".*", **{semconv.A_ERROR_TYPE: "429"})
    return (
        scenario("silent", "the body ends cleanly in mid-sentence", cut(semconv.TRUNCATED, semconv.NONE), raises=""),
        scenario("fin", "the connection is closed in mid-body", replace(gone, cause=r"httpx2?\.RemoteProtocolError")),
        scenario("rst", "the connection is reset in mid-body", replace(gone, cause=r"httpx2?\.ReadError")),
        scenario("stall", "the server falls silent in mid-body", replace(TIMED_OUT, cause=r"httpx2?\.ReadTimeout")),
        scenario("http_429", "the request is refused with 429", refused),
    )


def _readers(framework: Framework) -> tuple[Scenario, ...]:
    outermost = framework.layers[-1]

    async def leave(program: Program) -> None:
        await read_some(await framework.opens(program, "slow"))

    async def cancel(program: Program) -> None:
        task = await start_reading(await framework.opens(program, "slow"))
        task.cancel()
        await task

    async def deadline(program: Program) -> None:
        stream = await framework.opens(program, "slow")
        await read_some(stream)
        await asyncio.wait_for(read(stream), DEADLINE)

    def scenario(name: str, what: str, run: Callable[[Program], Awaitable[None]], says: Says, raises: str) -> Scenario:
        return Scenario(name, what, run, each(framework.layers, replace(says, cause=".*"), outermost), raises)

    return (
        scenario("break", "the reader breaks out of its loop", leave, LEFT, ""),
        scenario("task_cancel", "the reader's task is cancelled", cancel, CANCELLED, IS_CANCELLED),
        scenario("wait_for", "asyncio.wait_for around the reader strikes", deadline, IN_TIME, IS_TIMEOUT),
    )
