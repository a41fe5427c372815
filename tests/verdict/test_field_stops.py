"""Who stopped a stream: a library of its own, the program that closed its client, a deadline, the end user."""

import asyncio
import errno
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, Final

import pytest
from autogen_agentchat.agents import AssistantAgent
from harness import HTTPX, NEVER, TASK, TIMEOUT_ERROR, Program, Seen, asked, in_time, read, read_some, tool, watch
from harness.asgi import EVENTS, Exchange, by_hand, part, serve
from harness.program import STALLED
from harness.raw_server import raw_server
from wire_replies import DONE, openai

from autogen_streamtrace.commands.chaos.model.reply import HALF

CLIENT: Final[Any] = import_module(HTTPX)
WHOLE: Final = openai("Hi") + openai("", "stop") + DONE
ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def told(seen: Seen, layer: str) -> tuple[str, str, str, bool]:
    verdict = seen.one(layer).told
    return verdict.outcome, verdict.ended_by, verdict.cancelled_by, verdict.fault


INSIDE: Final = ("cancelled", "tool", "inside", True)
needs_cancelling = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="a task does not say that it is being cancelled"
)


SOON: Final = 0.4
"""Seconds that are given to what does not end by itself."""


async def drops_its_own_connection(at_it: asyncio.Event) -> str:
    """As an MCP session does that dies."""
    connection = asyncio.ensure_future(asyncio.sleep(30))
    asyncio.get_running_loop().call_soon(connection.cancel)
    try:
        await connection
    finally:
        at_it.set()
    return "never"


async def hangs(at_it: asyncio.Event) -> str:
    at_it.set()
    await asyncio.sleep(30)
    return "never"


def with_tool(body: Callable[[asyncio.Event], Awaitable[str]]) -> Callable[[Program], Awaitable[object]]:
    """A turn that is given so much time once its tool is at it."""

    async def main(program: Program) -> None:
        at_it = asyncio.Event()
        agent = program.agent("tool_call", tools=[tool(lambda: body(at_it))])
        with pytest.raises(asyncio.TimeoutError):
            await in_time(read(agent.run_stream(task=TASK)), at_it, SOON)

    return main


@needs_cancelling
def test_a_tool_cancelled_by_its_own_library_was_cancelled_inside_and_not_by_a_deadline_that_struck_later() -> None:
    """https://github.com/openai/openai-agents-python/pull/2681"""
    seen = watch(with_tool(drops_its_own_connection), origins=2)
    assert told(seen, "tool") == INSIDE
    assert seen.one("tool").told.limit is None
    assert told(seen, "agent") == ("cancelled", "caller", "deadline", True)
    assert seen.one("agent").told.waiting_on != "tool"


def test_a_tool_that_hangs_until_the_deadline_was_cancelled_by_it() -> None:
    seen = watch(with_tool(hangs))
    assert told(seen, "tool") == ("cancelled", "caller", "deadline", True)
    assert told(seen, "agent") == ("cancelled", "caller", "deadline", True)


def test_a_client_that_the_program_closes_under_a_stream_was_closed_by_the_program() -> None:
    """https://github.com/NousResearch/hermes-agent/issues/107475"""

    async def main(program: Program) -> None:
        client = program.client("stall")
        agent = AssistantAgent("clerk", client, model_client_stream=True)
        items = agent.run_stream(task=TASK)
        await read_some(_few(items, HALF))
        closing = asyncio.ensure_future(client.close())
        with pytest.raises(Exception):  # noqa: B017
            await read(items)
        await closing

    seen = watch(main)
    for layer in ("agent", "model", "http"):
        assert told(seen, layer) == ("failed", "caller", "", True)
    assert seen.one("http").told.origin


async def _few(items: Any, count: int) -> Any:
    for _ in range(count):
        yield await items.__anext__()


def test_a_server_that_closes_the_connection_is_the_upstream() -> None:
    with raw_server((ANSWER + chunked(openai("Hi")), "fin")) as url:
        seen = watch(_fails(url))
    assert told(seen, "http") == ("disconnected", "upstream", "", True)


def _fails(url: str, **options: Any) -> Callable[[Program], Awaitable[object]]:
    async def main(program: Program) -> None:
        with pytest.raises(Exception):  # noqa: B017
            await read(program.turn(url, **options))

    return main


class OwnTransport(CLIENT.AsyncBaseTransport):  # type: ignore[misc]
    """A transport of the program's own, that speaks with nobody."""

    def __init__(self, *parts: bytes, error: Exception | None = None) -> None:
        self._parts, self._error = parts, error

    async def handle_async_request(self, request: Any) -> Any:
        return CLIENT.Response(
            200, headers={"content-type": "text/event-stream"}, stream=_Own(self._parts, self._error)
        )


class _Own(CLIENT.AsyncByteStream):  # type: ignore[misc]
    def __init__(self, parts: tuple[bytes, ...], error: Exception | None) -> None:
        self._parts, self._error = parts, error

    async def __aiter__(self) -> Any:
        for each in self._parts:
            yield each
        if self._error is not None:
            raise self._error


