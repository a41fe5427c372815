"""Teams that end early."""

from dataclasses import replace
from typing import Final

from autogen_streamtrace.core import names
from autogen_streamtrace.core.names import Layer
from autogen_streamtrace.demo.scenarios.expectation import CANCELLED, LEFT, TIMED_OUT, Scenario, done, each
from autogen_streamtrace.demo.scenarios.program import TASK, Program, read, read_some, start_reading


async def member_stalls(program: Program) -> None:
    clerk = program.agent(program.server.url("ok"), name="clerk")
    checker = program.agent(program.server.url("stall"), name="checker")
    await read(program.team(clerk, checker).run_stream(task=TASK))


async def dropped(program: Program) -> None:
    await read_some(program.duo().run_stream(task=TASK))


async def closed(program: Program) -> None:
    stream = program.duo().run_stream(task=TASK)
    await read_some(stream)
    await stream.aclose()


async def cancelled(program: Program) -> None:
    task = await start_reading(program.duo().run_stream(task=TASK))
    task.cancel()
    await task


MEMBERS: Final[frozenset[Layer]] = frozenset({names.HTTP, names.MODEL, names.AGENT})
LEFT_TEAM: Final = each((names.TEAM,), LEFT, names.TEAM)
CANCELLED_TEAM: Final = each((names.TEAM,), replace(CANCELLED, waiting_on=".+", waiting_on_name=".*"), names.TEAM)

SCENARIOS = (
    Scenario(
        "team_stall",
        "one member's model falls silent",
        member_stalls,
        (
            *(done(names.HTTP), done(names.MODEL), done(names.AGENT, "clerk")),
            *each((names.HTTP, names.MODEL), TIMED_OUT, names.HTTP),
            replace(TIMED_OUT, layer=names.AGENT, name="checker"),
            replace(TIMED_OUT, layer=names.TEAM),
        ),
        raises="RuntimeError",
    ),
    Scenario("team_dropped", "the team's stream is dropped", dropped, LEFT_TEAM, unjudged=MEMBERS),
    Scenario("team_aclose", "the team's stream is closed", closed, LEFT_TEAM, unjudged=MEMBERS),
    Scenario(
        "team_cancel",
        "the task that reads the team is cancelled",
        cancelled,
        CANCELLED_TEAM,
        raises=r"asyncio\.exceptions\.CancelledError",
        unjudged=MEMBERS,
    ),
)
