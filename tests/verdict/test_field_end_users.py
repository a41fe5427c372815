"""End users who leave, wherever that surfaces, and connections of the program's own that are lost and look alike."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import h11
import pytest
import websockets
from autogen_agentchat.agents import UserProxyAgent
from autogen_agentchat.messages import TextMessage
from harness import TASK, Program, Seen, read, tool, watch
from harness.asgi import END, EVENTS, Exchange, by_hand, part, serve
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

from autogen_streamtrace import trace_stream

pytestmark = pytest.mark.once

LEFT: Final = ("cancelled", "end_user", False)
LOST: Final = ("failed", "agent", True)


def told(seen: Seen, layer: str) -> tuple[str, str, bool]:
    verdict = seen.one(layer).told
    return verdict.outcome, verdict.ended_by, verdict.fault


def named(name: str, *bases: type[BaseException]) -> Any:
    """Stands for an exception of a package that is not installed, by its full name."""
    module, _, simple = name.rpartition(".")
    return type(simple, bases or (Exception,), {"__module__": module})


Make = Callable[[], Exception]

CLOSINGS: Final[dict[str, Make]] = {
    "websockets, an error": lambda: websockets.ConnectionClosedError(None, None),
    "websockets, in order": lambda: websockets.ConnectionClosedOK(None, None),
    "anyio, broken": anyio.BrokenResourceError,
    "anyio, closed": anyio.ClosedResourceError,
    "wsproto": named("wsproto.utilities.LocalProtocolError"),
    "h11": lambda: h11.LocalProtocolError(""),
    "reset": ConnectionResetError,
    "broken pipe": BrokenPipeError,
}
"""What the libraries raise over a closed connection."""

CLOSED: Final = pytest.mark.parametrize("name", CLOSINGS)


def asks(body: Callable[[], Awaitable[object]]) -> Callable[[Program], Awaitable[object]]:
    """A turn of an agent that asks the end user."""

    async def ask(prompt: str, token: object) -> str:
        await body()
        return "never"

    async def main(program: Program) -> None:
        with pytest.raises(RuntimeError):
            await read(UserProxyAgent("user", input_func=ask).run_stream(task=TASK))

    return main


def raises(make: Make) -> Callable[[], Awaitable[object]]:
    async def body() -> None:
        raise make()

    return body


@CLOSED
def test_a_connection_that_closes_in_an_input_function_is_the_end_users_leaving(name: str) -> None:
    assert told(watch(asks(raises(CLOSINGS[name]))), "agent") == LEFT


@pytest.mark.parametrize("make", [ClientDisconnect, WebSocketDisconnect])
def test_a_disconnect_of_starlettes_is_too(make: Make) -> None:
    assert told(watch(asks(raises(make))), "agent") == LEFT


@pytest.mark.parametrize("make", [ValueError, TimeoutError, FileNotFoundError])
def test_any_other_failure_in_an_input_function_is_its_own(make: Make) -> None:
    assert told(watch(asks(raises(make))), "agent") == LOST


@CLOSED
def test_the_same_in_a_tool_is_the_tools(name: str) -> None:
    async def breaks() -> str:
        raise CLOSINGS[name]()

    async def main(program: Program) -> None:
        await read(program.agent("tool_call", tools=[tool(breaks)]).run_stream(task=TASK))

    seen = watch(main)
    assert told(seen, "tool") == ("failed", "tool", True)


@CLOSED
def test_the_same_in_a_source_of_the_programs_is_the_sources(name: str) -> None:
    async def main(program: Program) -> None:
        with pytest.raises(type(CLOSINGS[name]())):
            await read_all(trace_stream(_source(raises(CLOSINGS[name])), "own"))

    assert told(watch(main), "stream") == LOST


async def read_all(stream: Any) -> None:
    async for _ in stream:
        pass


async def _source(body: Callable[[], Awaitable[object]]) -> Any:
    yield "word"
    await body()


async def over_a_websocket(
    served: Callable[[Any], Awaitable[object]], reader: Callable[[Any], Awaitable[object]]
) -> None:
    """Both ends of a WebSocket without a framework; each is closed when its function is done."""
    over = asyncio.Event()

    async def serve_one(connection: Any) -> None:
        try:
            await served(connection)
        finally:
            over.set()

    async with websockets.serve(serve_one, "127.0.0.1", 0) as server:
        async with websockets.connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}") as connection:
            await reader(connection)
        await asyncio.wait_for(over.wait(), 20)


async def leaves(connection: Any) -> None:
    """Closes at once."""


def test_what_a_websocket_of_a_server_raises_in_a_source_is_the_end_users_leaving() -> None:
    async def main(program: Program) -> None:
        async def served(connection: Any) -> None:
            with pytest.raises(websockets.ConnectionClosed):
                await read_all(trace_stream(_source(connection.recv), "own"))

        await over_a_websocket(served, leaves)

    assert told(watch(main), "stream") == LEFT


def test_what_a_websocket_of_a_client_raises_in_a_source_is_not() -> None:
    async def main(program: Program) -> None:
        async def reader(connection: Any) -> None:
            with pytest.raises(websockets.ConnectionClosed):
                await read_all(trace_stream(_source(connection.recv), "own"))

        await over_a_websocket(leaves, reader)

    assert told(watch(main), "stream") == LOST


def test_a_websocket_client_of_an_input_functions_own_is_no_end_user() -> None:
    async def main(program: Program) -> None:
        async def reader(connection: Any) -> None:
            await asks(connection.recv)(program)

        await over_a_websocket(leaves, reader)

    assert told(watch(main), "agent") == LOST


def sends(make: Make) -> Seen:
    """A source inside a response sends to an end user; the server's ``send`` raises over the third message."""

    class Gone(Exchange):
        async def send(self, message: Any) -> None:
            await super().send(message)
            if len(self.sent) == 3:
                raise make()

    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS)

        async def source() -> Any:
            for _ in range(3):
                await send(part())
                yield "word"

        with pytest.raises(type(make())):
            await read_all(trace_stream(source(), "own"))
        await send(END)

    return serve(by_hand(handler), Gone)


