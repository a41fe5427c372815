"""Teams: their members' endings, their readers', and their parents."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from autogen_core import CancellationToken
from harness import (
    AGENT_NAME,
    CANCELLED_ERROR,
    HTTPX,
    READ_TIMEOUT,
    TASK,
    TEAM_NAME,
    Program,
    Told,
    cancelled,
    done,
    interrupted,
    left,
    origin,
    read,
    read_some,
    timed_out,
    watch,
)


def test_one_members_model_times_out() -> None:
    async def body(program: Program) -> None:
        stalls = program.agent("stall", "checker", timeout=READ_TIMEOUT)
        await read(program.team(program.agent("ok"), stalls).run_stream(task=TASK))

    seen = watch(body)
    assert seen.raised == "RuntimeError"
    assert seen.one("team").told == timed_out()
    assert seen.one("agent", "checker").told == timed_out()
    assert seen.one("agent", AGENT_NAME).told == done()
    assert [model.told for model in seen.of("model")] == [done(), timed_out()]
    assert [http.told for http in seen.of("http")] == [done(), origin(timed_out())]
    assert seen.one("team").chain[0] == "RuntimeError"
    assert seen.one("team").chain[1:] == seen.one("agent", "checker").chain
    assert seen.one("team").name == TEAM_NAME


@pytest.mark.parametrize(
    ("fault", "outcome", "cause"),
    [
        ("rst", "disconnected", f"{HTTPX}.ReadError"),
        ("error_event", "rejected", "openai.APIError"),
        ("bad_json", "malformed", "json.decoder.JSONDecodeError"),
        ("http_429", "rejected", "openai.RateLimitError"),
    ],
)
def test_the_root_of_what_a_team_flattened_is_recovered(fault: str, outcome: str, cause: str) -> None:
    seen = watch(lambda program: read(program.team(program.agent(fault)).run_stream(task=TASK)))
    team, agent = seen.one("team").told, seen.one("agent").told
    assert seen.raised == "RuntimeError"
    assert team == agent
    assert (team.outcome, team.cause) == (outcome, cause)


async def breaks(program: Program) -> None:
    await read_some(program.duo("slow/4").run_stream(task=TASK))


async def closes(program: Program) -> None:
    stream = program.duo("slow/4").run_stream(task=TASK)
    await read_some(stream)
    await stream.aclose()


@pytest.mark.parametrize("body", [breaks, closes])
def test_a_teams_stream_is_dropped_or_closed(body: Callable[[Program], Awaitable[object]]) -> None:
    """AutoGen lets its agents finish meanwhile: they get as far as they get."""
    seen = watch(body)
    assert seen.raised == ""
    assert seen.one("team").told == origin(left("team"))
    below = [stream for stream in seen.streams if stream.layer != "team"]
    assert {stream["outcome"] for stream in below} <= {"completed", "abandoned", "cancelled"}
    assert not any(stream["origin"] and stream["early"] for stream in below)


def test_the_task_that_reads_a_team_is_cancelled() -> None:
    """AutoGen lets its agents finish before the cancellation comes out: what is waited for then is its own business."""

    async def body(program: Program) -> None:
        await interrupted(program.duo("slow/4").run_stream(task=TASK), lambda task: task.cancel(), count=3)

    seen = watch(body)
    assert seen.raised == CANCELLED_ERROR
    told = seen.one("team").told
    expected = origin(cancelled(told.waiting_on, told.waiting_on_name, layer="team"))
    assert told == expected
    assert told.waiting_on in ("http", "model", "agent")
    assert {stream["outcome"] for stream in seen.streams if stream.layer != "team"} <= {"completed", "cancelled"}


def test_a_teams_token_is_cancelled() -> None:
    async def body(program: Program) -> None:
        token = CancellationToken()
        stream = program.duo("stall").run_stream(task=TASK, cancellation_token=token)
        await interrupted(stream, lambda _: token.cancel())

    seen = watch(body)
    told = cancelled(by="token", layer="team")
    assert seen.told("team", "agent", "model", "http") == [origin(told), told, told, told]
    assert seen.raised in (CANCELLED_ERROR, "RuntimeError")


def test_a_team_that_is_never_read() -> None:
    async def body(program: Program) -> None:
        program.duo("ok").run_stream(task=TASK)

    seen = watch(body)
    assert seen.layers == ["team"]
    assert seen.one("team").told == Told("never_started", "caller", "caller", fault=False, status="UNSET", origin=True)


def test_two_teams_at_once_never_mix() -> None:
    async def body(program: Program) -> None:
        teams = [
            program.team(program.agent("ok", "a1"), program.agent("ok", "a2")),
            program.team(program.agent("ok", "b1"), program.agent("silent", "b2")),
        ]
        teams[1]._name = "other"
        await asyncio.gather(*(read(team.run_stream(task=TASK)) for team in teams))

    seen = watch(body)
    for team, members in (("office", ["a1", "a2"]), ("other", ["b1", "b2"])):
        inside = [s for s in seen.of("agent") if seen.one("team", team) in seen.above(s)]
        assert [agent.name for agent in inside] == members
    assert seen.one("team", "office").told == done()
    assert seen.one("team", "other").told.outcome == "truncated"


def test_a_team_that_runs_twice_has_two_streams() -> None:
    async def body(program: Program) -> None:
        team = program.team(program.agent("ok"))
        await read(team.run_stream(task=TASK))
        await team.reset()
        await read(team.run_stream(task=TASK))

    seen = watch(body)
    assert [team.told for team in seen.of("team")] == [done(), done()]
    assert [[o.layer for o in seen.above(agent)] for agent in seen.of("agent")] == [["team"], ["team"]]
    assert seen.above(seen.of("agent")[1]) == [seen.of("team")[1]]


def test_an_unstreamed_team_run() -> None:
    async def body(program: Program) -> None:
        await program.duo("ok").run(task=TASK)

    seen = watch(body)
    assert {stream.told for stream in seen.streams} == {done()}
    assert len(seen.streams) == 7
