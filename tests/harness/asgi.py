"""The server's and the end user's side of one ASGI exchange, where no socket is needed."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from autogen_streamtrace import ASGIMiddleware

from . import watch
from .program import Program
from .seen import Seen

Message = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]

START: Final = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
EVENTS: Final = {**START, "headers": [(b"Content-Type", b"text/event-stream; charset=utf-8")]}
END: Final = {"type": "http.response.body", "body": b"", "more_body": False}


def part(body: bytes = b"word ") -> Message:
    """A part of a body that goes on."""
    return {"type": "http.response.body", "body": body, "more_body": True}


class Exchange:
    """One call of an application.

    Args:
        kind: ``http`` or ``websocket``.
        more: further keys of the scope.
    """

    def __init__(self, kind: str = "http", **more: Any) -> None:
        self.scope: dict[str, Any] = {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "path": "/claims/secret",
            "raw_path": b"/claims/secret",
            "query_string": b"",
            "root_path": "",
            "headers": [],
            **({"method": "GET"} if kind == "http" else {}),
            **more,
        }
        self.sent: list[Message] = []
        self.received: list[Message] = []
        self.refuses: BaseException | None = None
        """What ``send`` raises."""
        self._waiting: asyncio.Queue[Message] = asyncio.Queue()
        first = {"type": "http.request"} if kind == "http" else {"type": "websocket.connect"}
        self._waiting.put_nowait(first)

    async def call(self, app: App) -> None:
        """Calls the application, as a server does."""
        await app(self.scope, self.receive, self.send)

    async def receive(self) -> Message:
        """The application's ``receive``."""
        message = await self._waiting.get()
        self.received.append(message)
        return message

    async def send(self, message: Message) -> None:
        """The application's ``send``."""
        if self.refuses is not None:
            raise self.refuses
        self.sent.append(message)
        await asyncio.sleep(0)

    def leaves(self, code: int | None = None) -> None:
        """The end user's connection goes away."""
        kind = f"{self.scope['type']}.disconnect"
        self._waiting.put_nowait({"type": kind} if code is None else {"type": kind, "code": code})


def serve(make: Callable[[Program], App], exchange: Callable[[], Exchange] = Exchange, **options: Any) -> Seen:
    """Calls one application once."""

    async def main(program: Program) -> None:
        await exchange().call(make(program))

    return watch(main, **options)


def by_hand(handler: Callable[[Program, Any, Any], Awaitable[None]]) -> Callable[[Program], App]:
    """An application of no framework, under the middleware."""

    def make(program: Program) -> App:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await handler(program, receive, send)

        return ASGIMiddleware(app)

    return make


def routed(endpoint: Callable[[Program], Awaitable[Response]], **more: Any) -> Callable[[Program], App]:
    """A Starlette application with one route."""

    def make(program: Program) -> App:
        async def claim(request: Any) -> Response:
            return await endpoint(program)

        return Starlette(routes=[Route("/claims/{name}", claim)], **more)

    return make