class Retrying(CLIENT.AsyncBaseTransport):  # type: ignore[misc]
    """A transport that hands its requests on, once more where that fails."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def handle_async_request(self, request: Any) -> Any:
        await self._inner.handle_async_request(request)
        return await self._inner.handle_async_request(request)


def over(transport: Any) -> Callable[[Program], Awaitable[object]]:
    async def main(program: Program) -> None:
        client = program.client("http://nobody.example/v1", http_client=CLIENT.AsyncClient(transport=transport))
        try:
            await read(AssistantAgent("clerk", client, model_client_stream=True).run_stream(task=TASK))
        except Exception:
            return

    return main


def test_a_transport_of_ones_own_has_an_http_layer() -> None:
    seen = watch(over(OwnTransport(WHOLE)))
    assert told(seen, "http") == ("completed", "model", "", False)
    assert seen.one("http")["bytes"]


@pytest.mark.parametrize("error", [ConnectionResetError(), CLIENT.ReadError("")])
def test_a_transport_of_ones_own_that_loses_its_connection_was_disconnected(error: Exception) -> None:
    seen = watch(over(OwnTransport(openai("Hi"), error=error)))
    assert told(seen, "http") == ("disconnected", "upstream", "", True)
    assert told(seen, "agent") == ("disconnected", "upstream", "", True)


def test_a_bare_timeout_out_of_a_transport_is_a_timer_of_the_client() -> None:
    seen = watch(over(OwnTransport(openai("Hi"), error=TimeoutError())))
    for layer in ("agent", "model", "http"):
        assert told(seen, layer) == ("timeout", "http_client", "", True)


def test_a_bare_timeout_with_the_kernels_number_is_a_lost_connection() -> None:
    seen = watch(over(OwnTransport(openai("Hi"), error=TimeoutError(errno.ETIMEDOUT, "Connection timed out"))))
    assert told(seen, "http") == ("disconnected", "upstream", "", True)


def test_a_bare_timeout_that_a_tool_raises_is_the_tools() -> None:
    async def late() -> str:
        raise TimeoutError

    async def main(program: Program) -> None:
        await read(program.agent("tool_call", tools=[tool(late)]).run_stream(task=TASK))

    assert told(watch(main), "tool") == ("failed", "tool", "", True)


def test_a_transport_that_hands_requests_on_is_not_counted_beside_the_one_below() -> None:
    seen = watch(over(Retrying(OwnTransport(WHOLE))), origins=None)
    assert len(seen.of("http")) == 2
    assert seen.one("model")["attempts"] == 2


def test_a_mock_that_answers_with_a_whole_body_has_one_too() -> None:
    seen = watch(over(CLIENT.MockTransport(lambda request: CLIENT.Response(200, content=WHOLE))))
    assert told(seen, "http") == ("completed", "model", "", False)
    assert told(seen, "agent") == ("completed", "model", "", False)


def gone_over_http2(last: Callable[[Any, int], bytes]) -> Seen:
    """A reply over HTTP/2 of which the server sends the beginning, and then what ``last`` says."""
    h2 = import_module("h2.connection")
    config = import_module("h2.config").H2Configuration(client_side=False)
    ended = import_module("h2.events").StreamEnded
    headers = [(":status", "200"), ("content-type", "text/event-stream")]

    def converse(listener: socket.socket) -> None:
        with listener.accept()[0] as peer:
            connection = h2.H2Connection(config)
            connection.initiate_connection()
            while data := peer.recv(65535):
                for event in connection.receive_data(data):
                    if isinstance(event, ended):
                        connection.send_headers(event.stream_id, headers)
                        connection.send_data(event.stream_id, openai("Hi"))
                        peer.sendall(connection.data_to_send() + last(connection, event.stream_id))
                peer.sendall(connection.data_to_send())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=converse, args=(listener,), daemon=True)
        thread.start()
        http = CLIENT.AsyncClient(http1=False, http2=True)
        seen = watch(_fails(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", http_client=http))
        thread.join(5)
    return seen


def reset(connection: Any, stream: int) -> bytes:
    connection.reset_stream(stream, error_code=2)
    return bytes(connection.data_to_send())


def goes_away(connection: Any, stream: int) -> bytes:
    frame = b"\x00\x00\x08\x07\x00" + bytes(4) + stream.to_bytes(4, "big") + bytes(4)
    connection.send_data(stream, WHOLE, end_stream=True)
    return bytes(frame + connection.data_to_send())


@pytest.mark.parametrize("last", [reset, goes_away])
def test_what_an_http2_library_raises_for_a_lost_connection_is_the_upstreams(last: Any) -> None:
    """https://github.com/headroomlabs-ai/headroom/pull/1645 and https://github.com/encode/httpx/issues/3324"""
    seen = gone_over_http2(last)
    for layer in ("agent", "model", "http"):
        assert told(seen, layer) == ("disconnected", "upstream", "", True)


async def get(program: Program, url: str, leave: Callable[[Any], Awaitable[object]]) -> None:
    async with CLIENT.AsyncClient(follow_redirects=True) as client, client.stream("GET", url) as response:
        await leave(response)


