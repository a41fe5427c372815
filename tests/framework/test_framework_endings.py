"""How turns of Agent Framework end, over real sockets: each ending streamed, awaited, and read in other ways."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from harness import (
    HOST,
    HTTPX,
    READ_TIMEOUT,
    TASK,
    TRUNCATED,
    Program,
    Seen,
    Told,
    asked,
    cancelled,
    disconnected,
    done,
    interrupted,
    left,
    origin,
    read,
    struck,
    timed_out,
    watch,
)
from harness.program import STALLED
from programs.framework import DEADLINE, WAYS, agent, begun, final, read_some, streamed, struck_later, telemetry, turn

WRAPPED: Final = "agent_framework.exceptions.ChatClientException"
REJECTED: Final = Told("rejected", "upstream", error_type="rejected")
LENGTH: Final = Told("length", "model", fault=False, status="UNSET")
NOT_JSON: Final = "json.decoder.JSONDecodeError"


def refused(status: int, cause: str) -> Told:
    return Told("rejected", "upstream", "http", HOST, cause, "model", error_type=str(status))


def stumbled(outcome: str, cause: str) -> Told:
    return Told(outcome, "upstream", "none", "", cause, "model", error_type=cause)


CUTS: Final = {
    "stall": (timed_out(), "http", WRAPPED),
    "stall_before_headers": (timed_out(), "http", WRAPPED),
    "fin": (disconnected(f"{HTTPX}.RemoteProtocolError"), "http", WRAPPED),
    "rst": (disconnected(f"{HTTPX}.ReadError"), "http", WRAPPED),
    "http_429": (refused(429, "openai.RateLimitError"), "http", WRAPPED),
    "http_500": (refused(500, "openai.InternalServerError"), "http", WRAPPED),
    "length": (LENGTH, "model", ""),
    "content_filter": (replace(LENGTH, outcome="filtered"), "model", ""),
    "abort": (REJECTED, "model", ""),
    "bad_json": (stumbled("malformed", NOT_JSON), "model", WRAPPED),
}
"""What the agent and the model say, where it arose, and what the program sees."""
STREAMED: Final = {
    **CUTS,
    "silent": (TRUNCATED, "http", ""),
    "error_event": (stumbled("rejected", "openai.APIError"), "model", WRAPPED),
}
AWAITED: Final = {
    **CUTS,
    "silent": (stumbled("malformed", NOT_JSON), "model", WRAPPED),
    "error_event": (stumbled("rejected", NOT_JSON), "model", WRAPPED),
}


def assert_cut(seen: Seen, told: Told, arose: str, raised: str) -> None:
    assert seen.raised == raised
    assert seen.layers == ["agent", "http", "model"]
    assert seen.one("agent").told == told
    assert seen.one("model").told == (origin(told) if arose == "model" else told)
    assert seen.one("http")["origin"] is (arose == "http") or not seen.one("http")["early"]


@pytest.mark.parametrize("fault", STREAMED)
def test_a_streamed_turn_is_cut(fault: str) -> None:
    seen = watch(turn(fault, timeout=READ_TIMEOUT if "stall" in fault else 20.0))
    assert_cut(seen, *STREAMED[fault])
    assert seen.one("model")["gen_ai.request.stream"] is True


@pytest.mark.parametrize("fault", AWAITED)
def test_an_awaited_turn_is_cut(fault: str) -> None:
    seen = watch(turn(fault, "awaited", timeout=READ_TIMEOUT if "stall" in fault else 20.0))
    assert_cut(seen, *AWAITED[fault])
    assert seen.one("model")["gen_ai.request.stream"] is None


@pytest.mark.parametrize("way", ["final", "within"])
@pytest.mark.parametrize("fault", ["fin", "silent", "length"])
def test_a_turn_that_is_read_in_another_way_is_cut_alike(fault: str, way: str) -> None:
    assert_cut(watch(turn(fault, way)), *STREAMED[fault])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", ["ok", "no_done", "unknown_finish"])
def test_a_turn_completes(fault: str, way: str) -> None:
    seen = watch(turn(fault, way))
    assert seen.raised == ""
    assert seen.told("agent", "model", "http") == [done()] * 3
    model = seen.one("model")
    assert model["gen_ai.response.finish_reasons"] == ("gave_up" if fault == "unknown_finish" else "stop",)
    assert model["characters"] > 0
    if way != "awaited":
        assert seen.one("agent")["chunks"] == model["chunks"] > 1
        assert model["time_to_first_chunk"] > 0


def test_an_attempt_that_the_sdk_repeats_is_no_ending_of_the_turn() -> None:
    seen = watch(turn("retry/once", retries=1), origins=1)
    assert seen.told("agent", "model") == [done(), done()]
    assert [http["outcome"] for http in seen.of("http")] == ["rejected", "completed"]
    assert seen.one("model")["attempts"] == 2


def stream(program: Program, fault: str = "stall", **options: Any) -> Any:
    return agent(program, fault, **options).run(TASK, stream=True)


async def cancels(program: Program) -> None:
    await interrupted(stream(program), lambda task: task.cancel(), STALLED - 1)


async def awaits_and_cancels(program: Program) -> None:
    task = asyncio.ensure_future(agent(program, "stall").run(TASK))
    await begun("http")
    await asked()
    task.cancel()
    await task


async def deadline(program: Program) -> None:
    await struck_later(streamed(agent(program, "stall")), "http")


async def awaited_deadline(program: Program) -> None:
    await struck_later(agent(program, "stall").run(TASK), "http")


async def final_deadline(program: Program) -> None:
    await struck_later(final(agent(program, "stall")), "http")


STOPS: Final[dict[Callable[[Program], Awaitable[None]], Told]] = {
    cancels: cancelled(),
    awaits_and_cancels: cancelled(),
    deadline: struck(DEADLINE),
    awaited_deadline: struck(DEADLINE),
    final_deadline: struck(DEADLINE),
}


@pytest.mark.parametrize("body", STOPS, ids=lambda body: body.__name__)
def test_a_turn_is_stopped_while_it_waits_for_the_model(body: Callable[[Program], Awaitable[None]]) -> None:
    seen = watch(body)
    assert [replace(told, origin=False) for told in seen.told("agent", "model", "http")] == [STOPS[body]] * 3
    assert seen.one("agent")["origin"] is True


async def breaks(program: Program) -> None:
    await read_some(stream(program, "long"))


async def breaks_within(program: Program) -> None:
    async with stream(program, "long") as reading:
        await read_some(reading)


async def closes(program: Program) -> None:
    reading = stream(program, "long")
    await read_some(reading)
    await reading.close()
    await reading.close()


async def raises_within(program: Program) -> None:
    async with stream(program, "long") as reading:
        await read_some(reading)
        raise LookupError


@pytest.mark.parametrize("body", [breaks, breaks_within, closes, raises_within])
def test_a_reader_leaves(body: Callable[[Program], Awaitable[None]]) -> None:
    seen = watch(body)
    assert seen.told("agent", "model") == [origin(left()), left()]
    assert seen.one("http")["outcome"] == "abandoned"
    assert seen.one("agent")["chunks"] == 3


async def drops(program: Program) -> None:
    stream(program)


async def closes_unread(program: Program) -> None:
    await stream(program).close()


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("body", [drops, closes_unread])
def test_nobody_reads_a_turn(body: Callable[[Program], Awaitable[None]]) -> None:
    with telemetry(on=False):  # its hook has the final response of a stream that is closed unread
        seen = watch(body)
    assert (seen.one("agent")["outcome"], seen.layers) == ("never_started", ["agent"])


async def reads_after_its_end(program: Program) -> None:
    reading = stream(program, "ok")
    await read(reading)
    assert [update async for update in reading] == []
    await reading.get_final_response()
    await reading.close()


async def awaits_first(program: Program) -> None:
    await read(await stream(program, "ok"))


async def reads_on_with_the_final_response(program: Program) -> None:
    reading = stream(program, "ok")
    await read_some(reading)
    assert (await reading.get_final_response()).text


async def holds_updates_back(program: Program) -> None:
    reading = stream(program, "ok").buffer_updates()
    assert len(await read(reading)) > 1
    assert (await reading.get_final_response()).text


async def holds_updates_back_for_the_final_response(program: Program) -> None:
    assert (await stream(program, "ok").buffer_updates().get_final_response()).text


async def maps(program: Program) -> None:
    mapped = stream(program, "ok").map(lambda update: update.text, "".join)
    assert "".join([text async for text in mapped]) == await mapped.get_final_response()


COMPLETING: Final = [
    reads_after_its_end,
    awaits_first,
    reads_on_with_the_final_response,
    holds_updates_back,
    holds_updates_back_for_the_final_response,
    maps,
]


@pytest.mark.parametrize("body", COMPLETING, ids=lambda body: body.__name__)
def test_a_turn_completes_however_its_stream_is_used(body: Callable[[Program], Awaitable[None]]) -> None:
    seen = watch(body)
    assert seen.raised == ""
    assert seen.told("agent", "model", "http") == [done()] * 3


def test_a_stream_that_two_tasks_read_is_the_stream_of_the_first() -> None:
    """The second task's read fails, as it would without us."""
    raised: list[type] = []

    async def body(program: Program) -> None:
        reading = stream(program, "slow/8")
        first = asyncio.ensure_future(read(reading))
        await begun("http")
        try:
            await read(reading)
        except RuntimeError as error:
            raised.append(type(error))
        await first

    seen = watch(body)
    assert (seen.raised, raised) == ("", [RuntimeError])
    assert seen.told("agent", "model", "http") == [done()] * 3


async def fails_in_a_hook(program: Program) -> None:
    def fail(response: Any) -> None:
        raise LookupError

    await read(stream(program, "ok").with_result_hook(fail))


async def fails_in_a_hook_when_updates_are_held_back(program: Program) -> None:
    def fail(update: Any) -> None:
        raise LookupError

    await stream(program, "ok").with_transform_hook(fail).buffer_updates().get_final_response()


@pytest.mark.parametrize("body", [fails_in_a_hook, fails_in_a_hook_when_updates_are_held_back])
def test_the_programs_own_hook_fails(body: Callable[[Program], Awaitable[None]]) -> None:
    seen = watch(body)
    assert seen.raised == "LookupError"
    failed = Told("failed", "agent", "none", "", "LookupError", "agent", error_type="LookupError")
    assert seen.one("agent").told == origin(failed)
