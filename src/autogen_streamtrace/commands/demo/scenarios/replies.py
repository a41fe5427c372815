"""Replies that reach their end, as the model or its limits want it."""

from autogen_core import SingleThreadedAgentRuntime

from autogen_streamtrace.commands.demo.scenarios.expectation import (
    HTTPX,
    OPENAI_MAJOR,
    TIMED_OUT,
    TURN,
    Says,
    Scenario,
    done,
    each,
    turns,
)
from autogen_streamtrace.commands.demo.scenarios.program import TASK, Program, read
from autogen_streamtrace.commands.demo.scenarios.turn import turn
from autogen_streamtrace.core import semconv


async def unstreamed_run(program: Program) -> None:
    await program.agent(program.server.url("ok")).run(task=TASK)


async def unstreamed_model(program: Program) -> None:
    await read(program.agent(program.server.url("ok"), streaming=False).run_stream(task=TASK))


async def retry(program: Program) -> None:
    url = program.server.url("retry", "healed")
    await read(program.agent(url, max_retries=1).run_stream(task=TASK))


async def team(program: Program) -> None:
    url = program.server.url("ok")
    members = program.agent(url, name="clerk"), program.agent(url, name="checker")
    await read(program.team(*members).run_stream(task=TASK))


async def team_own_runtime(program: Program) -> None:
    url = program.server.url("ok")
    members = program.agent(url, name="clerk"), program.agent(url, name="checker")
    runtime = SingleThreadedAgentRuntime()
    runtime.start()
    await read(program.team(*members, runtime=runtime).run_stream(task=TASK))
    await runtime.stop()


def done_hang() -> Scenario:
    """openai 3.x returns at the terminator; 1.x reads on to the end of the body, and its program sees a timeout."""
    what = "the reply and [DONE] arrive; HTTP's own end never comes"
    if OPENAI_MAJOR >= 3:
        return Scenario("done_hang", what, turn("done_hang"), turns())
    says = each(TURN, TIMED_OUT, semconv.HTTP)
    return Scenario("done_hang", what, turn("done_hang"), says, raises=rf"{HTTPX}\.ReadTimeout")


def model_ended(outcome: str) -> tuple[Says, ...]:
    """The model stopped for a reason of its own: the HTTP exchange below is whole."""
    return (done(semconv.HTTP), *each((semconv.MODEL, semconv.AGENT), Says(semconv.MODEL, outcome), semconv.MODEL))


TEAM = (*turns(), *turns(), done(semconv.TEAM))

SCENARIOS = (
    Scenario("ok", "nothing: text, finish reason, [DONE]", turn("ok"), turns()),
    Scenario("empty", "the reply has a finish reason and no text", turn("empty"), turns()),
    Scenario("usage_last", "finish reason and usage share the last chunk", turn("usage_last"), turns()),
    Scenario("unknown_finish", "a finish reason that nobody knows", turn("unknown_finish"), turns()),
    Scenario("no_done", "a finish reason comes, [DONE] does not", turn("no_done"), turns()),
    done_hang(),
    Scenario("gzip", "the body is compressed", turn("gzip"), turns()),
    Scenario("ping", "comment lines fill a pause of the model", turn("ping"), turns()),
    Scenario("unstreamed_run", "the program awaits run()", unstreamed_run, turns()),
    Scenario("unstreamed_model", "the model is not asked to stream", unstreamed_model, turns()),
    Scenario("team", "a team of two reaches its termination condition", team, TEAM),
    Scenario("team_own_runtime", "the same team on a runtime that was already running", team_own_runtime, TEAM),
    Scenario(
        "retry",
        "the first attempt is refused with 503, the SDK's retry succeeds",
        retry,
        (
            Says(
                semconv.HTTP,
                semconv.REJECTED,
                semconv.UPSTREAM,
                semconv.HTTP,
                origin=True,
                more={semconv.A_ERROR_TYPE: "503"},
            ),
            done(semconv.HTTP),
            Says(semconv.MODEL, semconv.COMPLETED, more={semconv.A_ATTEMPTS: 2}),
            done(semconv.AGENT),
        ),
    ),
    Scenario("length", "the model stops at its token limit", turn("length"), model_ended(semconv.LENGTH)),
    Scenario("content_filter", "the provider's filter stops it", turn("content_filter"), model_ended(semconv.FILTERED)),
)
