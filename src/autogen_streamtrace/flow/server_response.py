"""Layer ``server``: the ASGI response or WebSocket that carries a stream to an end user.

It becomes a stream once one of ours starts inside it, or an event stream leaves through it; any other request passes.
Source: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

import functools
from collections.abc import Awaitable, Callable, MutableMapping
from types import ModuleType
from typing import Any, Final

from ..core import names as n
from ..core import scope
from ..core.contain import contained, report
from ..core.endings import How
from ..core.ledger import Ledger
from ..core.patcher import Patcher
from ..core.record import Opening, Record, clock

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SEEN: Final = "autogen_streamtrace.seen"
"""A key of ``scope``: a mounted application is called inside the one that mounts it, and counts once."""
_EVENT_STREAM: Final = b"text/event-stream"
_OVER: Final[Scope] = {"type": ""}
_SERVICE_RESTART: Final = 1012
"""The code with which a server closes its WebSockets when it shuts down.

Source: https://www.iana.org/assignments/websocket/websocket.xhtml
"""


def apply(module: ModuleType, patcher: Patcher, ledger: Ledger) -> None:
    """Watches every application of ``starlette.applications``, FastAPI's included, whenever it was built."""

    def watching(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def __call__(self: Any, scope: Scope, receive: Receive, send: Send) -> None:
            exchange = enter(ledger, scope, receive, send)
            if exchange is None:
                await original(self, scope, receive, send)
                return
            try:
                await original(self, scope, exchange.receive, exchange.send)
            except BaseException as error:
                exchange.leave(error)
                raise
            exchange.leave(None)

        return __call__

    patcher.attribute(module.Starlette, "__call__", watching)


async def serve(ledger: Ledger, app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Calls any application and watches what leaves through it, as ``apply`` does."""
    exchange = enter(ledger, scope, receive, send)
    if exchange is None:
        await app(scope, receive, send)
        return
    try:
        await app(scope, exchange.receive, exchange.send)
    except BaseException as error:
        exchange.leave(error)
        raise
    exchange.leave(None)


def enter(ledger: Ledger, asgi: Scope, receive: Receive, send: Send) -> "_Exchange | None":
    """An application is called. None where there is nothing to watch, or it is watched already."""
    if asgi["type"] not in ("http", "websocket") or _SEEN in asgi:
        return None
    asgi[_SEEN] = True
    exchange = _Exchange(ledger, asgi, receive, send)
    scope.deferred.set(exchange)
    return exchange


class _Exchange(scope.Deferred):
    """One request and its response, or one WebSocket. The application sees every message that it would see without."""

    __slots__ = (
        "_asgi",
        "_before",
        "_complete",
        "_gone",
        "_ledger",
        "_over",
        "_receive",
        "_send",
        "_shutdown",
        "_start",
        "_status",
    )

    def __init__(self, ledger: Ledger, asgi: Scope, receive: Receive, send: Send) -> None:
        self.record = None
        self._before = scope.deferred.get()
        self._ledger = ledger
        self._asgi = asgi
        self._receive = receive
        self._send = send
        self._start = clock()
        self._status = 0
        self._gone = self._shutdown = False
        """The end user's connection was found gone · because the server shuts down."""
        self._complete = False
        """All of the response was given to the server, or the application closed the WebSocket."""
        self._over = False

    def open(self) -> Record | None:
        """Makes it a stream, which began when the request came."""
        if self._over or self._complete:
            return None
        record = self._ledger.open(_opening(self._asgi), scope.outside, self._start)
        if record is not None:
            record.status = self._status or None
            self.record = record
            if self._gone:
                self._ledger.left(record, idle=False, shutdown=self._shutdown)
        return record

    async def receive(self) -> Message:
        """The application's ``receive``: what comes is passed on as it is, and nothing is asked for but by it."""
        message = await self._receive()
        try:
            if message["type"] in ("http.disconnect", "websocket.disconnect") and not self._complete:
                self._lost(shutdown=message.get("code") == _SERVICE_RESTART)
        except Exception as defect:
            report("reading a message from the end user", defect)
        return message

    async def send(self, message: Message) -> None:
        """The application's ``send``."""
        last = False
        record = self.record
        try:
            kind = message["type"]
            if kind == "http.response.body":
                last = not message.get("more_body", False)
            else:
                last = self._notes(kind, message)
                record = self.record
        except Exception as defect:
            report("reading a message to the end user", defect)
        if last:
            self._complete = True  # at once: http.disconnect may come as soon as the server has it
        if record is None:
            await self._send(message)
        else:
            await self._pass_on(record, message, last)

    def _notes(self, kind: str, message: Message) -> bool:
        """Reads whatever is no part of a body. Whether it is the last message."""
        if kind == "http.response.start":
            self._status = message["status"]
            if self.record is not None:
                self.record.status = self._status
            elif _is_event_stream(message) and self._asgi.get("method") != "HEAD":
                self.open()
        elif kind == "websocket.send" and self.record is None:
            self.open()
        if kind in ("http.response.zerocopysend", "websocket.http.response.body"):
            return not message.get("more_body", False)
        return kind in ("http.response.pathsend", "websocket.close")

    async def _pass_on(self, record: Record, message: Message, last: bool) -> None:
        size = _size(message)
        now = clock()
        if size:
            _arrived(record, size, now)
        try:
            await self._send(message)
        except BaseException as error:
            self._complete = self._complete and not last
            if isinstance(error, OSError):  # since ASGI 2.4 a lost connection
                self._lost(shutdown=self._socket and self._ledger.loops.shutting_down(record.loop))
            raise
        done = clock()
        if size:
            record.asked = done
            record.caller_time += done - now
        if done - now > record.longest_send:
            record.longest_send = done - now
        if last and not self._failed:
            self._finish("returned")

    @property
    def _socket(self) -> bool:
        return bool(self._asgi["type"] == "websocket")

    @property
    def _failed(self) -> bool:
        """The response says that the application failed: only what it raises says why."""
        return self._status >= 500

    def leave(self, error: BaseException | None) -> None:
        """The application's call is over."""
        scope.deferred.set(self._before)
        self._over = True
        if error is None or (self._complete and not self._failed):
            self._finish("returned")
        else:
            self._finish("raised", error)
        self._asgi = _OVER  # a task that was started here holds this as long as it lives

    def _finish(self, how: How, error: BaseException | None = None) -> None:
        record, self.record = self.record, None
        if record is not None:
            record.terminal = self._complete or self._socket
            self._ledger.end(record, how, error)

    def _lost(self, *, shutdown: bool = False) -> None:
        if not self._gone:
            self._gone, self._shutdown = True, shutdown
            if self.record is not None:
                self._ledger.left(self.record, idle=self._socket, shutdown=shutdown)


def _arrived(record: Record, size: int, now: float) -> None:
    """A piece came from the application."""
    record.chunks += 1
    record.size += size
    record.last = now
    if record.chunks == 1:
        record.first = now
    elif now - record.asked > record.longest_gap:
        record.longest_gap = now - record.asked


def _size(message: Message) -> int:
    """Bytes of what is sent to the end user; characters where it is text."""
    part = message.get("body") or message.get("bytes") or message.get("text")
    return len(part) if part else 0


def _is_event_stream(message: Message) -> bool:
    for name, value in message.get("headers", ()):
        if value.startswith(_EVENT_STREAM) and name.lower() == b"content-type":
            return True
    return False


def _opening(asgi: Scope) -> Opening:
    route = _route(asgi)
    attributes: tuple[tuple[str, Any], ...] = ()
    if "method" in asgi:
        attributes += ((n.HTTP_METHOD, asgi["method"]),)
    if route:
        attributes += ((n.HTTP_ROUTE, route),)
    name = route or _endpoint(asgi) or asgi["type"]
    return Opening(n.SERVER, name, span_name="send response body", attributes=attributes)


def _route(asgi: Scope) -> str:
    """The route's template, never the path that was asked for: that may say anything."""
    with contained("reading a route"):
        path = getattr(asgi.get("route"), "path", "")
        return path if isinstance(path, str) else ""
    return ""


def _endpoint(asgi: Scope) -> str:
    """The name of the function that serves the route."""
    name = getattr(asgi.get("endpoint"), "__qualname__", "")
    return name if isinstance(name, str) else ""
