"""What hangs is told while it hangs: real tools, tokens and event loops, seen from outside."""

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from autogen_core import CancellationToken
from harness import AGENT_NAME, TOOL_NAME, Event, Program, Stream, Watch, instrumented, read, tool

from autogen_streamtrace import open_streams, trace_stream
from autogen_streamtrace.commands.chaos.model_server import ModelServer

AFTER = 1.0
"""Seconds of silence that count as a stall here."""
PATIENCE = 15.0
LIMIT = 40.0
"""Seconds that a program may take."""


def stalls(applied: Watch, layer: str, waiting_on: str = "") -> list[Event]:
    """What was told of a layer; on a busy machine also that a model's first byte is late."""
    return [
        e
        for e in applied.events()
        if e.name == "streamtrace.stall"
        and e.attributes["streamtrace.layer"] == layer
        and waiting_on in ("", e.attributes["streamtrace.waiting_on.type"])
    ]


def by_stall(events: list[Event]) -> dict[int, list[float]]:
    """The silences that were told of one stream, by the number of its stall."""
    found: dict[int, list[float]] = {}
    for each in events:
        silence = each.attributes["streamtrace.silence"]
        found.setdefault(each.attributes["streamtrace.stall.count"], []).append(silence)
    return found


def located(events: list[Event]) -> list[Event]:
    """Those with a stack: where nothing at all could run, the watcher has asked no event loop yet."""
    return [e for e in events if "code.stacktrace" in e.attributes]


def answering(events: list[Event]) -> list[Event]:
    """Those during which the event loop answered, as a busy machine does not always let it."""
    return [e for e in events if not e.attributes["streamtrace.stall.loop_blocked"]]


def wait_for(seen: Callable[[], object]) -> None:
    """Returns as soon as that is true. Nothing announces what our threads export."""
    deadline = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < deadline, "not within time"
        time.sleep(0.01)


