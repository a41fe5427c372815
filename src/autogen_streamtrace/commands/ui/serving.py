"""Runs the receivers and the page, until a signal ends them."""

import asyncio
import contextlib
import errno
import logging
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from autogen_streamtrace.commands.store.keeping import Bounds
from autogen_streamtrace.commands.store.reading import Readers
from autogen_streamtrace.commands.store.writing import Batch
from autogen_streamtrace.commands.ui import machine
from autogen_streamtrace.commands.ui.app import Views
from autogen_streamtrace.commands.ui.causes.kept import Causes
from autogen_streamtrace.commands.ui.guard import LOOPBACK, Guard
from autogen_streamtrace.commands.ui.live import Live
from autogen_streamtrace.commands.ui.receiving import grpc, http
from autogen_streamtrace.commands.ui.receiving.inlet import BusyError, Inlet
from autogen_streamtrace.commands.ui.status import store_status
from autogen_streamtrace.commands.ui.words.vocabulary import vocabulary
from autogen_streamtrace.limits import load

PAGE_PORT: Final = 4319
GRPC_PORT: Final = 4317
HTTP_PORT: Final = 4318
_DEAD_EVERY: Final = 1.0
"""Seconds between two looks for processes that have died."""
_CONNECTIONS: Final = 256
"""Connections to the page and the HTTP receiver, at most."""
_LAST: Final = 1
"""Seconds that open connections get at the end."""

logger = logging.getLogger(__name__)


class PortError(Exception):
    """A port cannot be had. The message names it and says what to do."""


@dataclass(frozen=True)
class Options:
    """What an operator chose."""

    host: str = "127.0.0.1"
    page_port: int = PAGE_PORT
    grpc_port: int = GRPC_PORT
    http_port: int = HTTP_PORT
    bounds: Bounds = field(default_factory=Bounds)
    limits: tuple[Path, ...] = ()
    recorder_dir: Path | None = None
    demo: bool = False
    version: str = ""

    @property
    def local(self) -> bool:
        """It listens on loopback alone."""
        return self.host in LOOPBACK


@dataclass(frozen=True)
class Addresses:
    """Where it listens."""

    page: str
    grpc: str
    http: str


Ready = Callable[[Addresses, Inlet], None]


async def serve(file: Path, options: Options, ready: Ready) -> None:
    """Serves until SIGINT or SIGTERM.

    Args:
        file: the store's file.
        options: what an operator chose.
        ready: called once it listens.

    Raises:
        PortError: a port cannot be had.
        sqlite3.Error: the store cannot be used.
    """
    token = "" if options.local else secrets.token_urlsafe(18)
    with contextlib.ExitStack() as stack:
        page = stack.enter_context(_listening(options.host, options.page_port, "the page", "--port"))
        receiver = stack.enter_context(
            _listening(options.host, options.http_port, "OTLP over HTTP", "--http-port", "http/protobuf")
        )
        inlet = Inlet(file, options.bounds)
        stack.callback(inlet.close)
        rpc, rpc_port = _rpc(inlet, options, token)
        addresses = _addresses(options.host, page, receiver, rpc_port, token)
        inlet.start()
        readers = Readers(file)
        stack.callback(readers.close)
        app = stack.enter_context(_app(file, options, inlet, readers, addresses, token, receiver))
        server = _Server(_config(app.asgi))
        server.end_by_signals(app.live.close)
        await rpc.start()
        try:
            async with _beside(app.live.run(), _bury(inlet, options)):
                ready(addresses, inlet)
                await server.serve(sockets=[page, receiver])
        finally:
            await rpc.stop(_LAST)


def _rpc(inlet: Inlet, options: Options, token: str) -> tuple[Any, int]:
    try:
        return grpc.server(inlet, options.host, options.grpc_port, token)
    except grpc.PortTakenError:
        raise PortError(taken(options.host, options.grpc_port, "OTLP over gRPC", "--grpc-port", "grpc")) from None


