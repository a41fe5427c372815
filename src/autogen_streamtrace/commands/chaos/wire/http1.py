"""The client's side over HTTP/1. What goes out is written here, byte for byte; httptools reads what comes in."""

import asyncio
from collections import deque
from dataclasses import replace
from typing import Final, cast

import httptools

from autogen_streamtrace.commands.chaos.wire.message import HOP_BY_HOP, Cut, Head, Lines, Request
from autogen_streamtrace.commands.chaos.wire.sink import Answer, Valve, open_valve, reset

MAX_BODY: Final = 64 * 2**20
MAX_HEADERS: Final = 64 * 2**10
MAX_WAITING: Final = 16
"""Requests that may wait on one connection for their turn."""
IDLE_LIMIT: Final = 75.0
"""Seconds for which a connection is kept for the next request."""
HTTP2_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_TOO_LARGE: Final = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_UNREADABLE: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_NO_UPGRADE: Final = b"HTTP/1.1 501 Not Implemented\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Http1(asyncio.Protocol):
    """One connection: its requests are answered one after the other."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._came = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._sink: _Exchange | None = None
        self._target = b""
        self._headers: Lines = []
        self._body: list[bytes] = []
        self._size = 0

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop has classes of its own
        self._task = asyncio.get_running_loop().create_task(self._converse())

    def connection_lost(self, error: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._turn_away(_NO_UPGRADE)
        except httptools.HttpParserCallbackError:
            self._turn_away(_TOO_LARGE)
        except httptools.HttpParserError:
            self._turn_away(_UNREADABLE)

    def pause_writing(self) -> None:
        if self._sink is not None:
            self._sink.valve(False)

    def resume_writing(self) -> None:
        if self._sink is not None:
            self._sink.valve(True)

    # What httptools calls.

    def on_message_begin(self) -> None:
        self._target, self._headers, self._body, self._size = b"", [], [], 0

    def on_url(self, part: bytes) -> None:
        self._target += part
        self._counted(len(part), MAX_HEADERS)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        self._counted(len(name) + len(value), MAX_HEADERS)

    def on_headers_complete(self) -> None:
        self._size = 0
        if any(name.lower() == b"expect" for name, _ in self._headers):
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        self._body.append(part)
        self._counted(len(part), MAX_BODY)

    def on_message_complete(self) -> None:
        request = Request(
            self._parser.get_method().decode("latin-1"),
            self._target.decode("latin-1"),
            self._parser.get_http_version(),
            self._headers,
            b"".join(self._body),
        )
        if len(self._waiting) >= MAX_WAITING:
            self._transport.abort()
            return
        self._waiting.append((request, self._parser.should_keep_alive()))
        self._came.set()

    def _counted(self, size: int, most: int) -> None:
        self._size += size
        if self._size > most:
            raise ValueError(f"more than {most} bytes")

    def _turn_away(self, answer: bytes) -> None:
        if self._sink is None:
            self._transport.write(answer)
        self._transport.close()

    async def _converse(self) -> None:
        """Answer one request after the other until one cuts the connection or the client leaves."""
        loop = asyncio.get_running_loop()
        idle_since: float | None = None
        while await self._next_came():
            request, keep = self._waiting.popleft()
            if idle_since is not None:
                request = replace(request, idle=loop.time() - idle_since)
            self._sink = sink = _Exchange(self._transport, request)
            await self._answer(request, sink)
            self._sink = None
            if not sink.ended:
                sink.cut("fin")
            if sink.closing or not keep:
                break
            idle_since = loop.time()
        self._transport.close()

    async def _next_came(self) -> bool:
        """A request has come; False where none does in time."""
        while not self._waiting:
            self._came.clear()
            try:
                await asyncio.wait_for(self._came.wait(), IDLE_LIMIT)
            except asyncio.TimeoutError:
                return False
        return True


class _Exchange:
    """One answer on a connection of HTTP/1."""

    def __init__(self, transport: asyncio.Transport, request: Request) -> None:
        self.valve: Valve = open_valve
        self.ended = False
        self.closing = False
        """The connection serves no other request."""
        self._transport = transport
        self._bodiless = request.method == "HEAD"
        self._old = request.version == "1.0"
        self._framed = False

    def begin(self, head: Head) -> None:
        self._bodiless = self._bodiless or head.status in (204, 304)
        sized = bool(head.value(b"content-length"))
        self.closing = head.value(b"connection").lower() == b"close" or (self._old and not sized)
        self._framed = not (self._bodiless or sized or self.closing)
        lines = [(b"%s: %s" % line) for line in head.headers if line[0].lower() not in HOP_BY_HOP]
        if self._framed:
            lines.append(b"transfer-encoding: chunked")
        if self.closing:
            lines.append(b"connection: close")
        self._transport.write(b"\r\n".join([b"HTTP/1.1 %d %s" % (head.status, head.reason), *lines, b"", b""]))

    def write(self, data: bytes) -> None:
        if not data or self._bodiless or self._transport.is_closing():  # an empty chunk would end the body
            return
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._framed else data)

    def end(self) -> None:
        if self._framed:
            self._transport.write(b"0\r\n\r\n")
        self.ended = True

    def cut(self, how: Cut) -> None:
        self.ended = self.closing = True
        if how == "rst":
            reset(self._transport)
        else:
            self._transport.close()