def test_an_exchange_that_is_cancelled_by_its_session_has_had_enough_and_by_a_deadline_has_not() -> None:
    """https://github.com/modelcontextprotocol/typescript-sdk/issues/1231"""

    def reads(at_it: asyncio.Event) -> Callable[[Any], Awaitable[object]]:
        async def read_on(response: Any) -> None:
            async for _ in response.aiter_raw():
                at_it.set()

        return read_on

    async def main(program: Program, url: str) -> None:
        at_it = asyncio.Event()
        task = asyncio.ensure_future(get(program, url, reads(at_it)))
        await at_it.wait()
        await asked()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with raw_server((ANSWER + chunked(b"data: 1\n\n"), "keep")) as url:
        seen = watch(lambda program: main(program, url), origins=0)
        assert told(seen, "http") == ("completed", "caller", "", False)

    async def late(program: Program, url: str) -> None:
        at_it = asyncio.Event()
        with pytest.raises(asyncio.TimeoutError):
            await in_time(get(program, url, reads(at_it)), at_it, SOON)

    with raw_server((ANSWER + chunked(b"data: 1\n\n"), "keep")) as url:
        seen = watch(lambda program: late(program, url))
        assert told(seen, "http") == ("cancelled", "caller", "deadline", True)


def test_a_redirect_before_a_reply_is_no_reply() -> None:
    """Its body, which nobody reads as one, has no terminator."""
    moved = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /there\r\nContent-Length: 5\r\n\r\nmoved"
    whole = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n%s" % (len(WHOLE), WHOLE)

    async def main(program: Program, url: str) -> None:
        await read(program.turn(url, http_client=CLIENT.AsyncClient(follow_redirects=True)))

    with raw_server((moved, "keep"), (whole, "keep")) as url:
        seen = watch(lambda program: main(program, url), origins=0)
    assert {stream.told.outcome for stream in seen.streams} == {"completed"}
    assert told(seen, "agent") == ("completed", "model", "", False)


class Deaf(Exchange):
    """An end user who takes nothing after the first piece."""

    async def send(self, message: Any) -> None:
        await super().send(message)
        if len(self.sent) > 2:
            await asyncio.sleep(30)


LEFT: Final = ("cancelled", "end_user", "disconnect", False)


def test_a_send_that_times_out_is_the_end_users_leaving_on_every_layer() -> None:
    """https://github.com/sysid/sse-starlette/issues/89"""

    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS)
        async for _ in program.turn("slow"):
            await asyncio.wait_for(send(part()), SOON if len(exchanges[0].sent) == 2 else NEVER)

    exchanges: list[Exchange] = []

    def deaf() -> Exchange:
        exchanges.append(Deaf())
        return exchanges[0]

    seen = serve(_catching(by_hand(handler)), deaf)
    for layer in ("server", "agent", "model", "http"):
        assert told(seen, layer) == LEFT, layer


def _catching(make: Callable[[Program], Any]) -> Callable[[Program], Any]:
    """A server: what an application raises ends its exchange."""

    def made(program: Program) -> Any:
        app = make(program)

        async def call(scope: Any, receive: Any, send: Any) -> None:
            try:
                await app(scope, receive, send)
            except asyncio.TimeoutError:
                return

        return call

    return made


def test_a_deadline_of_the_whole_turn_that_strikes_in_a_send_is_the_programs_and_not_the_end_users_leaving() -> None:
    """The send had waited for less than half of the deadline's time when that was due; then the loop was held up."""
    seconds = 1.2

    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        loop.call_at(deadline - 0.1, time.sleep, 0.7)

        async def turn() -> None:
            async for _ in program.turn("slow"):
                if len(exchanges[0].sent) == 2:
                    await asyncio.sleep(deadline - 0.2 - loop.time())
                await send(part())

        await asyncio.wait_for(turn(), seconds)

    exchanges: list[Exchange] = []

    def deaf() -> Exchange:
        exchanges.append(Deaf())
        return exchanges[0]

    seen = serve(_catching(by_hand(handler)), deaf)
    for layer in ("server", "agent", "model", "http"):
        assert told(seen, layer) == ("failed", "agent", "", True), layer
    assert [stream.layer for stream in seen.streams if stream.told.origin] == ["server"]
    assert seen.one("server").told.cause == TIMEOUT_ERROR


def test_a_deadline_of_the_whole_turn_that_strikes_between_two_sends_is_the_programs() -> None:
    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS)

        at_it = asyncio.Event()

        async def turn() -> None:
            async for _ in program.turn("stall"):
                await send(part())
                if len(exchanges[0].sent) > STALLED:
                    at_it.set()

        await in_time(turn(), at_it, SOON)

    exchanges: list[Exchange] = []

    def exchange() -> Exchange:
        exchanges.append(Exchange())
        return exchanges[0]

    seen = serve(_catching(by_hand(handler)), exchange)
    assert told(seen, "server") == ("failed", "agent", "", True)
    for layer in ("agent", "model", "http"):
        assert told(seen, layer) == ("cancelled", "caller", "deadline", True), layer
