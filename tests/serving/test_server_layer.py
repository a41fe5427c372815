"""The server layer around applications of every kind, called as a server calls them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from harness import Program, Told, done, origin, read, watch
from harness.asgi import END, EVENTS, START, App, Exchange, Message, by_hand, part, routed, serve
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

import autogen_streamtrace
from autogen_streamtrace import ASGIMiddleware

GONE = Told("cancelled", "end_user", cancelled_by="disconnect", fault=False, status="UNSET")
Handler = Callable[[Any, Any, Any], Awaitable[None]]


async def words(program: Program, fault: str = "ok") -> AsyncIterator[str]:
    async for _ in program.turn(fault):
        yield "word "


def test_an_application_by_hand_has_a_span_around_its_streams() -> None:
    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(START)
        async for _ in program.turn("ok"):
            await send(part())
        await send(END)

    seen = serve(by_hand(handler))
    assert seen.told("server", "agent") == [done(), done()]
    server = seen.one("server")
    assert (server.span.name, server.name) == ("send response body", "http")
    assert server["chunks"] > 1 and server["bytes"] == 5 * server["chunks"]
    assert [stream.layer for stream in seen.streams if stream["outermost"]] == ["server"]


def test_an_event_stream_has_a_span_though_no_stream_of_ours_is_inside() -> None:
    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS)
        await send(part())
        await send(END)

    seen = serve(by_hand(handler))
    assert seen.layers == ["server"]
    assert seen.one("server").told == done("agent")


def test_the_requests_headers_name_who_sent_it_on_and_how_long_that_one_waits() -> None:
    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS)
        await send(END)

    sent = [(b"x-envoy-expected-rq-timeout-ms", b"4200"), (b"x-varnish", b"7"), (b"authorization", b"Bearer secret")]
    server = serve(by_hand(handler), lambda: Exchange(headers=sent)).one("server")
    assert server["intermediaries"] == ("envoy", "varnish")
    assert server["intermediary"] == "envoy"
    assert server["expected_timeout"] == 4.2
    assert "secret" not in str(server.attributes)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_no_stream_has_no_span(method: str) -> None:
    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS if method == "HEAD" else START)
        await send(END)

    assert serve(by_hand(handler), lambda: Exchange(method=method)).spans == []


def test_the_layer_is_named_after_the_route_or_the_function_and_never_after_the_path() -> None:
    async def endpoint(program: Program) -> Response:
        return StreamingResponse(words(program))

    (server,) = serve(routed(endpoint)).of("server")
    assert server.name == "/claims/{name}" or server.name.endswith(".claim")
    seen = serve(by_hand(_answer), lambda: Exchange(route=object()))
    assert seen.one("server").name == "http"


async def _answer(program: Program, receive: Any, send: Any) -> None:
    await send(START)
    await read(program.turn("ok"))
    await send(END)


def test_a_mounted_application_counts_once() -> None:
    def make(program: Program) -> App:
        async def claim(request: Any) -> Response:
            return StreamingResponse(words(program), media_type="text/event-stream")

        inner = Starlette(routes=[Route("/", claim)])
        return ASGIMiddleware(Starlette(routes=[Mount("/claims", Starlette(routes=[Mount("/in", inner)]))]))

    seen = serve(make, lambda: Exchange(path="/claims/in/"))
    assert len(seen.of("server")) == 1


def test_nothing_is_received_that_the_application_does_not_ask_for() -> None:
    exchanges: list[Exchange] = []

    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS)
        exchanges[0].leaves()
        await read(program.turn("ok"))
        await send(END)

    def exchange() -> Exchange:
        exchanges.append(Exchange())
        return exchanges[0]

    seen = serve(by_hand(handler), exchange)
    assert exchanges[0].received == []
    assert seen.told("server", "agent") == [done(), done()]


def test_every_message_passes_as_it_is() -> None:
    odd: list[Any] = [EVENTS, {**part(), "extra": object()}, {"type": "http.response.trailers"}, END, {"type": "x.y"}]
    got: list[Message] = []
    exchanges: list[Exchange] = []

    async def handler(program: Program, receive: Any, send: Any) -> None:
        got.append(await receive())
        for message in odd:
            await send(message)

    def exchange() -> Exchange:
        exchanges.append(Exchange())
        return exchanges[0]

    serve(by_hand(handler), exchange)
    assert all(a is b for a, b in zip(exchanges[0].sent, odd, strict=True))
    assert all(a is b for a, b in zip(exchanges[0].received, got, strict=True))


def test_a_response_that_the_application_never_finishes_is_truncated_by_it() -> None:
    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS)
        await send(part())

    told = serve(by_hand(handler)).one("server").told
    assert told == Told("truncated", "agent", error_type="truncated", origin=True)


def test_an_exception_of_the_streams_is_the_responses_own_ending() -> None:
    async def endpoint(program: Program) -> Response:
        return JSONResponse(len(await read(program.turn("fin"))))

    seen = serve(routed(endpoint))
    assert seen.raised
    assert [stream["outcome"] for stream in seen.streams] == ["disconnected"] * 4
    assert seen.one("server")["http.response.status_code"] == 500
    assert [stream.layer for stream in seen.streams if stream["origin"]] == ["http"]


def test_an_exception_that_the_application_answers_for_is_its_own_affair() -> None:
    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS)
        try:
            await read(program.turn("fin"))
        except Exception:
            await send(part(b"event: error\n\n"))
        await send(END)

    seen = serve(by_hand(handler))
    assert seen.one("server")["outcome"] == "completed"
    assert seen.one("agent")["outcome"] == "disconnected"


def test_a_reply_that_was_cut_in_silence_is_a_response_that_was() -> None:
    seen = serve(by_hand(lambda program, receive, send: _reply(program, send, "silent")))
    assert [seen.one(layer)["outcome"] for layer in ("server", "agent", "http")] == ["truncated"] * 3


async def _reply(program: Program, send: Any, fault: str) -> None:
    await send(EVENTS)
    await read(program.turn(fault))
    await send(END)


def test_a_lost_connection_that_only_sending_tells_of_is_the_users() -> None:
    exchange = Exchange()

    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS)
        async for _ in program.turn("slow"):
            exchange.refuses = ConnectionResetError()
            await send(part())

    async def main(program: Program) -> None:
        with pytest.raises(ConnectionResetError):
            await exchange.call(by_hand(handler)(program))

    seen = watch(main)
    assert seen.one("server").told == origin(Told(**{**vars(GONE), "waiting_on": "caller"}))
    assert {s["ended_by"] for s in seen.of("agent")} == {"end_user"}


@pytest.mark.parametrize(("code", "by"), [(1001, ("end_user", "disconnect")), (1012, ("process", "shutdown"))])
def test_a_sockets_closing_code_tells_the_servers_end_from_the_users(code: int, by: tuple[str, str]) -> None:
    exchange = Exchange("websocket")

    async def handler(program: Program, receive: Any, send: Any) -> None:
        await receive()
        async for _ in program.turn("slow"):
            await send({"type": "websocket.send", "text": "word"})
            exchange.leaves(code)
            await receive()
            break

    async def main(program: Program) -> None:
        await exchange.call(by_hand(handler)(program))

    seen = watch(main)
    for layer in ("server", "agent"):
        told = seen.one(layer).told
        assert (told.ended_by, told.cancelled_by) == by


def test_without_instrument_the_middleware_only_passes_on() -> None:
    calls: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        calls.append((scope, receive, send))

    exchange = Exchange()
    asyncio.run(ASGIMiddleware(app)(exchange.scope, exchange.receive, exchange.send))
    assert calls == [(exchange.scope, exchange.receive, exchange.send)]
    assert autogen_streamtrace.open_streams() == []
