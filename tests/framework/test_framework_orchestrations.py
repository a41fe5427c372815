"""The ready-made workflows: several agents in turn, at once, or by choice. Their package needs openai 3."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from harness import HTTPX, TASK, TRUNCATED, Program, Told, disconnected, done, origin, struck, watch
from programs.framework import DEADLINE, agent, struck_later

orchestrations = pytest.importorskip("agent_framework_orchestrations")

pytestmark = pytest.mark.once

Members = list[Any]


def sequence(members: Members) -> Any:
    return orchestrations.SequentialBuilder(participants=members).build()


def concurrence(members: Members) -> Any:
    return orchestrations.ConcurrentBuilder(participants=members).build()


def group_chat(members: Members) -> Any:
    names = iter(member.name for member in members)
    chat = orchestrations.GroupChatBuilder(
        participants=members, selection_func=lambda state: next(names), max_rounds=len(members)
    )
    return chat.build()


MADE: Final[dict[Callable[[Members], Any], str]] = {
    sequence: "Sequential",
    concurrence: "Concurrent",
    group_chat: "GroupChat",
}
"""Each with the name of its runs."""
ENDINGS: Final = {
    "ok": done(),
    "length": Told("length", "model", fault=False, status="UNSET"),
    "silent": TRUNCATED,
    "fin": disconnected(f"{HTTPX}.RemoteProtocolError"),
}


async def run(make: Callable[[Members], Any], program: Program, fault: str) -> None:
    async for _ in make([agent(program, "ok", "first"), agent(program, fault, "second")]).run(TASK, stream=True):
        pass


@pytest.mark.parametrize("fault", ENDINGS)
@pytest.mark.parametrize("make", MADE)
def test_its_run_ends_as_its_second_member(make: Callable[[Members], Any], fault: str) -> None:
    seen = watch(lambda program: run(make, program, fault))
    assert seen.one("team", MADE[make]).told == seen.one("agent", "second").told == ENDINGS[fault]
    assert all([above.layer for above in seen.above(turn)] == ["team"] for turn in seen.of("agent"))


@pytest.mark.parametrize("make", MADE)
def test_a_deadline_names_what_its_second_member_waits_for(make: Callable[[Members], Any]) -> None:
    seen = watch(lambda program: struck_later(run(make, program, "stall"), "http", name="second"))
    assert seen.told("team") == [origin(struck(DEADLINE, layer="team"))]
    assert seen.one("agent", "second").told == struck(DEADLINE, layer="team")
