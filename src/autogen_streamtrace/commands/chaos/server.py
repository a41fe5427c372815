"""Listens for HTTP/1 and HTTP/2, with TLS or without."""

import asyncio
import logging
import ssl
from typing import Final, cast

from autogen_streamtrace.commands.chaos.wire.http1 import HTTP2_PREFACE, Http1
from autogen_streamtrace.commands.chaos.wire.sink import Answer

logger = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 5000


class _Connection(asyncio.Protocol):
    """A connection whose version of HTTP is not known yet."""

    def __init__(self, answer: Answer, open_: set[asyncio.Transport]) -> None:
        self._answer = answer
        self._open = open_
        self._transport: asyncio.Transport
        self._protocol: asyncio.Protocol | None = None
        self._start = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop has classes of its own
        if len(self._open) >= MAX_CONNECTIONS:
            self._transport.abort()
            return
        self._open.add(self._transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() == "h2":
            self._become_http2()

    def data_received(self, data: bytes) -> None:
        if self._protocol is None:
            self._start += data
            if HTTP2_PREFACE.startswith(self._start[: len(HTTP2_PREFACE)]) and len(self._start) < len(HTTP2_PREFACE):
                return
            if self._start.startswith(HTTP2_PREFACE):
                self._become_http2()
            else:
                self._become(Http1(self._answer))
            data, self._start = self._start, b""
        assert self._protocol is not None
        self._protocol.data_received(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self._transport)
        self._transport.close()  # on Python 3.10 one over TLS warns otherwise that nobody closed it
        if self._protocol is not None:
            self._protocol.connection_lost(error)

    def pause_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.resume_writing()

    def _become_http2(self) -> None:
        """h2 is needed for nothing else. Without it the connection is closed, as by a server without HTTP/2."""
        try:
            from autogen_streamtrace.commands.chaos.wire.http2 import Http2
        except ModuleNotFoundError:
            logger.error("a client speaks HTTP/2, for which h2 is missing: pip install 'autogen-streamtrace[chaos]'")
            self._become(Http1(self._answer))
        else:
            self._become(Http2(self._answer))

    def _become(self, protocol: asyncio.Protocol) -> None:
        self._protocol = protocol
        protocol.connection_made(self._transport)


class Listener:
    """A server that is listening."""

    def __init__(self, server: asyncio.Server, open_: set[asyncio.Transport]) -> None:
        self._server = server
        self._open = open_
        self.port: int = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, and cut what is still open."""
        self._server.close()
        for transport in list(self._open):
            transport.abort()
        await asyncio.sleep(0)  # asyncio tells the connections in the loop's next turn
        await asyncio.sleep(0)


async def listen(answer: Answer, host: str, port: int, tls: ssl.SSLContext | None = None) -> Listener:
    """Listens on an address; port 0 takes a free one.

    Raises:
        OSError: the address cannot be listened on.
    """
    open_: set[asyncio.Transport] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(answer, open_), host, port, ssl=tls, backlog=1024)
    return Listener(server, open_)


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """What a server needs to speak TLS, with HTTP/2 on offer.

    Raises:
        OSError: a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context
