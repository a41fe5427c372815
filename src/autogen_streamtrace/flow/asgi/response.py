"""Layer ``server``: the ASGI response or WebSocket that carries a stream to an end user.

It becomes a stream once another stream starts inside it, or once it sends an event stream. Other requests are not
watched.
Source: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

import functools
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from types import ModuleType
from typing import Any, Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import contained, report
from autogen_streamtrace.core.evidence import causes, end_users, sends
from autogen_streamtrace.core.evidence.http import headers
from autogen_streamtrace.core.evidence.http.exchange import Exchange
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.stream import scope
from autogen_streamtrace.core.stream.state import How, StreamInfo, StreamState, clock
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.core.watching.supervision import process as supervision

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SEEN: Final = "autogen_streamtrace.seen"
"""A key of ``scope`` that marks a watched request: a mounted application is called inside the one that mounts it."""
_EVENT_STREAM: Final = b"text/event-stream"
_OVER: Final[Scope] = {"type": ""}
end_users.exchanges.add(__name__)
_SERVICE_RESTART: Final = 1012
"""The code with which a server closes its WebSockets when it shuts down.

Source: https://www.iana.org/assignments/websocket/websocket.xhtml
"""


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches every application of ``starlette.applications``, FastAPI's included, whenever it was built."""

    def watching(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def __call__(self: Any, scope: Scope, receive: Receive, send: Send) -> None:
            exchange = enter(tracker, scope, receive, send)
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


async def serve(tracker: StreamTracker, app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Calls any application and watches its responses, as ``apply`` does."""
    exchange = enter(tracker, scope, receive, send)
    if exchange is None:
        await app(scope, receive, send)
        return
    try:
        await app(scope, exchange.receive, exchange.send)
    except BaseException as error:
        exchange.leave(error)
        raise
    exchange.leave(None)


def enter(tracker: StreamTracker, asgi: Scope, receive: Receive, send: Send) -> "_Exchange | None":
    """Starts to watch a request. None where there is nothing to watch, or the request is watched already."""
    if asgi["type"] not in ("http", "websocket") or _SEEN in asgi:
        return None
    asgi[_SEEN] = True
    exchange = _Exchange(tracker, asgi, receive, send)
    scope.deferred.set(exchange)
    return exchange


class _Exchange(scope.Deferred):
    """One request and its response, or one WebSocket. The application sees every message as it would without us."""

    __slots__ = (
        "_asgi",
        "_before",
        "_complete",
        "_over",
        "_receive",
        "_send",
        "_shutdown",
        "_start",
        "_status",
        "_tracker",
        "end_user_gone",
    )

    def __init__(self, tracker: StreamTracker, asgi: Scope, receive: Receive, send: Send) -> None:
        self.state = None
        self._before = scope.deferred.get()
        self._tracker = tracker
        self._asgi = asgi
        self._receive = receive
        self._send = send
        self._start = clock()
        self._status = 0
        self.end_user_gone = self._shutdown = False
        """The end user's connection is gone · because the server shuts down."""
        self._complete = False
        """The server has all of the response, or the application closed the WebSocket."""
        self._over = False

    def open(self) -> StreamState | None:
        """Makes it a stream that started when the request came."""
        if self._over or self._complete:
            return None
        state = self._tracker.begin(_info(self._asgi), scope.outside, self._start)
        if state is not None:
            state.status = self._status or None
            self.state = state
            with contained("reading a request's headers"):
                state.exchange = Exchange(headers.of_request(self._asgi.get("headers", ())))
            if self.end_user_gone:
                self._tracker.client_gone(state, idle=False, shutdown=self._shutdown)
        return state

    async def receive(self) -> Message:
        """The application's ``receive``. It passes messages on as they are, and asks for none on its own."""
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
        state = self.state
        try:
            kind = message["type"]
            if kind == "http.response.body":
                last = not message.get("more_body", False)
            else:
                last = self._notes(kind, message)
                state = self.state
                message = self._passing(message)
        except Exception as defect:
            report("reading a message to the end user", defect)
        if last:
            self._complete = True  # before the send: http.disconnect may come as soon as the server has the message
        if state is None:
            await self._send(message)
        else:
            await self._pass_on(state, message, last)

    def _notes(self, kind: str, message: Message) -> bool:
        """Reads a message that is no part of a body; returns whether it is the last one."""
        if kind == "http.response.start":
            self._status = message["status"]
            if self.state is not None:
                self.state.status = self._status
            headers = message.get("headers", ())
            if not isinstance(headers, Iterator) and self._opens_with(headers):
                self.open()
        elif kind == "websocket.send" and self.state is None:
            self.open()
        if kind in ("http.response.zerocopysend", "websocket.http.response.body"):
            return not message.get("more_body", False)
        return kind in ("http.response.pathsend", "websocket.close")

    def _passing(self, message: Message) -> Message:
        """The message for the server. Headers that can be iterated only once are noted while the server reads them."""
        headers = message.get("headers")
        if not isinstance(headers, Iterator):
            return message
        return {**message, "headers": self._noting(headers)}

    def _noting(self, headers: Iterator[Any]) -> Iterator[Any]:
        for header in headers:
            with contained("reading a header"):
                if self._opens_with([header]):
                    self.open()
            yield header

    def _opens_with(self, headers: Iterable[Any]) -> bool:
        """Reads the headers of a response, which may make it a stream."""
        return self.state is None and self._asgi.get("method") != "HEAD" and _is_event_stream(headers)

    async def _pass_on(self, state: StreamState, message: Message, last: bool) -> None:
        size = _size(message)
        now = clock()
        if size:
            _arrived(state, size, now)
        try:
            await self._send(message)
        except BaseException as error:
            self._complete = self._complete and not last
            if isinstance(error, OSError) or end_users.closes(error):  # since ASGI 2.4 a lost connection is the first
                self._lost(shutdown=self._socket and self._tracker.loops.shutting_down(state.loop))
            elif sends.gives_up(error, clock() - now):
                self._lost()
            raise
        done = clock()
        if size:
            state.asked = done
            state.caller_time += done - now
        if done - now > state.longest_send:
            state.longest_send = done - now
        if last and not self._failed:
            self._finish("returned")

    @property
    def _socket(self) -> bool:
        return bool(self._asgi["type"] == "websocket")

    @property
    def _failed(self) -> bool:
        """Whether the response says that the application failed. Only its exception says why."""
        return self._status >= 500

    def leave(self, error: BaseException | None) -> None:
        """Takes the end of the application's call."""
        scope.deferred.set(self._before)
        self._over = True
        if error is not None and not self._socket and causes.read(error).kind == "gone":
            self._lost()
        if error is None or (self._complete and not self._failed):
            self._finish("returned")
        else:
            self._finish("raised", error)
        self._asgi = _OVER  # a task that was started here refers to this as long as it lives

    def _finish(self, how: How, error: BaseException | None = None) -> None:
        state, self.state = self.state, None
        if state is not None:
            state.terminal = self._complete or self._socket
            self._tracker.end(state, how, error)

    def _lost(self, *, shutdown: bool = False) -> None:
        if not self.end_user_gone:
            self.end_user_gone, self._shutdown = True, shutdown
            if self.state is not None:
                self._tracker.client_gone(self.state, idle=self._socket, shutdown=shutdown)


def _arrived(state: StreamState, size: int, now: float) -> None:
    """Takes a piece that the application sends."""
    state.chunks += 1
    state.size += size
    state.last = now
    if state.chunks == 1:
        state.first = now
    elif now - state.asked > state.longest_gap:
        state.longest_gap = now - state.asked


def _size(message: Message) -> int:
    """The size of a message to the end user: bytes, or characters where it is text."""
    part = message.get("body") or message.get("bytes") or message.get("text")
    return len(part) if part else 0


def _is_event_stream(headers: Iterable[Any]) -> bool:
    return any(value.startswith(_EVENT_STREAM) and name.lower() == b"content-type" for name, value in headers)


def _info(asgi: Scope) -> StreamInfo:
    route = _route(asgi)
    attributes: tuple[tuple[str, Any], ...] = ()
    if "method" in asgi:
        attributes += ((sc.HTTP_METHOD, asgi["method"]),)
    if route:
        attributes += ((sc.HTTP_ROUTE, route),)
    with contained("asking how the server lets go"):
        if (grace := supervision.disconnect_grace) is not None:
            attributes += ((sc.A_DISCONNECT_GRACE, grace),)
    name = route or _endpoint(asgi) or asgi["type"]
    return StreamInfo(sc.SERVER, name, span_name="send response body", attributes=attributes)


def _route(asgi: Scope) -> str:
    """The route's template, never the requested path, which may contain anything."""
    with contained("reading a route"):
        path = getattr(asgi.get("route"), "path", "")
        return path if isinstance(path, str) else ""
    return ""


def _endpoint(asgi: Scope) -> str:
    name = getattr(asgi.get("endpoint"), "__qualname__", "")
    return name if isinstance(name, str) else ""