@CLOSED
def test_what_a_servers_send_raises_is_the_end_users_leaving_on_every_layer(name: str) -> None:
    seen = sends(CLOSINGS[name])
    assert (told(seen, "server"), told(seen, "stream")) == (LEFT, LEFT)


def test_what_a_send_raises_over_anything_else_is_the_programs() -> None:
    assert told(sends(ValueError), "stream") == LOST


def test_a_send_after_the_end_user_has_left_is_not_the_programs_fault() -> None:
    """Servers raise a ``RuntimeError`` over a message after the end of a WebSocket."""

    class Left(Exchange):
        async def send(self, message: Any) -> None:
            if any(each["type"].endswith("disconnect") for each in self.received):
                raise RuntimeError("Unexpected ASGI message 'websocket.send', after sending 'websocket.close'.")
            await super().send(message)

    def leaving() -> Exchange:
        exchange = Left("websocket")
        exchange.leaves()
        return exchange

    async def handler(program: Program, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "word"})

        async def source() -> Any:
            yield "word"
            await receive()
            await send({"type": "websocket.send", "text": "word"})

        with pytest.raises(RuntimeError):
            await read_all(trace_stream(source(), "own"))

    seen = serve(by_hand(handler), leaving)
    assert (told(seen, "server"), told(seen, "stream")) == (LEFT, LEFT)


@CLOSED
def test_a_connection_of_a_sources_own_inside_a_response_is_no_end_users(name: str) -> None:
    """A source inside a response that loses a connection of its own."""

    async def handler(program: Program, receive: Any, send: Any) -> None:
        await send(EVENTS)
        with pytest.raises(type(CLOSINGS[name]())):
            await read_all(trace_stream(_source(raises(CLOSINGS[name])), "own"))
        await send(END)

    assert told(serve(by_hand(handler)), "stream") == LOST


def test_an_end_user_who_stays_completes_the_turn() -> None:
    """An input function whose end user stays."""

    async def ask(prompt: str, token: object) -> str:
        return "words"

    async def main(program: Program) -> None:
        items: list[Any] = [item async for item in UserProxyAgent("user", input_func=ask).run_stream(task=TASK)]
        assert any(isinstance(item, TextMessage) for item in items)

    assert told(watch(main), "agent")[0] == "completed"
