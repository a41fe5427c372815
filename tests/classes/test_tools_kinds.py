"""Every kind of tool, and every way in which one is called, is one span with its verdict."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import TextMessage
from autogen_agentchat.tools import AgentTool, TeamTool
from autogen_core import CancellationToken
from autogen_core.tools import (
    BaseStreamTool,
    BaseTool,
    FunctionTool,
    StaticStreamWorkbench,
    StaticWorkbench,
    TextResultContent,
    ToolOverride,
    ToolResult,
    ToolSchema,
    Workbench,
)
from harness import TASK, Body, Program, Seen, Told, asked, done, origin, read, tool, watch
from harness.scripted import asks, speaker
from pydantic import BaseModel


def failed(cause: str = "") -> Told:
    """A tool's own failure, with the exception's name where one is known."""
    layer = "tool" if cause else ""
    return Told("failed", "tool", "none", "", cause, layer, error_type=cause or "failed", origin=True)


def calling(*calls: tuple[str, object], **options: Any) -> Body:
    """A turn in which the model asks for these tools."""
    return lambda program: read(speaker("clerk", asks(*calls), **options).run_stream(task=TASK))


class Args(BaseModel):
    word: str = ""


class Answer(BaseModel):
    text: str


class Own(BaseTool[Args, Answer]):
    """A tool of the user's own."""

    def __init__(self) -> None:
        super().__init__(Args, Answer, "own", "Answers.")

    async def run(self, args: Args, cancellation_token: CancellationToken) -> Answer:
        if args.word == "fail":
            raise LookupError(args.word)
        return Answer(text=args.word)


class Streaming(BaseStreamTool[Args, Answer, Answer]):
    """A tool that answers word by word."""

    def __init__(self) -> None:
        super().__init__(Args, Answer, "streaming", "Answers.")

    async def run(self, args: Args, cancellation_token: CancellationToken) -> Answer:
        return Answer(text="at once")

    async def run_stream(self, args: Args, cancellation_token: CancellationToken) -> AsyncGenerator[Answer, None]:
        for text in ("one", "two", "three"):
            yield Answer(text=text)
        if args.word == "fail":
            raise LookupError(args.word)


class Overriding(Own):
    """Has a ``run_json`` of its own, around the one it inherits."""

    async def run_json(
        self, args: Mapping[str, Any], cancellation_token: CancellationToken, call_id: Any = None
    ) -> Any:
        return await super().run_json(args, cancellation_token, call_id)


@pytest.mark.parametrize("made", [Own, Overriding])
def test_a_tool_of_the_users_own(made: type[Own]) -> None:
    seen = watch(calling(("own", {"word": "yes"}), tools=[made()]))
    assert seen.layers == ["agent", "model", "tool"]
    assert seen.one("tool").told == done("tool")
    assert seen.one("tool")["gen_ai.tool.call.id"] == "call_0"


@pytest.mark.parametrize("made", [Own, Overriding])
def test_a_tool_of_the_users_own_that_raises(made: type[Own]) -> None:
    seen = watch(calling(("own", {"word": "fail"}), tools=[made()]))
    assert seen.one("tool").told == failed("LookupError")
    assert seen.one("agent").told.outcome == "completed"


def test_arguments_that_do_not_fit_the_tool_are_its_failure() -> None:
    seen = watch(calling(("own", {"word": 7}), tools=[Own()]))
    told = seen.one("tool").told
    assert (told.outcome, told.ended_by) == ("failed", "tool")
    assert told.cause.endswith("ValidationError")


def test_arguments_that_are_no_json_reach_no_tool_and_are_counted() -> None:
    seen = watch(calling(("own", '{"word": '), tools=[Own()]))
    assert seen.one("tool", "own").told == failed("json.decoder.JSONDecodeError")
    assert seen.one("agent").told.outcome == "completed"


def test_a_tool_that_nobody_has_is_counted() -> None:
    seen = watch(calling(("unheard_of", {}), tools=[Own()]))
    assert seen.one("tool", "unheard_of").told == failed()
    assert [outer.layer for outer in seen.above(seen.one("tool"))] == ["agent"]


def test_a_call_among_others_that_reaches_no_tool() -> None:
    seen = watch(calling(("own", {"word": "yes"}), ("unheard_of", {}), ("own", "{"), tools=[Own()]), origins=2)
    assert [tool.told.outcome for tool in seen.of("tool", "own")] == ["completed", "failed"]
    assert seen.one("tool", "unheard_of").told == failed()


def test_a_handoff_is_a_tool_call() -> None:
    seen = watch(calling(("transfer_to_bob", {}), handoffs=["bob"]))
    assert seen.one("tool", "transfer_to_bob").told == done("tool")


def streamed(word: str) -> Body:
    """Reads a workbench's stream for a tool that streams."""

    async def body(program: Program) -> None:
        await read(StaticStreamWorkbench([Streaming()]).call_tool_stream("streaming", {"word": word}))

    return body


def test_a_streaming_tools_items_are_counted() -> None:
    """Two answers on their way, the last one as the workbench's result."""
    seen = watch(streamed("yes"))
    assert seen.one("tool").told == done("tool")
    assert seen.one("tool")["chunks"] == 3


def test_a_streaming_tool_that_raises_behind_its_workbench() -> None:
    assert watch(streamed("fail")).one("tool").told == failed("LookupError")


def test_a_streaming_tool_that_raises_without_a_workbench() -> None:
    async def body(program: Program) -> None:
        await read(Streaming().run_json_stream({"word": "fail"}, CancellationToken()))

    seen = watch(body)
    assert seen.raised == "LookupError"
    assert seen.one("tool").told == failed("LookupError")