async def until(seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < deadline, "not within time"
        await asyncio.sleep(0.01)


def level(applied: Watch, metric: str) -> dict[str, float]:
    """The values of a metric by layer."""
    found: dict[str, float] = {}
    for point in applied.collect().get(f"streamtrace.{metric}", []):
        layer = point.attributes["streamtrace.layer"]
        found[layer] = found.get(layer, 0) + point.value
    return found


def paused(stream: Stream) -> bool:
    """Whether a stream that should flow has stalled. Only a busy machine's server pauses for so long."""
    return max(stream[f] or 0.0 for f in ("time_to_first_chunk", "longest_gap", "silence")) >= AFTER


def run(body: Callable[[Program, Watch], Awaitable[object]]) -> None:
    with ModelServer() as server, instrumented(stall_after=AFTER) as applied:
        program = Program(server, applied.tracer_provider.get_tracer("the program"))

        async def main() -> None:
            await asyncio.wait_for(body(program, applied), LIMIT)
            await program.close()

        asyncio.run(main())


def test_a_tool_that_hangs_is_told_with_all_layers_that_wait_for_it() -> None:
    async def body(program: Program, applied: Watch) -> None:
        let_go = asyncio.Event()

        async def hangs() -> str:
            await let_go.wait()
            return "found"

        turn = asyncio.ensure_future(read(program.turn("tool_call", tools=[tool(hangs)])))
        for layer in ("tool", "agent"):
            await until(lambda layer=layer: answering(stalls(applied, layer, "tool")))  # type: ignore[misc]
            event = answering(stalls(applied, layer, "tool"))[0]
            assert event.attributes["streamtrace.waiting_on.name"] == TOOL_NAME
            assert event.attributes["streamtrace.silence"] >= AFTER
            assert event.severity == "WARN" and "code.stacktrace" not in event.attributes
        assert level(applied, "stalled") == {"tool": 1, "agent": 1}
        assert level(applied, "oldest")["agent"] >= AFTER
        let_go.set()
        await turn
        await until(lambda: not applied.busy)
        assert set(level(applied, "stalled").values()) == {0}
        assert set(level(applied, "oldest").values()) == {0}
        assert set(level(applied, "open").values()) == {0}

    run(body)


def test_a_blocking_tool_is_named_by_file_and_line_while_it_blocks() -> None:
    async def body(program: Program, applied: Watch) -> None:
        let_go = threading.Event()

        async def blocks() -> str:
            while not let_go.is_set():
                time.sleep(0.05)  # noqa: ASYNC251 - what a careless tool does
            return "found"

        def look() -> None:
            with contextlib.suppress(AssertionError):
                wait_for(lambda: located(stalls(applied, "tool")))
            let_go.set()

        outside = threading.Thread(target=look)
        outside.start()
        await read(program.turn("tool_call", tools=[tool(blocks)]))
        outside.join()
        event = located(stalls(applied, "tool"))[0]
        line = blocks.__code__.co_firstlineno + 2
        assert event.attributes["streamtrace.stall.loop_blocked"] is True
        assert event.attributes["code.stacktrace"].splitlines()[0] == f"{__file__}:{line} in blocks"
        assert f"blocked at {__file__}:{line} in blocks" in event.body
        await until(lambda: not applied.busy)
        told = applied.seen().one("tool")
        assert (told["stall.count"], told["stall.loop_blocked"]) == (1, True)

    run(body)


def test_a_cancelled_token_with_a_hung_tool_is_told_though_nothing_raises() -> None:
    """AutoGen's queue never gets its end mark: the turn waits for ever."""

    async def body(program: Program, applied: Watch) -> None:
        token, running = CancellationToken(), asyncio.Event()

        async def hangs() -> str:
            running.set()
            await asyncio.Event().wait()
            return "never"

        turn = asyncio.ensure_future(read(program.turn("tool_call", token, tools=[tool(hangs)])))
        await running.wait()
        token.cancel()
        await until(lambda: level(applied, "stalled").get("agent") == 1)
        assert not turn.done()
        await until(lambda: stalls(applied, "agent"))
        assert stalls(applied, "agent")[0].attributes["streamtrace.name"] == AGENT_NAME
        turn.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await turn

    run(body)


def silent(layer: str) -> float:
    """Seconds since the last item of the one open stream of a layer."""
    return next((each.silent_for for each in open_streams() if each.layer == layer), math.inf)


def test_comments_that_keep_the_bytes_coming_do_not_hide_that_the_model_stalls() -> None:
    async def body(program: Program, applied: Watch) -> None:
        turn = asyncio.ensure_future(read(program.turn("ping/200")))
        await until(lambda: stalls(applied, "model") and silent("http") < AFTER <= silent("model"))
        turn.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await turn
        await until(lambda: not applied.busy)
        assert paused(applied.seen().one("http")) or stalls(applied, "http") == []

    run(body)


def test_a_reader_that_holds_an_item_stalls_its_own_stream() -> None:
    async def words() -> AsyncGenerator[str, None]:
        yield "one"
        yield "two"

    async def body(program: Program, applied: Watch) -> None:
        async for word in trace_stream(words(), "mine"):
            if word == "one":
                await until(lambda: stalls(applied, "stream", "caller"))
        await until(lambda: not applied.busy)
        assert applied.seen().one("stream")["stall.count"] == max(by_stall(stalls(applied, "stream")))

    run(body)


def test_a_silence_that_lasts_is_told_again_when_it_has_doubled_and_counts_once() -> None:
    async def body(program: Program, applied: Watch) -> None:
        stream = program.turn("stall")
        reading = asyncio.ensure_future(read(stream))
        await until(lambda: any(len(told) >= 2 for told in by_stall(stalls(applied, "http")).values()))
        told = by_stall(stalls(applied, "http"))
        assert list(told) == list(range(1, len(told) + 1)), "a first byte that was late is a stall of its own"
        assert all(again >= 2 * AFTER for silences in told.values() for again in silences[1:])
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading

    run(body)


def test_a_stall_of_an_exchange_is_told_on_the_span_that_it_ends_with() -> None:
    async def body(program: Program, applied: Watch) -> None:
        reading = asyncio.ensure_future(read(program.turn("stall")))
        await until(lambda: stalls(applied, "http"))
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        await until(lambda: not applied.busy)
        exchange, told = applied.seen().one("http"), stalls(applied, "http")
        assert {event.span_id for event in told} == {exchange.id}
        assert exchange["stall.count"] == max(by_stall(told))
        assert exchange["stall.loop_blocked"] is (answering(told) != told)

    run(body)


def test_a_stream_that_flows_is_never_told_as_stalled() -> None:
    async def body(program: Program, applied: Watch) -> None:
        await read(program.turn("slow"))
        await until(lambda: not applied.busy)
        streams = applied.seen().streams
        assert max(stream.seconds for stream in streams) > AFTER
        assert [each.layer for each in streams if stalls(applied, each.layer) and not paused(each)] == []

    run(body)


def test_events_none_tells_no_stall_and_still_counts_it() -> None:
    with ModelServer() as server, instrumented(stall_after=AFTER, events="none") as applied:
        program = Program(server, applied.tracer_provider.get_tracer("the program"))

        async def main() -> None:
            reading = asyncio.ensure_future(read(program.turn("stall")))
            await until(lambda: level(applied, "stalled").get("http") == 1)
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            await program.close()

        asyncio.run(main())
        assert applied.events() == []


def waiting(applied: Watch) -> set[tuple[object, object]]:
    """The layers of the stalled streams, and what they wait for."""
    points = applied.collect().get("streamtrace.stalled", [])
    return {(p.attributes["streamtrace.layer"], p.attributes["streamtrace.waiting_on.type"]) for p in points}


@pytest.mark.once
def test_the_stalled_are_counted_by_what_they_wait_for() -> None:
    async def body(program: Program, applied: Watch) -> None:
        reading = asyncio.ensure_future(read(program.turn("stall")))
        await until(lambda: waiting(applied) >= {("agent", "http"), ("model", "http"), ("http", "http")})
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading

    run(body)
