"""Every kind of team is one span, and what its manager and its members do lies beneath it."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import TaskResult, Team
from autogen_agentchat.conditions import (
    ExternalTermination,
    HandoffTermination,
    MaxMessageTermination,
    TextMentionTermination,
)
from autogen_agentchat.messages import TextMessage
from autogen_agentchat.teams import (
    DiGraphBuilder,
    GraphFlow,
    MagenticOneGroupChat,
    RoundRobinGroupChat,
    SelectorGroupChat,
    Swarm,
)
from autogen_core import CancellationToken, SingleThreadedAgentRuntime
from harness import HTTPX, TASK, Program, Seen, Told, asked, done, origin, read, timed_out, watch
from harness.scripted import asks, model, speaker

LEDGER: Final = {
    question: {"reason": "", "answer": answer}
    for question, answer in (
        ("is_request_satisfied", False),
        ("is_in_loop", False),
        ("is_progress_being_made", True),
        ("next_speaker", "clerk"),
        ("instruction_or_question", "Look it up."),
    )
}
SATISFIED: Final = {**LEDGER, "is_request_satisfied": {"reason": "", "answer": True}}


def names(seen: Seen, layer: str) -> list[str]:
    return [stream.name for stream in seen.of(layer)]


def above(seen: Seen, layer: str) -> list[list[str]]:
    """What each stream of a layer lies in, from the inside out."""
    return [[outer.name for outer in seen.above(stream)] for stream in seen.of(layer)]


def test_a_selector_has_its_own_model_call_beneath_it() -> None:
    async def body(program: Program) -> None:
        members = [speaker("clerk", "hello"), speaker("checker", "approved")]
        chooses = model("checker", "clerk")
        ends = MaxMessageTermination(3)
        team = SelectorGroupChat(
            [*members], chooses, name="office", termination_condition=ends, allow_repeated_speaker=True
        )
        await read(team.run_stream(task=TASK))

    seen = watch(body)
    assert names(seen, "agent") == ["checker", "clerk"]
    assert above(seen, "model") == [["office"], ["checker", "office"], ["office"], ["clerk", "office"]]
    assert {stream.told for stream in seen.streams} == {done()}


@pytest.mark.parametrize("streaming", [False, True])
def test_a_selector_whose_own_model_falls_silent(streaming: bool) -> None:
    async def body(program: Program) -> None:
        members = [speaker("clerk", "hello"), speaker("checker", "approved")]
        chooses = program.client("stall", timeout=0.5)
        team = SelectorGroupChat([*members], chooses, model_client_streaming=streaming)
        await read(team.run_stream(task=TASK))

    seen = watch(body)
    assert seen.raised in ("openai.APITimeoutError", f"{HTTPX}.ReadTimeout")
    assert seen.told("team", "model", "http") == [timed_out(), timed_out(), origin(timed_out())]


def test_a_swarm_hands_over() -> None:
    async def body(program: Program) -> None:
        clerk = speaker("clerk", asks(("transfer_to_checker", {})), handoffs=["checker"])
        team = Swarm(
            [clerk, speaker("checker", "approved")],
            termination_condition=TextMentionTermination("approved"),
            name="office",
        )
        await read(team.run_stream(task=TASK))

    seen = watch(body)
    assert names(seen, "agent") == ["clerk", "checker"]
    assert above(seen, "tool") == [["clerk", "office"]]
    assert seen.one("tool", "transfer_to_checker").told == done("tool")
    assert {stream.told.outcome for stream in seen.streams} == {"completed"}


def test_a_swarm_that_hands_over_to_a_person_ends_there() -> None:
    async def body(program: Program) -> None:
        clerk = speaker("clerk", asks(("transfer_to_user", {})), handoffs=["user"])
        await read(Swarm([clerk], termination_condition=HandoffTermination("user")).run_stream(task=TASK))

    assert watch(body).one("team").told.outcome == "completed"


def graph(*members: AssistantAgent) -> GraphFlow:
    """The first one, then all the others at once."""
    builder = DiGraphBuilder()
    first, *others = members
    builder.add_node(first)
    for other in others:
        builder.add_node(other).add_edge(first, other)
    return GraphFlow([*members], builder.build(), name="flow")


def test_a_graph_whose_members_speak_at_once() -> None:
    seen = watch(lambda program: read(graph(*(speaker(name, "hello") for name in "abc")).run_stream(task=TASK)))
    assert sorted(names(seen, "agent")) == ["a", "b", "c"]
    assert above(seen, "agent") == [["flow"]] * 3
    assert seen.one("team", "flow").told == done()


def test_of_members_that_speak_at_once_one_is_cut() -> None:
    async def body(program: Program) -> None:
        members = [
            speaker("first", "hello"),
            program.agent("stall", "stalls", timeout=0.5),
            speaker("ends", "hello"),
        ]
        await read(graph(*members).run_stream(task=TASK))

    seen = watch(body)
    assert seen.one("team").told == seen.one("agent", "stalls").told == timed_out()
    assert seen.one("agent", "ends").told == done()


def magentic(*replies: str, members: Sequence[Any] = ()) -> MagenticOneGroupChat:
    return MagenticOneGroupChat([*members] or [speaker("clerk", "hello")], model(*replies), name="office")


def test_magentic_one_has_its_orchestrators_calls_beneath_it() -> None:
    replies = ("facts", "plan", json.dumps(LEDGER), json.dumps(SATISFIED), "It is approved.")
    seen = watch(lambda program: read(magentic(*replies).run_stream(task=TASK)))
    assert names(seen, "agent") == ["clerk"]
    assert above(seen, "model").count(["office"]) == len(replies)
    assert above(seen, "model").count(["clerk", "office"]) == 1
    assert {stream.told for stream in seen.streams} == {done()}


def test_magentic_one_whose_orchestrator_fails() -> None:
    seen = watch(lambda program: read(magentic("facts").run_stream(task=TASK)))
    assert seen.raised == "ValueError"
    first, second = seen.of("model")
    assert (first.told, second.told.outcome, second.told.ended_by) == (done(), "failed", "agent")
    assert seen.one("team").told.cause == second.told.cause == "ValueError"


def round_robin(*members: Any, turns: int = 0, name: str = "office", **options: Any) -> RoundRobinGroupChat:
    ends = MaxMessageTermination(turns or len(members) + 1)
    return RoundRobinGroupChat([*members], name=name, termination_condition=ends, **options)


def test_a_team_in_a_team() -> None:
    async def body(program: Program) -> None:
        inner = round_robin(speaker("clerk", "hello"), name="inner")
        await read(round_robin(inner, speaker("checker", "approved"), turns=3).run_stream(task=TASK))

    seen = watch(body)
    assert above(seen, "agent") == [["inner", "office"], ["office"]]
    assert {stream.told for stream in seen.streams} == {done()}


def test_a_cut_in_a_team_in_a_team_is_told_at_the_top() -> None:
    async def body(program: Program) -> None:
        inner = round_robin(program.agent("stall", "clerk", timeout=0.5), name="inner")
        await read(round_robin(inner).run_stream(task=TASK))

    seen = watch(body)
    assert seen.raised == "RuntimeError"
    for team in ("office", "inner"):
        assert seen.one("team", team).told == timed_out()
    assert seen.one("http").told == origin(timed_out())


def test_a_team_in_a_team_with_the_users_own_runtime() -> None:
    async def body(program: Program) -> None:
        runtime = SingleThreadedAgentRuntime()
        runtime.start()
        inner = round_robin(speaker("clerk", "hello"), name="inner", runtime=runtime)
        await read(round_robin(inner, runtime=runtime).run_stream(task=TASK))
        await runtime.stop()

    seen = watch(body)
    assert above(seen, "agent") == [["inner", "office"]]
    assert {stream.told for stream in seen.streams} == {done()}


def test_a_team_that_is_paused_and_resumed() -> None:
    async def body(program: Program) -> None:
        team = round_robin(program.agent("slow/4"))
        task = asyncio.ensure_future(read(team.run_stream(task=TASK)))
        await asyncio.sleep(0.3)
        await team.pause()
        await team.resume()
        await task

    seen = watch(body)
    assert seen.layers == ["agent", "http", "model", "team"]
    assert {stream.told for stream in seen.streams} == {done()}


def test_a_team_that_is_told_from_outside_to_end() -> None:
    async def body(program: Program) -> None:
        stop = ExternalTermination()
        team = RoundRobinGroupChat([speaker("clerk", *["hello"] * 3)], termination_condition=stop)
        async for item in team.run_stream(task=TASK):
            if getattr(item, "source", "") == "clerk":
                stop.set()

    seen = watch(body)
    assert seen.one("team").told == done()
    assert 0 < len(seen.of("agent")) < 3


def test_a_token_stops_a_team_between_two_turns() -> None:
    async def body(program: Program) -> None:
        token = CancellationToken()
        team = round_robin(program.agent("ok"), program.agent("stall", "checker"))
        task = asyncio.ensure_future(read(team.run_stream(task=TASK, cancellation_token=token)))
        while not token.is_cancelled():
            await asyncio.sleep(0.05)
            if program.server.requests == 2:
                token.cancel()
        await asked()
        await task

    seen = watch(body)
    told = seen.one("team").told
    assert (told.outcome, told.cancelled_by, told.origin) == ("cancelled", "token", True)
    assert seen.one("agent", "checker").told.cancelled_by == "token"
    assert seen.of("agent")[0].told == done()


def test_a_team_of_the_users_own() -> None:
    class Own(Team):
        name = "own"
        description = "Answers."

        async def run(self, **kwargs: Any) -> TaskResult:
            raise NotImplementedError

        async def run_stream(self, **kwargs: Any) -> AsyncGenerator[Any, None]:
            async for item in speaker("clerk", "hello").run_stream(task=TASK):
                yield item

        async def reset(self) -> None: ...

        pause = resume = reset

        async def save_state(self) -> Any: ...

        async def load_state(self, state: Any) -> None: ...

    seen = watch(lambda program: read(Own().run_stream()))
    assert above(seen, "agent") == [["own"]]
    assert seen.one("team", "own").told == done()


def test_a_member_of_the_users_own_that_raises() -> None:
    class Fails(AssistantAgent):
        async def on_messages_stream(self, messages: Any, cancellation_token: Any) -> AsyncGenerator[Any, None]:
            yield TextMessage(content="on my way", source=self.name)
            raise LookupError

    seen = watch(lambda program: read(round_robin(Fails("own", model())).run_stream(task=TASK)))
    told = Told("failed", "agent", "none", "", "LookupError", "agent", error_type="LookupError")
    assert seen.raised == "RuntimeError"
    assert seen.told("team", "agent") == [told, origin(told)]
