"""Streams inside a response: which of them end with it, and which stand alone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from harness import Program, begun, done, instrumented, read, read_some, watch
from harness.asgi import END, EVENTS, START, Exchange, by_hand, routed, serve
from opentelemetry.sdk.trace import ReadableSpan
from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

from autogen_streamtrace import ASGIMiddleware, trace_stream


async def words(program: Program) -> AsyncIterator[str]:
    async for _ in program.turn("ok"):
        yield "word "


def test_a_reader_inside_the_application_that_breaks_is_the_caller_though_the_response_is_whole() -> None:
    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS)
        await read_some(program.turn("slow"))
        await send(END)

    seen = serve(by_hand(handler))
    assert seen.one("server")["outcome"] == "completed"
    agent = seen.one("agent").told
    assert (agent.outcome, agent.ended_by, agent.origin) == ("abandoned", "caller", True)


def test_two_turns_at_once_in_one_request_are_cut_with_it() -> None:
    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS)
        turns = await asyncio.gather(*(begun(program.turn("stall", name=name)) for name in ("one", "two")))
        await receive()
        await receive()
        for each in turns:
            each.cancel()
        await asyncio.wait(turns)

    def exchange() -> Exchange:
        leaving = Exchange()
        leaving.leaves()
        return leaving

    seen = serve(by_hand(handler), exchange)
    assert seen.one("server")["outermost"]
    assert {(s["outcome"], s["ended_by"], s["cancelled_by"]) for s in seen.streams} == {
        ("cancelled", "end_user", "disconnect")
    }
    assert len(seen.streams) == 7


def test_a_turn_after_the_response_stands_alone() -> None:
    async def endpoint(program: Program) -> Response:
        async def after() -> None:
            await read(program.turn("fin"))

        return StreamingResponse(words(program), background=BackgroundTask(after))

    seen = serve(routed(endpoint))
    assert seen.one("server").told == done()
    first, second = seen.of("agent")
    assert (first["outcome"], first["outermost"]) == ("completed", False)
    assert (second["outcome"], second["outermost"]) == ("disconnected", True)


def test_a_task_that_outlives_the_response_keeps_its_own_end() -> None:
    async def handler(program: Program, receive: Any, send: Any) -> None:
        program.kept.append(await begun(program.turn("slow"), 2))
        await send(START)
        await send(END)

    async def main(program: Program) -> None:
        await Exchange().call(by_hand(handler)(program))
        await asyncio.wait(program.kept)  # type: ignore[type-var]

    seen = watch(main)
    assert seen.told("server", "agent") == [done("agent"), done()]


def test_a_stream_that_is_never_read_stands_inside_the_response() -> None:
    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS)
        program.turn("ok")
        await send(END)

    seen = serve(by_hand(handler))
    assert (seen.one("agent")["outcome"], seen.one("agent")["outermost"]) == ("never_started", False)


def test_a_span_of_the_programs_own_stands_between_the_response_and_its_streams() -> None:
    with instrumented() as applied:
        tracer = applied.tracer_provider.get_tracer("the program")

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(EVENTS)
            assert [each async for each in trace_stream(nothing(), "first")] == []
            with tracer.start_as_current_span("mine"):
                assert [each async for each in trace_stream(nothing(), "second")] == []
            await send(END)

        with tracer.start_as_current_span("GET"):
            asyncio.run(Exchange().call(ASGIMiddleware(app)))
        seen = applied.seen()

    def above(span: ReadableSpan) -> str:
        parent = seen.parent(span)
        return parent.name if parent is not None else ""

    names = {span.name: above(span) for span in seen.spans}
    assert names == {
        "GET": "",
        "send response body": "GET",
        "stream first": "send response body",
        "mine": "GET",
        "stream second": "mine",
    }


async def nothing() -> AsyncIterator[str]:
    """Ends at once."""
    for word in "":
        yield word
