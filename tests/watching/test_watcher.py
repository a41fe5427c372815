"""What hangs is told while it hangs: real tools, tokens and event loops, seen from outside."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from autogen_core import CancellationToken
from harness import AGENT_NAME, TOOL_NAME, Event, Program, Watch, instrumented, read, tool

from autogen_streamtrace import trace_stream
from autogen_streamtrace.commands.chaos.model_server import ModelServer

AFTER = 1.0
"""Seconds of silence that count as a stall here."""
PATIENCE = 15.0


def stalls(applied: Watch, layer: str, waiting_on: str = "") -> list[Event]:
    """What was told of a layer; on a busy machine also that a model's first byte is late."""
    return [
        e
        for e in applied.events()
        if e.name == "streamtrace.stall"
        and e.attributes["streamtrace.layer"] == layer
        and waiting_on in ("", e.attributes["streamtrace.waiting_on.type"])
    ]


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


def run(body: Callable[[Program, Watch], Awaitable[object]]) -> None:
    with ModelServer() as server, instrumented(stall_after=AFTER) as applied:
        program = Program(server, applied.tracer_provider.get_tracer("the program"))

        async def main() -> None:
            await asyncio.wait_for(body(program, applied), 20)
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
                wait_for(lambda: stalls(applied, "tool"))
            let_go.set()

        outside = threading.Thread(target=look)
        outside.start()
        await read(program.turn("tool_call", tools=[tool(blocks)]))
        outside.join()
        event = stalls(applied, "tool")[0]
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


def test_comments_that_keep_the_bytes_coming_do_not_hide_that_the_model_stalls() -> None:
    async def body(program: Program, applied: Watch) -> None:
        turn = asyncio.ensure_future(read(program.turn("ping/200")))
        await until(lambda: stalls(applied, "model"))
        assert stalls(applied, "http") == []
        turn.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await turn

    run(body)


def test_a_reader_that_holds_an_item_stalls_its_own_stream() -> None:
    async def words() -> AsyncGenerator[str, None]:
        yield "one"
        yield "two"

    async def body(program: Program, applied: Watch) -> None:
        async for word in trace_stream(words(), "mine"):
            if word == "one":
                await until(lambda: stalls(applied, "stream"))
        event = stalls(applied, "stream")[0]
        assert event.attributes["streamtrace.waiting_on.type"] == "caller"
        await until(lambda: not applied.busy)
        assert applied.seen().one("stream")["stall.count"] == 1

    run(body)


def test_a_silence_that_lasts_is_told_again_when_it_has_doubled_and_counts_once() -> None:
    async def body(program: Program, applied: Watch) -> None:
        stream = program.turn("stall")
        reading = asyncio.ensure_future(read(stream))
        await until(lambda: len(stalls(applied, "http")) >= 2)
        first, second = stalls(applied, "http")[:2]
        assert second.attributes["streamtrace.silence"] >= 2 * AFTER
        assert first.attributes["streamtrace.stall.count"] == second.attributes["streamtrace.stall.count"] == 1
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
        exchange = applied.seen().one("http")
        assert exchange.id == stalls(applied, "http")[0].span_id
        assert exchange["stall.count"] == 1 and exchange["stall.loop_blocked"] is False

    run(body)


def test_a_stream_that_flows_is_never_told_as_stalled() -> None:
    async def body(program: Program, applied: Watch) -> None:
        await read(program.turn("ok"))
        await until(lambda: not applied.busy)
        assert not [e for e in applied.events() if e.name == "streamtrace.stall"]

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
