"""Replies that reach their end, as the model or its limits want it; and the attempts that came before."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest
from autogen_core import SingleThreadedAgentRuntime
from harness import (
    HOST,
    HTTPX,
    OPENAI_3,
    READ_TIMEOUT,
    TASK,
    Program,
    Seen,
    Told,
    done,
    origin,
    read,
    timed_out,
    tool,
    turn,
    watch,
)

from autogen_streamtrace.commands.chaos.model.manners import SLOW_PAUSE
from autogen_streamtrace.commands.chaos.model.reply import TEXT

TURN = ["agent", "http", "model"]


def assert_done(seen: Seen, layers: list[str]) -> None:
    """These streams there are, and every one completed."""
    assert seen.raised == ""
    assert seen.layers == sorted(layers)
    told = {stream.layer: stream.told for stream in seen.streams}
    assert told == {layer: done("tool" if layer == "tool" else "model") for layer in layers}
    for stream in seen.of("model") + seen.of("http"):
        assert stream["terminator"] is True
        assert stream["upstream_overrun"] is None
    assert {stream["attempts"] for stream in seen.of("model")} == {1}


@pytest.mark.parametrize("reply", ["ok", "usage_last", "no_done", "gzip", "ping"])
def test_a_whole_reply(reply: str) -> None:
    assert_done(watch(turn(reply)), TURN)


@pytest.mark.filterwarnings("ignore:No text content or tool calls are available")
def test_an_empty_reply_with_a_finish_reason() -> None:
    seen = watch(turn("empty"))
    assert_done(seen, TURN)
    assert seen.one("model")["characters"] == 0


async def run(program: Program) -> None:
    await program.agent("ok").run(task=TASK)


async def run_unstreamed(program: Program) -> None:
    await program.agent("ok", streaming=False).run(task=TASK)


async def stream_unstreamed(program: Program) -> None:
    await read(program.turn("ok", streaming=False))


@pytest.mark.parametrize("body", [run, run_unstreamed, stream_unstreamed])
def test_a_turn_that_does_not_stream(body: Any) -> None:
    seen = watch(body)
    assert_done(seen, TURN)
    streamed = body is run
    assert seen.one("model")["gen_ai.request.stream"] is (True if streamed else None)
    assert seen.one("model")["characters"] == sum(len(word) + 1 for word in TEXT)


def test_the_numbers_of_a_whole_reply() -> None:
    seen = watch(turn("ok"))
    agent, model, http = (seen.one(layer) for layer in ("agent", "model", "http"))
    assert model["chunks"] == len(TEXT) + 1
    assert model["characters"] == sum(len(word) + 1 for word in TEXT)
    assert agent["chunks"] == len(TEXT) + 3  # the task, the words, the answer, the result
    assert http["chunks"] > 1
    assert http["bytes"] > http["chunks"] * 20
    assert http["http.response.status_code"] == 200
    assert http["http.response.header.x-request-id"] == ("req_1",)
    assert (http["server.address"], http["http.request.method"]) == (HOST, "POST")
    assert model["gen_ai.response.finish_reasons"] == ("stop",)
    assert model["gen_ai.response.time_to_first_chunk"] == model["time_to_first_chunk"]
    assert agent.seconds >= model.seconds >= http.seconds >= 0.01 * len(TEXT)
    assert [stream.span.name for stream in (agent, model, http)] == [
        "invoke_agent clerk",
        "chat gpt-4o",
        "http exchange",
    ]


def test_the_longest_gap_is_the_longest_wait_between_two_items() -> None:
    seen = watch(turn("slow/6"))  # a late reader gets several words at once
    for stream in seen.streams:
        assert SLOW_PAUSE * 0.9 <= stream["longest_gap"] < stream.seconds


def test_a_tool_call_with_reflection() -> None:
    async def body(program: Program) -> None:
        await read(program.turn("tool_call", tools=[tool(answer)]))

    seen = watch(body)
    assert_done(seen, ["agent", "tool", "model", "model", "http", "http"])
    assert [each["gen_ai.response.finish_reasons"] for each in seen.of("model")] == [("tool_calls",), ("stop",)]
    assert seen.one("tool")["gen_ai.tool.call.id"] == "call_1"


async def answer() -> str:
    return "approved"


def team(program: Program) -> Awaitable[object]:
    return read(program.duo("ok").run_stream(task=TASK))


async def team_on_a_runtime_of_the_users_own(program: Program) -> None:
    runtime = SingleThreadedAgentRuntime()
    runtime.start()
    members = program.agent("ok"), program.agent("ok", "checker")
    await read(program.team(*members, runtime=runtime).run_stream(task=TASK))
    await runtime.stop()


@pytest.mark.parametrize("body", [team, team_on_a_runtime_of_the_users_own])
def test_a_team_to_its_termination_condition(body: Any) -> None:
    seen = watch(body)
    assert_done(seen, ["team", *TURN, *TURN])
    assert [agent.name for agent in seen.of("agent")] == ["clerk", "checker"]
    assert [outer.layer for outer in seen.above(seen.of("http")[1])] == ["model", "agent", "team"]


def test_the_users_own_server_span_is_the_root() -> None:
    async def body(program: Program) -> None:
        with program.tracer.start_as_current_span("POST /chat"):
            await read(program.duo("ok").run_stream(task=TASK))

    seen = watch(body)
    root = next(span for span in seen.spans if span.name == "POST /chat")
    assert seen.parent(seen.one("team").span) is root
    assert {stream.span.context.trace_id for stream in seen.streams} == {root.context.trace_id}
    assert seen.one("team")["outermost"] is True


def test_the_terminator_came_and_https_own_end_never_does() -> None:
    """openai 3.x returns at once; 1.x reads on, and its program sees the timeout."""
    if OPENAI_3:
        assert_done(watch(turn("done_hang")), TURN)
        return
    seen = watch(turn("done_hang", timeout=1.5))  # which does not strike between two words
    told = timed_out(1.5)
    assert seen.raised == f"{HTTPX}.ReadTimeout"
    assert seen.told("agent", "model", "http") == [told, told, origin(told)]
    assert seen.one("model")["terminator"] is True
    assert seen.one("http")["terminator"] is True


@pytest.mark.parametrize(("fault", "outcome"), [("length", "length"), ("content_filter", "filtered")])
def test_a_limit_or_a_filter_of_the_model(fault: str, outcome: str) -> None:
    seen = watch(turn(fault))
    told = Told(outcome, "model", fault=False, status="UNSET")
    assert seen.raised == ""
    assert seen.told("agent", "model", "http") == [told, origin(told), done()]
    assert seen.one("model")["terminator"] is True
    assert seen.one("model")["gen_ai.response.finish_reasons"] == (fault,)


@pytest.mark.parametrize("streaming", [True, False])
def test_a_finish_reason_in_no_table_means_done_is_counted_and_named_once(
    streaming: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def twice(program: Program) -> None:
        for name in ("one", "two"):
            await read(program.turn("unknown_finish", name=name, streaming=streaming))

    seen = watch(twice)
    assert {stream.told for stream in seen.streams} == {done()}
    assert {model["gen_ai.response.finish_reasons"] for model in seen.of("model")} == {("gave_up",)}
    assert [point.value for point in seen.metrics[1]["streamtrace.instrument.finish_reasons.unknown"]] == [2]
    assert len([message for message in caplog.messages if "gave_up" in message]) == 1


@pytest.mark.parametrize("streaming", [True, False])
def test_a_finish_reason_that_means_failure(streaming: bool) -> None:
    seen = watch(turn("abort", streaming=streaming))
    told = Told("rejected", "upstream", error_type="rejected")
    assert seen.raised == ""
    assert seen.told("agent", "model", "http") == [told, origin(told), done()]
    assert seen.one("model")["gen_ai.response.finish_reasons"] == ("abort",)


def refused(status: int, cause: str = "") -> Told:
    return Told("rejected", "upstream", "http", HOST, cause, "model" if cause else "", error_type=str(status))


def uncaused(told: Told) -> Told:
    return replace(told, cause="", cause_layer="")


def test_the_cause_of_a_refused_attempt_is_its_status_and_not_that_its_body_was_closed() -> None:
    seen = watch(turn("retry/closed", retries=1))
    assert seen.of("http")[0].chain == ()


def test_an_attempt_that_a_retry_heals() -> None:
    seen = watch(turn("retry/healed", retries=2))
    assert seen.raised == ""
    assert seen.told("agent", "model") == [done(), done()]
    assert [uncaused(http.told) for http in seen.of("http")] == [origin(refused(503)), done()]
    assert [http["http.response.status_code"] for http in seen.of("http")] == [503, 200]
    assert seen.one("model")["attempts"] == 2


def test_attempts_that_all_fail() -> None:
    seen = watch(turn("http_503", retries=1), origins=2)
    assert seen.raised == "openai.InternalServerError"
    told = refused(503, "openai.InternalServerError")
    assert seen.told("agent", "model") == [told, told]
    assert [uncaused(http.told) for http in seen.of("http")] == [origin(refused(503))] * 2
    assert seen.one("model")["attempts"] == 2


def test_attempts_that_all_time_out() -> None:
    seen = watch(turn("stall_before_headers", retries=1, timeout=READ_TIMEOUT), origins=2)
    assert seen.raised == "openai.APITimeoutError"
    assert seen.told("agent", "model") == [timed_out()] * 2
    assert [http.told for http in seen.of("http")] == [origin(timed_out())] * 2
    assert seen.one("model")["attempts"] == 2


def test_a_length_in_a_team_is_the_teams() -> None:
    async def body(program: Program) -> None:
        await read(program.duo("ok", "length").run_stream(task=TASK))

    seen = watch(body)
    told = Told("length", "model", fault=False, status="UNSET")
    assert seen.one("team").told == told
    assert seen.one("agent", "checker").told == told
    assert seen.one("agent", "clerk").told == done()
    assert [model.told for model in seen.of("model")] == [done(), replace(told, origin=True)]
