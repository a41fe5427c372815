"""The model's side: one connection for each request, over HTTP/1.1."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit

import httptools

from autogen_streamtrace.commands.chaos.wire.message import HOP_BY_HOP, Head, Lines, Request
from autogen_streamtrace.commands.chaos.wire.passage import Passage

CONNECT_LIMIT: Final = 20.0
"""Seconds to connect, TLS included."""
_ANOTHERS: Final = (62, 64)
"""What OpenSSL says of a certificate that is another host's (X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_MISMATCH)."""
_OURS: Final = (b"x-streamtrace-fault", b"host", b"content-length", b"expect")


class UpstreamError(Exception):
    """The upstream cannot be reached. The message names it, and says why."""


@dataclass(frozen=True)
class Upstream:
    """A model's endpoint."""

    url: str
    host: str
    port: int
    base: str
    """The path before that of each request."""
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, url: str, authorities: str | None = None) -> "Upstream":
        """Reads the URL of an endpoint.

        Args:
            url: http or https, with a path or without.
            authorities: a file of certificates to trust, beside the system's.

        Raises:
            ValueError: the URL or the file cannot be used; the message says why.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no http or https URL")
        if parts.query or parts.fragment or parts.username:
            raise ValueError(f"{url!r}: only scheme, host, port and path are allowed")
        tls = None
        if parts.scheme == "https":
            tls = ssl.create_default_context()
            tls.set_alpn_protocols(["http/1.1"])
            if authorities:
                try:
                    tls.load_verify_locations(authorities)
                except OSError as error:
                    raise ValueError(f"{authorities}: {error.strerror or error}") from None
        try:
            port = parts.port or (443 if tls else 80)
        except ValueError as error:
            raise ValueError(f"{url!r}: {error}") from None
        return cls(url, parts.hostname, port, parts.path.rstrip("/"), tls)

    async def check(self) -> None:
        """Connects once.

        Raises:
            UpstreamError: it cannot be reached.
        """
        transport, _ = await self._connect(asyncio.Protocol())
        transport.close()

    async def ask(self, request: Request, passage: Passage, *, plain: bool) -> asyncio.Transport:
        """Sends a request on; its answer goes into the passage as it comes.

        Args:
            request: as it came.
            passage: where the answer goes.
            plain: asks for a body that is not compressed.

        Raises:
            UpstreamError: it cannot be reached.
        """
        transport, _ = await self._connect(_Asked(self._bytes(request, plain), request.method == "HEAD", passage))
        return transport

    async def _connect(self, protocol: asyncio.Protocol) -> tuple[asyncio.Transport, asyncio.Protocol]:
        loop = asyncio.get_running_loop()
        name = self.host if self.tls else None
        connecting = loop.create_connection(lambda: protocol, self.host, self.port, ssl=self.tls, server_hostname=name)
        try:
            return await asyncio.wait_for(connecting, CONNECT_LIMIT)
        except asyncio.TimeoutError:
            raise UpstreamError(f"{self.url} did not answer within {CONNECT_LIMIT:g} s") from None
        except ssl.SSLCertVerificationError as error:
            problem = f"{self.url}: its certificate is not trusted ({error.verify_message})"
            more = "" if error.verify_code in _ANOTHERS else "; --ca FILE trusts one more"
            raise UpstreamError(problem + more) from None
        except ssl.SSLError as error:
            raise UpstreamError(f"{self.url}: no TLS ({error.reason or error})") from None
        except OSError as error:
            raise UpstreamError(f"{self.url} cannot be reached: {error.strerror or error}") from None

    def _bytes(self, request: Request, plain: bool) -> bytes:
        default = 443 if self.tls else 80
        host = self.host if self.port == default else f"{self.host}:{self.port}"
        drop = {*HOP_BY_HOP, *_OURS, *((b"accept-encoding",) if plain else ())}
        lines = [b"%b: %b" % line for line in request.headers if line[0].lower() not in drop]
        if plain:
            lines.append(b"accept-encoding: identity")
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            lines.append(b"content-length: %d" % len(request.body))
        first = f"{request.method} {self.base}{request.target} HTTP/1.1\r\nhost: {host}".encode("latin-1")
        return b"\r\n".join([first, *lines, b"connection: close", b"", request.body])


class _Asked(asyncio.Protocol):
    """One connection to the upstream."""

    def __init__(self, request: bytes, bodiless: bool, passage: Passage) -> None:
        self._request = request
        self._bodiless = bodiless
        self._passage = passage
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._headers: Lines = []
        self._reason = b""
        self._pieces: list[bytes] = []
        self._framed = False
        self._whole = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop has classes of its own
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()
            self._passage.broke("fin")
            return
        if self._pieces:
            self._passage.feed(b"".join(self._pieces))
            self._pieces.clear()
        if self._whole:
            self._passage.over()
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self._whole:
            return
        if error is None and self._headers and not self._framed:  # its end is the connection's
            self._passage.over()
        else:
            self._passage.broke("rst" if isinstance(error, ConnectionResetError) else "fin")

    # What httptools calls.

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._headers, self._reason = [], b""
            return
        names = {name.lower() for name, _ in self._headers}
        self._framed = bool(names & {b"content-length", b"transfer-encoding"})
        head = Head(status, [line for line in self._headers if line[0].lower() not in HOP_BY_HOP], self._reason)
        if not self._framed and status not in (204, 304):
            head.headers.append((b"connection", b"close"))
        self._passage.head(head)
        self._whole = self._bodiless

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        self._whole = self._parser.get_status_code() >= 200
