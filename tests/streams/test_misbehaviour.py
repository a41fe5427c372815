"""A client, an agent or a tool of AutoGen that misbehaves: the program sees exactly what it would have seen bare."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent, BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken, FunctionCall
from autogen_core.models import CreateResult
from autogen_core.tools import BaseStreamTool, BaseTool
from programs.alike import read
from programs.clients import RESULT, Client
from programs.watching import watching
from pydantic import BaseModel


def alike(program: Callable[[], Awaitable[Any]]) -> Any:
    """What the program sees, which is the same bare and watched; our own errors fail the test."""
    bare = asyncio.run(_seen(program))
    with watching():
        watched = asyncio.run(_seen(program))
    assert watched == bare
    return bare


async def _seen(program: Callable[[], Awaitable[Any]]) -> Any:
    try:
        seen: Any = await program()
    except Exception as error:
        seen = [type(error), str(error), type(error.__cause__), type(error.__context__)]
    return [DIFFERS.sub("", str(each)) for each in (seen if isinstance(seen, list | tuple) else [seen])]


DIFFERS = re.compile(
    r"id='[^']*'|datetime\.datetime\([^()]*(\([^()]*\))?[^()]*\)| at 0x[0-9a-f]+|Traceback.*", re.DOTALL
)
"""What differs from run to run, or names the lines through which an exception came."""


def turn(client: Client, **keywords: Any) -> Callable[[], Awaitable[Any]]:
    """A program that reads the whole turn of an agent over ``client``."""

    async def program() -> list[Any]:
        agent = AssistantAgent("writer", client, model_client_stream=True, **keywords)
        return await read(agent.run_stream(task="hello"))

    return program


async def yields_none() -> AsyncGenerator[Any, None]:
    yield None
    yield RESULT


async def yields_no_result() -> AsyncGenerator[Any, None]:
    yield "hello"


async def yields_nothing() -> AsyncGenerator[Any, None]:
    nothing: list[Any] = []
    for item in nothing:
        yield item


async def goes_on_after_its_result() -> AsyncGenerator[Any, None]:
    yield RESULT
    yield "more"
    yield RESULT


async def raises_after_its_result() -> AsyncGenerator[Any, None]:
    yield RESULT
    raise ValueError("after the end")


async def gives_a_result_without_usage() -> AsyncGenerator[Any, None]:
    yield CreateResult.model_construct(finish_reason=None, content=5, usage=None, cached=False)


async def gives_a_word_of_its_own_kind() -> AsyncGenerator[Any, None]:
    class Word(str):
        def __len__(self) -> int:
            raise ValueError("no length")

    yield Word("hello")
    yield RESULT


class Iterator:
    """A stream that is no generator, with something beside its items."""

    def __init__(self) -> None:
        self.headers = {"x": "y"}
        self._items = iter(["hello", RESULT])

    def __aiter__(self) -> "Iterator":
        return self

    async def __anext__(self) -> Any:
        for item in self._items:
            return item
        raise StopAsyncIteration

    async def __aenter__(self) -> "Iterator":
        return self

    async def __aexit__(self, *exception: object) -> None: ...


def returns_none() -> Any: ...


def returns_a_list() -> Any:
    return ["hello"]


def raises_at_once() -> Any:
    raise LookupError("at once")


OWN_ERRORS = pytest.mark.own_errors
"""We may fail to read what is no result; the program goes on."""

STREAMS: list[Any] = [
    yields_none,
    yields_no_result,
    yields_nothing,
    goes_on_after_its_result,
    raises_after_its_result,
    pytest.param(gives_a_result_without_usage, marks=OWN_ERRORS),
    gives_a_word_of_its_own_kind,
    Iterator,
    returns_none,
    returns_a_list,
    raises_at_once,
]


@pytest.mark.parametrize("stream", STREAMS)
def test_a_client_whose_stream_misbehaves(stream: Callable[[], Any]) -> None:
    class Misbehaving(Client):
        def create_stream(self, *args: Any, **kwargs: Any) -> Any:
            return stream()

    alike(turn(Misbehaving()))


@OWN_ERRORS
def test_a_client_whose_create_returns_none() -> None:
    class Misbehaving(Client):
        async def create(self, *args: Any, **kwargs: Any) -> Any:
            return None

    async def program() -> Any:
        return await Misbehaving().create([])

    alike(program)


@pytest.mark.parametrize("look", ["async with", "isinstance", "methods", "attribute", "set"])
def test_a_stream_that_is_no_generator_keeps_what_it_has_beside_its_items(look: str) -> None:
    class Own(Client):
        def create_stream(self, *args: Any, **kwargs: Any) -> Any:
            return Iterator()

    async def program() -> Any:
        stream = Own().create_stream()
        if look == "async with":
            async with stream as entered:
                return await read(entered)
        if look == "methods":
            return [hasattr(stream, name) for name in ("aclose", "asend", "athrow")]
        if look == "set":
            stream.headers = {}
        return stream.headers if look in ("attribute", "set") else isinstance(stream, Iterator)

    alike(program)


class Agent(BaseChatAgent):
    """An agent whose turn is the items that it is given."""

    def __init__(self, *items: Any) -> None:
        super().__init__("agent", "misbehaves")
        self._items = items

    @property
    def produced_message_types(self) -> Any:
        return (TextMessage,)

    async def on_messages(self, messages: Any, cancellation_token: Any) -> Any:
        return (await read(self.on_messages_stream(messages, cancellation_token)))[-1]

    async def on_messages_stream(self, messages: Any, cancellation_token: Any) -> AsyncGenerator[Any, None]:
        for item in self._items:
            if isinstance(item, Exception):
                raise item
            yield item

    async def on_reset(self, cancellation_token: Any) -> None: ...


SAID = TextMessage(content="said", source="agent")
DONE = Response(chat_message=SAID)


@pytest.mark.parametrize(
    "items",
    [
        (),
        (None,),
        (None, DONE),
        (DONE, SAID),
        (DONE, DONE),
        (SAID, KeyError("mid")),
        (DONE, KeyError("late")),
        (5, DONE),
    ],
    ids=["nothing", "None", "None first", "goes on", "done twice", "raises", "raises late", "a number"],
)
@pytest.mark.parametrize("how", ["run_stream", "run", "on_messages", "team"])
def test_an_agent_whose_turn_misbehaves(items: tuple[Any, ...], how: str) -> None:
    async def program() -> Any:
        agent = Agent(*items)
        if how == "team":
            return await read(
                RoundRobinGroupChat([agent], termination_condition=MaxMessageTermination(2)).run_stream(task="hello")
            )
        if how == "on_messages":
            return await agent.on_messages([], CancellationToken())
        return await (agent.run(task="hello") if how == "run" else read(agent.run_stream(task="hello")))

    alike(program)


@OWN_ERRORS
def test_an_agent_without_a_name() -> None:
    class Nameless(Agent):
        @property
        def name(self) -> str:
            raise RuntimeError("no name")

    async def program() -> Any:
        return await read(Nameless(DONE).on_messages_stream([], CancellationToken()))

    alike(program)


class Arguments(BaseModel):
    text: str = ""


class Tool(BaseTool[Arguments, Any]):
    """Does what it is told."""

    def __init__(self, does: Callable[[], Any]) -> None:
        super().__init__(Arguments, object, "tool", "misbehaves")
        self._does = does

    async def run(self, args: Arguments, cancellation_token: Any) -> Any:
        return self._does()


def fails() -> Any:
    raise OSError(5, "tool failed")


def cancels() -> Any:
    raise asyncio.CancelledError("by itself")


@pytest.mark.parametrize("does", [fails, cancels, returns_none, object])
def test_a_tool_that_misbehaves(does: Callable[[], Any]) -> None:
    class Calling(Client):
        async def create_stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            call = FunctionCall(id="1", name="tool", arguments="{}")
            yield RESULT.model_copy(update={"content": [call], "finish_reason": "function_calls"})

    async def program() -> Any:
        hangs = does is cancels  # AutoGen waits for its result for ever
        return await asyncio.wait_for(turn(Calling(), tools=[Tool(does)])(), 0.5 if hangs else 40)

    alike(program)


def test_a_streaming_tool_with_a_signature_of_its_own() -> None:
    class Own(BaseStreamTool[Arguments, Any, Any]):
        def __init__(self) -> None:
            super().__init__(Arguments, object, "own", "has its own signature")

        async def run(self, args: Any, cancellation_token: Any) -> Any: ...

        async def run_stream(self, args: Any, cancellation_token: Any) -> AsyncGenerator[Any, None]:
            yield None

        async def run_json_stream(self, args: Any, token: Any, *, twice: bool = False) -> AsyncGenerator[Any, None]:  # type: ignore[override]
            for _ in range(1 + twice):
                yield None

    async def program() -> Any:
        plain = await read(Own().run_json_stream({}, CancellationToken()))
        return plain, await read(Own().run_json_stream({}, token=CancellationToken(), twice=True))

    alike(program)
