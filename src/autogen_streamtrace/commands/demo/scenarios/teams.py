"""Teams that end early."""

from dataclasses import replace
from typing import Final

from autogen_streamtrace.commands.demo.scenarios.expectation import CANCELLED, LEFT, TIMED_OUT, Scenario, done, each
from autogen_streamtrace.commands.demo.scenarios.program import TASK, Program, read, read_some, start_reading
from autogen_streamtrace.core import semconv
from autogen_streamtrace.core.semconv import Layer


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


MEMBERS: Final[frozenset[Layer]] = frozenset({semconv.HTTP, semconv.MODEL, semconv.AGENT})
LEFT_TEAM: Final = each((semconv.TEAM,), LEFT, semconv.TEAM)
CANCELLED_TEAM: Final = each((semconv.TEAM,), replace(CANCELLED, waiting_on=".+", waiting_on_name=".*"), semconv.TEAM)

SCENARIOS = (
    Scenario(
        "team_stall",
        "one member's model falls silent",
        member_stalls,
        (
            *(done(semconv.HTTP), done(semconv.MODEL), done(semconv.AGENT, "clerk")),
            *each((semconv.HTTP, semconv.MODEL), TIMED_OUT, semconv.HTTP),
            replace(TIMED_OUT, layer=semconv.AGENT, name="checker"),
            replace(TIMED_OUT, layer=semconv.TEAM),
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
