"""A model server on loopback, in the formats of three providers. The URL sets what it does to its streams.

with ModelServer() as server:
    client = AsyncOpenAI(api_key="none", base_url=server.url("stall"))
    client = AsyncAnthropic(api_key="none", base_url=server.root("stall"))
    client = ollama.AsyncClient(server.root("stall"))
"""

import asyncio
import json
import re
import threading
from collections import Counter
from concurrent.futures import Future
from types import TracebackType
from typing import Final, cast

from autogen_streamtrace.commands.demo.faults import FAULTS
from autogen_streamtrace.commands.demo.reply import Api, Reply, Request

HOST: Final = "127.0.0.1"
ENDPOINT: Final = re.compile(
    r"(?:/v1|/openai/deployments/[^/]+)?/chat/(?P<completions>completions)(?:\?.*)?$|/v1/(?P<messages>messages)$|/api/(?P<chat>chat)$"
)
"""What follows the fault in a path: OpenAI's and Azure's, Anthropic's, Ollama's."""
MAX_BODY: Final = 8 * 2**20
MAX_CONNECTIONS: Final = 2000
MAX_PATHS: Final = 10_000
"""How many paths' attempts are remembered."""
IDLE_LIMIT: Final = 30.0
START_LIMIT: Final = 10.0


class ModelServer:
    """Serves `/<fault>[/<argument>…]/v1/chat/completions` from a daemon thread and event loop of its own."""

    def __init__(self) -> None:
        self.port = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._attempts: Counter[str] = Counter()
        self._requests = 0

    def url(self, fault: str, *arguments: object) -> str:
        """The base URL, as OpenAI's client wants it, under which every stream suffers this fault."""
        return f"{self.root(fault, *arguments)}/v1"

    def root(self, fault: str, *arguments: object) -> str:
        """The same as the other clients want it."""
        if fault not in FAULTS:
            raise ValueError(f"unknown fault {fault!r}; known are {', '.join(FAULTS)}")
        path = "/".join([fault, *map(str, arguments)])
        return f"http://{HOST}:{self.port}/{path}"

    def start(self) -> "ModelServer":
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="model-server", daemon=True)
        self._thread.start()
        started.result(START_LIMIT)
        return self

    def stop(self) -> None:
        """Cut what is still open, and end the thread."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        thread.join(START_LIMIT)

    def __enter__(self) -> "ModelServer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, started: "Future[None]") -> None:
        try:
            asyncio.run(self._serve(started))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(self, started: "Future[None]") -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set_result(None)
        await self._stop.wait()
        server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        connection = asyncio.ensure_future(self._converse(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after the other until a fault cuts the connection or the client leaves."""
        try:
            while await self._answer(reader, writer):
                pass
            writer.close()
        except (ConnectionError, EOFError, ValueError, asyncio.LimitOverrunError, asyncio.TimeoutError):
            writer.transport.abort()  # a client that vanished, idled or does not speak HTTP
        except asyncio.CancelledError:
            writer.transport.abort()
            raise

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection may serve another."""
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE_LIMIT)
        line, *fields = head.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        size = int(headers.get("content-length", 0))
        if size > MAX_BODY:
            raise ValueError(f"a body of {size} bytes")
        body = await reader.readexactly(size)
        reply = Reply(self._request(target, body), reader, writer)
        if method != "POST" or not ENDPOINT.search(target) or reply.request.fault not in FAULTS:
            await reply.refuse(404)
        else:
            await FAULTS[reply.request.fault](reply)
        return reply.ended and headers.get("connection", "").lower() != "close"

    def _request(self, target: str, body: bytes) -> Request:
        if len(self._attempts) >= MAX_PATHS:
            self._attempts.clear()
        self._attempts[target] += 1
        self._requests += 1
        asked = ENDPOINT.search(target)
        api = cast(Api, asked.lastgroup) if asked else "completions"
        fault, *arguments = ENDPOINT.sub("", target).strip("/").split("/")
        read = json.loads(body or b"{}")
        return Request(api, fault, tuple(arguments), self._attempts[target], self._requests, read)
