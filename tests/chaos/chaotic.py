"""The proxy in a thread, before an upstream on loopback; and what a plain client sees through it."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import h2.exceptions
import httpx

from autogen_streamtrace.commands.chaos.rules import Rule, Rules
from autogen_streamtrace.commands.chaos.server import listen
from autogen_streamtrace.commands.chaos.service import Service
from autogen_streamtrace.commands.chaos.tally import Done
from autogen_streamtrace.commands.chaos.wire.upstream import Upstream
from autogen_streamtrace.core.evidence.http import headers as parties
from autogen_streamtrace.core.evidence.http import refusals

CHAT: Final = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
WAIT: Final = 20.0


@dataclass(frozen=True)
class Proxy:
    """A proxy that is listening."""

    url: str
    service: Service
    loop: asyncio.AbstractEventLoop

    def last(self) -> Done:
        """Its last exchange, once the loop has finished with what it does now."""

        async def found() -> Done:
            return self.service.tally.done[-1]

        return asyncio.run_coroutine_threadsafe(found(), self.loop).result(WAIT)

    def ended(self) -> Done:
        """The same, once that is over."""
        give_up = time.monotonic() + WAIT
        while (done := self.last()).end == "open":
            assert time.monotonic() < give_up, "it never ended"
        return done


@contextmanager
def proxy(*rules: str, upstream: str = "", tls: ssl.SSLContext | None = None, ca: str = "") -> Iterator[Proxy]:
    """The proxy with these rules; without an upstream its own model answers."""
    service = Service(Rules([Rule.of(each) for each in rules]), Upstream.of(upstream, ca or None) if upstream else None)
    started: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        listener = await listen(service, "127.0.0.1", 0, tls)
        stop = asyncio.Event()
        started.set_result((listener.port, asyncio.get_running_loop(), stop))
        await stop.wait()
        await listener.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    port, loop, stop = started.result(WAIT)
    try:
        yield Proxy(f"{'https' if tls else 'http'}://127.0.0.1:{port}", service, loop)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(WAIT)


@dataclass(frozen=True)
class Seen:
    """What a client saw."""

    status: int
    headers: Any
    body: bytes
    error: str
    """The exception's type; empty where the body ended cleanly."""


def client(version: str = "1.1", **options: Any) -> httpx.Client:
    """A plain client that speaks one version of HTTP."""
    new = version == "2"
    return httpx.Client(trust_env=False, timeout=options.pop("timeout", WAIT), http1=not new, http2=new, **options)


def see(url: str, version: str = "1.1", asked: Any = None, **headers: str) -> Seen:
    """One streamed request."""
    return _seen(url, version, asked, headers, lambda: None)


def see_and(begun: Callable[[], object], url: str, version: str = "1.1") -> Seen:
    """One streamed request, during which something happens: once the first piece of the body is there."""
    return _seen(url, version, None, {}, begun)


def _seen(url: str, version: str, asked: Any, headers: Mapping[str, str], begun: Callable[[], object]) -> Seen:
    status, body, answered = 0, b"", httpx.Headers()
    with client(version) as http:
        try:
            with http.stream("POST", url, json=asked or CHAT, headers=headers) as response:
                status, answered = response.status_code, response.headers
                for piece in response.iter_raw():
                    if not body:
                        begun()
                    body += piece
        except httpx.HTTPError as error:
            return Seen(status, answered, body, type(error).__name__)
        except h2.exceptions.ProtocolError:  # what httpx lets through where bytes come behind a GOAWAY
            return Seen(status, answered, body, httpx.RemoteProtocolError.__name__)
    return Seen(status, answered, body, "")


class Look(NamedTuple):
    """What a client can tell of an answer."""

    status: int
    error: str
    intermediaries: tuple[str, ...]
    page: str
    words: int


def look(seen: Seen) -> Look:
    said = parties.of_response(seen.headers.raw)
    page = refusals.page(seen.status, seen.body, said.servers, said.own) if seen.status >= 400 else ""
    return Look(seen.status, seen.error, said.intermediaries, page, seen.body.count(b'"content"'))