@dataclass(frozen=True)
class _Made:
    asgi: ASGIApp
    live: Live


@contextlib.contextmanager
def _app(
    file: Path,
    options: Options,
    inlet: Inlet,
    readers: Readers,
    addresses: Addresses,
    token: str,
    receiver: socket.socket,
) -> Iterator[_Made]:
    """The application of both ports: the page on its own, the receiver on the other."""
    causes = Causes(file, options.limits, lambda: inlet.generation)
    chosen = options.recorder_dir
    limits = load(*options.limits)
    live = Live(readers, chosen, lambda: inlet.trouble, causes.worst)
    meta = {
        "version": options.version,
        "demo": options.demo,
        "store": {"path": str(file)},
        "endpoints": {"grpc": addresses.grpc, "http": addresses.http},
        **vocabulary(limits),
    }
    views = Views(readers, live, causes, meta, limits, lambda: store_status(readers, inlet, options.bounds))
    hosts = LOOPBACK if options.local else ()
    page = Guard(views.app(), hosts, token, reads_only=True)
    otlp = Guard(Starlette(routes=http.routes(inlet)), hosts, token, reads_only=False)
    receiver_port = receiver.getsockname()[1]

    async def by_port(scope: Scope, receive: Receive, send: Send) -> None:
        port = (scope.get("server") or ("", 0))[1]
        await (otlp if port == receiver_port else page)(scope, receive, send)

    try:
        yield _Made(by_port, live)
    finally:
        causes.close()


class _Server(uvicorn.Server):
    """Ends by a signal, and does not raise that again: there is more to end than itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals alone."""
        yield

    def end_by_signals(self, first: Callable[[], None]) -> None:
        """SIGINT and SIGTERM call ``first`` and end it; a second SIGINT at once."""

        def end(number: int) -> None:
            first()
            self.handle_exit(number, None)

        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, end, each)


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        h11_max_incomplete_event_size=64 * 1024,
        timeout_graceful_shutdown=_LAST,
    )


@contextlib.contextmanager
def _listening(host: str, port: int, what: str, option: str, protocol: str = "") -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, port))
            made.listen(512)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortError(taken(host, port, what, option, protocol)) from None
            raise PortError(f"{host}:{port} for {what} cannot be had: {error.strerror}; choose {option}") from None
        made.setblocking(False)
        yield made


def taken(host: str, port: int, what: str, option: str, protocol: str = "") -> str:
    """What to say where something else listens on a port."""
    text = (
        f"{host}:{port} for {what} is taken: another `autogen-streamtrace ui`, a Collector, or another program listens"
        f" there. End it, or choose another port with {option}"
    )
    if not protocol:
        return f"{text}."
    endpoint = f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{host}:PORT OTEL_EXPORTER_OTLP_PROTOCOL={protocol}"
    return f"{text} and start the programs with {endpoint}."


def _addresses(host: str, page: socket.socket, receiver: socket.socket, rpc_port: int, token: str) -> Addresses:
    name = f"[{host}]" if ":" in host else host
    query = f"?token={token}" if token else ""
    return Addresses(
        f"http://{name}:{page.getsockname()[1]}/{query}",
        f"{name}:{rpc_port}",
        f"http://{name}:{receiver.getsockname()[1]}",
    )


@contextlib.asynccontextmanager
async def _beside(*coroutines: Any) -> AsyncIterator[None]:
    """Runs these beside, and ends them."""
    tasks = [asyncio.ensure_future(each) for each in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _bury(inlet: Inlet, options: Options) -> None:
    """Stores what the recorders of dead processes hold."""
    dead = machine.Dead(options.recorder_dir)
    while True:
        try:
            for batch in await asyncio.to_thread(lambda: list(dead.new())):
                inlet.put(partial(_same, batch), 0)
        except BusyError:
            pass
        except Exception:
            logger.warning("The recorders of dead processes could not be read.", exc_info=True)
        await asyncio.sleep(_DEAD_EVERY)


def _same(batch: Batch) -> Batch:
    return batch
