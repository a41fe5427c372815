"""Every kind of agent is one span a turn, with what it does beneath it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from autogen_agentchat.agents import (
    ApprovalRequest,
    ApprovalResponse,
    AssistantAgent,
    BaseChatAgent,
    CodeExecutorAgent,
    MessageFilterAgent,
    MessageFilterConfig,
    PerSourceFilter,
    SocietyOfMindAgent,
    UserProxyAgent,
)
from autogen_agentchat.base import ChatAgent, Response, TaskResult
from autogen_agentchat.messages import TextMessage
from autogen_core import CancellationToken
from autogen_core.tools import FunctionTool
from autogen_ext.agents.openai import OpenAIAgent, OpenAIAssistantAgent
from autogen_ext.code_executors.local import LocalCommandLineCodeExecutor
from harness import CANCELLED_ERROR, TASK, Program, Seen, Told, asked, cancelled, done, origin, read, watch
from harness.openai_api import openai_api
from harness.scripted import model, speaker


def own_tool() -> FunctionTool:
    async def own(word: str) -> str:
        return word

    return FunctionTool(own, "Answers.")


CODE = "```python\nprint('approved')\n```"


class Own(BaseChatAgent):
    """An agent of the user's own, with neither of AutoGen's streams."""

    @property
    def produced_message_types(self) -> Any:
        return (TextMessage,)

    async def on_messages(self, messages: Any, cancellation_token: CancellationToken) -> Response:
        return Response(chat_message=TextMessage(content="hello", source=self.name))

    async def on_reset(self, cancellation_token: CancellationToken) -> None: ...


class Generating(Own):
    async def on_messages_stream(self, messages: Any, cancellation_token: CancellationToken) -> Any:
        yield TextMessage(content="on my way", source=self.name)
        yield await self.on_messages(messages, cancellation_token)


class Running(Own):
    """Has a whole ``run_stream`` of its own."""

    async def run_stream(self, **kwargs: Any) -> AsyncGenerator[Any, None]:
        yield TextMessage(content="on my way", source=self.name)
        yield TaskResult(messages=[])


class Iterator:
    """An iterator that is no generator."""

    def __init__(self, *items: object) -> None:
        self.items = list(items)

    def __aiter__(self) -> AsyncIterator[object]:
        return self

    async def __anext__(self) -> object:
        if not self.items:
            raise StopAsyncIteration
        item = self.items.pop(0)
        if isinstance(item, Exception):
            raise item
        return item


class Iterating(Own):
    """Answers with an iterator that is no generator."""

    items: tuple[object, ...] = (TaskResult(messages=[]),)

    def run_stream(self, **kwargs: Any) -> Any:
        return Iterator(*self.items)


class SuperCalling(AssistantAgent):
    """Wraps both streams that it inherits."""

    async def run_stream(self, **kwargs: Any) -> AsyncGenerator[Any, None]:
        async for item in super().run_stream(**kwargs):
            yield item

    async def on_messages_stream(self, messages: Any, cancellation_token: CancellationToken) -> Any:
        async for item in super().on_messages_stream(messages, cancellation_token):
            yield item


@pytest.mark.parametrize("cls", [Own, Generating, Running, Iterating])
def test_an_agent_of_the_users_own(cls: type[Own]) -> None:
    seen = watch(lambda program: read(cls("own", "Answers.").run_stream(task=TASK)))
    assert seen.one("agent", "own").told == done("agent")
    assert seen.layers == ["agent"]
    assert seen.one("agent")["chunks"] >= 1


def test_an_agent_that_is_no_subclass_of_autogens_base_is_watched_too() -> None:
    class Direct(ChatAgent):
        name = "direct"
        description = "Answers."
        produced_message_types = (TextMessage,)

        async def on_messages(self, messages: Any, cancellation_token: CancellationToken) -> Response:
            return Response(chat_message=TextMessage(content="hello", source=self.name))

        async def on_messages_stream(self, messages: Any, cancellation_token: CancellationToken) -> Any:
            yield await self.on_messages(messages, cancellation_token)

        async def run(self, **kwargs: Any) -> Any: ...

        def run_stream(self, **kwargs: Any) -> Any: ...

        async def on_reset(self, cancellation_token: CancellationToken) -> None: ...

        on_pause = on_resume = on_reset

        async def save_state(self) -> Any: ...

        async def load_state(self, state: Any) -> None: ...

        async def close(self) -> None: ...

    seen = watch(lambda program: read(Direct().on_messages_stream([], CancellationToken())))
    assert seen.layers == ["agent"]
    assert seen.one("agent", "direct").told == done("agent")


def test_an_agent_that_wraps_what_it_inherits_is_one_turn() -> None:
    agent = SuperCalling("own", model("hello"), model_client_stream=True)
    seen = watch(lambda program: read(agent.run_stream(task=TASK)))
    assert seen.layers == ["agent", "model"]
    assert seen.told("agent", "model") == [done(), done()]


def test_an_agent_that_hands_on_what_it_inherits_is_one_turn() -> None:
    class HandingOn(AssistantAgent):
        def run_stream(self, **kwargs: Any) -> Any:
            return super().run_stream(**kwargs)

    agent = HandingOn("own", model("hello"), model_client_stream=True)
    seen = watch(lambda program: read(agent.run_stream(task=TASK)))
    assert seen.layers == ["agent", "model"]


def test_an_iterator_of_the_users_own_that_raises_is_the_agents_failure() -> None:
    agent = Iterating("own", "Answers.")
    agent.items = (TextMessage(content="on my way", source="own"), LookupError())
    seen = watch(lambda program: read(agent.run_stream(task=TASK)))
    assert seen.raised == "LookupError"
    expected = Told("failed", "agent", "none", "", "LookupError", "agent", error_type="LookupError", origin=True)
    assert seen.one("agent").told == expected


async def never(prompt: str, cancellation_token: CancellationToken | None) -> str:
    await asyncio.Event().wait()
    return ""


def waiting_for_a_person(in_team: bool) -> Seen:
    async def body(program: Program) -> None:
        person = UserProxyAgent("adjuster", input_func=never)
        stream = program.team(person).run_stream(task=TASK) if in_team else person.run_stream(task=TASK)
        token_or_task = asyncio.ensure_future(read(stream))
        await asked()
        await asyncio.sleep(0.1)
        token_or_task.cancel()
        await token_or_task

    return watch(body)


def test_a_person_who_does_not_answer_is_waited_for() -> None:
    seen = waiting_for_a_person(in_team=False)
    assert seen.raised == CANCELLED_ERROR
    assert seen.one("agent").told == origin(cancelled("agent", "adjuster"))


def test_a_person_who_answers() -> None:
    async def body(program: Program) -> None:
        await read(UserProxyAgent("adjuster", input_func=lambda prompt: "yes").run_stream(task=TASK))

    assert watch(body).one("agent", "adjuster").told == done("agent")


def test_an_input_that_fails_is_the_agents_failure() -> None:
    def fail(prompt: str) -> str:
        raise EOFError

    async def body(program: Program) -> None:
        await read(UserProxyAgent("adjuster", input_func=fail).run_stream(task=TASK))

    told = watch(body).one("agent").told
    assert (told.outcome, told.ended_by, told.waiting_on) == ("failed", "agent", "none")


def approve(request: ApprovalRequest) -> ApprovalResponse:
    return ApprovalResponse(approved=True, reason="")


@pytest.mark.once
@pytest.mark.filterwarnings("ignore:Using LocalCommandLineCodeExecutor:UserWarning")
@pytest.mark.parametrize("streaming", [True, False])
def test_an_agent_that_executes_the_code_that_its_model_wrote(streaming: bool, tmp_path: Path) -> None:
    async def body(program: Program) -> None:
        executor = LocalCommandLineCodeExecutor(work_dir=tmp_path)
        agent = CodeExecutorAgent(
            "coder",
            executor,
            model_client=model(CODE, "It is approved."),
            model_client_stream=streaming,
            approval_func=approve,
        )
        await read(agent.run_stream(task=TASK))

    seen = watch(body)
    assert seen.layers == ["agent", "model", "model"]
    assert seen.one("agent", "coder").told == done()


def test_an_agent_that_filters_messages_for_another_encloses_it() -> None:
    wanted = MessageFilterConfig(per_source=[PerSourceFilter(source="user")])
    agent = MessageFilterAgent("filter", speaker("clerk", "hello"), wanted)
    seen = watch(lambda program: read(agent.run_stream(task=TASK)))
    assert [outer.name for outer in seen.above(seen.one("model"))] == ["clerk", "filter"]
    assert {stream.told for stream in seen.streams} == {done()}


@pytest.mark.parametrize("inner_fault", ["", "silent"])
def test_a_society_of_mind(inner_fault: str) -> None:
    """The team's truncated answer is the agent's, too: nobody asked for it again."""

    async def body(program: Program) -> None:
        member = program.agent(inner_fault) if inner_fault else speaker("clerk", "hello")
        agent = SocietyOfMindAgent("society", program.team(member), model("approved"))
        await read(agent.run_stream(task=TASK))

    seen = watch(body)
    inner, outer = seen.of("model")
    assert [above.name for above in seen.above(inner)] == ["clerk", "office", "society"]
    assert [above.name for above in seen.above(outer)] == ["society"]
    assert outer.told == done()
    assert seen.one("agent", "society").told.outcome == ("truncated" if inner_fault else "completed")


@pytest.mark.once
def test_the_openai_agent_has_a_model_and_its_exchange_beneath_it() -> None:
    async def body(program: Program) -> None:
        async with openai_api() as client:
            agent = OpenAIAgent("clerk", "Answers.", client, "gpt-4o", "Be brief.")
            await read(agent.run_stream(task=TASK))

    seen = watch(body)
    assert [outer.name for outer in seen.above(seen.one("http"))] == ["gpt-4o", "clerk"]
    assert seen.told("agent", "model", "http") == [done(), done(), done()]


@pytest.mark.once
def test_an_error_that_the_openai_agent_answers_with_is_the_exchanges_alone() -> None:
    """The agent catches it and says it in a message."""

    async def body(program: Program) -> None:
        async with openai_api(fails=True) as client:
            await read(OpenAIAgent("clerk", "Answers.", client, "gpt-4o", "Be brief.").run_stream(task=TASK))

    seen = watch(body)
    assert (seen.one("http").told.outcome, seen.one("http").told.error_type) == ("rejected", "500")
    assert seen.one("agent").told == done("agent")


@pytest.mark.once
@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning", "ignore:The Assistants API:DeprecationWarning")
@pytest.mark.parametrize("fails", [False, True])
def test_the_openai_assistant_agent(fails: bool) -> None:
    async def body(program: Program) -> None:
        async with openai_api(fails=fails) as client:
            agent = OpenAIAssistantAgent("clerk", "Answers.", client, "gpt-4o", "Be brief.", tools=[own_tool()])
            await read(agent.run_stream(task=TASK))

    seen = watch(body)
    assert {outer.name for http in seen.of("http") for outer in seen.above(http)} == {"clerk"}
    if fails:
        told = seen.one("agent").told
        assert (told.outcome, told.error_type, told.cause) == ("rejected", "500", "openai.InternalServerError")
    else:
        assert seen.one("tool", "own").told == done("tool")
        assert {stream["outcome"] for stream in seen.streams} == {"completed"}