@pytest.mark.parametrize("cls", [StaticWorkbench, StaticStreamWorkbench])
@pytest.mark.parametrize(("word", "told"), [("yes", done("tool")), ("fail", failed("LookupError"))])
def test_a_workbench_that_is_called_directly(cls: type[StaticWorkbench], word: str, told: Told) -> None:
    async def body(program: Program) -> None:
        await cls([Own()]).call_tool("own", {"word": word})

    assert watch(body).one("tool").told == told


def test_a_workbench_that_has_no_such_tool() -> None:
    async def body(program: Program) -> None:
        await StaticWorkbench([]).call_tool("unheard_of")

    assert watch(body).one("tool", "unheard_of").told == failed()


def test_a_tool_that_a_workbench_renames_is_one_stream_under_its_own_name() -> None:
    workbench = StaticWorkbench([Own()], {"own": ToolOverride(name="renamed")})
    seen = watch(calling(("renamed", {"word": "yes"}), workbench=workbench))
    assert seen.one("tool").name == "own"
    assert seen.one("tool").told == done("tool")


class Users(Workbench):
    """A workbench of the user's own, without any tool of AutoGen's."""

    def __init__(self, answer: ToolResult | Exception) -> None:
        self.answer = answer

    async def list_tools(self) -> list[ToolSchema]:
        return [ToolSchema(name="remote", description="Asks elsewhere.")]

    async def call_tool(self, name: str, *args: Any, **kwargs: Any) -> ToolResult:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def reset(self) -> None: ...

    async def save_state(self) -> Mapping[str, Any]:
        return {}

    async def load_state(self, state: Mapping[str, Any]) -> None: ...


def answer(is_error: bool) -> ToolResult:
    return ToolResult(name="remote", result=[TextResultContent(content="said so")], is_error=is_error)


@pytest.mark.parametrize(("is_error", "told"), [(False, done("tool")), (True, failed())])
def test_what_a_workbench_of_the_users_own_says_is_believed(is_error: bool, told: Told) -> None:
    seen = watch(calling(("remote", {}), workbench=Users(answer(is_error))))
    assert seen.one("tool", "remote").told == told


def test_a_workbench_of_the_users_own_that_raises() -> None:
    """Directly: AutoGen's agent would wait for its answer for ever."""
    seen = watch(lambda program: Users(KeyError("remote")).call_tool("remote"))
    assert seen.raised == "KeyError"
    assert seen.one("tool").told == failed("KeyError")


def nested(made: Any) -> Seen:
    return watch(calling((made.name, {"task": TASK}), tools=[made]))


def test_an_agent_as_a_tool() -> None:
    seen = nested(AgentTool(speaker("expert", "approved")))
    assert [outer.layer for outer in seen.above(seen.one("agent", "expert"))] == ["tool", "agent"]
    assert {stream["outcome"] for stream in seen.streams} == {"completed"}
    assert seen.one("tool", "expert")["chunks"] > 0


def test_a_team_as_a_tool() -> None:
    async def body(program: Program) -> None:
        made = TeamTool(program.team(speaker("expert", "approved")), "panel", "Asks a panel.")
        await read(speaker("clerk", asks(("panel", {"task": TASK})), tools=[made]).run_stream(task=TASK))

    seen = watch(body)
    assert [outer.layer for outer in seen.above(seen.one("agent", "expert"))] == ["team", "tool", "agent"]
    assert {stream["outcome"] for stream in seen.streams} == {"completed"}


def test_an_agent_that_calls_a_tool_itself() -> None:
    class Direct(BaseChatAgent):
        @property
        def produced_message_types(self) -> Any:
            return (TextMessage,)

        async def on_messages(self, messages: Any, cancellation_token: CancellationToken) -> Response:
            said = await Own().run_json({"word": "fail"}, cancellation_token)
            return Response(chat_message=TextMessage(content=said.text, source=self.name))

        async def on_reset(self, cancellation_token: CancellationToken) -> None: ...

    seen = watch(lambda program: read(Direct("clerk", "Asks.").run_stream(task=TASK)))
    assert seen.raised == "LookupError"
    assert seen.one("tool").told == failed("LookupError")
    assert (seen.one("agent").told.outcome, seen.one("agent").told.ended_by) == ("failed", "tool")


def test_a_tool_inside_a_tool() -> None:
    async def outer() -> str:
        return str(await Own().run_json({"word": "yes"}, CancellationToken()))

    seen = watch(calling(("fetch_claim", {"claim_id": "1"}), tools=[tool(outer)]))
    assert [above.name for above in seen.above(seen.one("tool", "own"))] == ["fetch_claim", "clerk"]


def test_of_several_tools_at_once_the_one_that_hangs_is_waited_for() -> None:
    async def body(program: Program) -> None:
        hangs = asyncio.Event()

        async def hang() -> str:
            hangs.set()
            await asyncio.Event().wait()
            return ""

        tools = [FunctionTool(hang, "Hangs.", name="hang"), Own()]
        agent = speaker("clerk", asks(("hang", {}), ("own", {"word": "yes"})), tools=tools)
        task = asyncio.ensure_future(read(agent.run_stream(task=TASK)))
        await hangs.wait()
        await asked()
        task.cancel()
        await task

    seen = watch(body)
    told = seen.one("agent").told
    assert (told.outcome, told.waiting_on, told.waiting_on_name) == ("cancelled", "tool", "hang")
    assert seen.one("tool", "hang").told == Told(**{**vars(told), "origin": False})
    assert seen.one("tool", "own").told == done("tool")
    assert told == origin(told)
