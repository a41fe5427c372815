"""A model server on loopback, in the formats of four providers. The URL sets what it does to its streams.

with ModelServer() as server:
    client = AsyncOpenAI(api_key="none", base_url=server.url("stall"))
    client = AsyncAnthropic(api_key="none", base_url=server.root("stall"))
    client = ollama.AsyncClient(server.root("stall"))
    client = genai.Client(api_key="none", http_options={"base_url": server.root("stall")})
"""

import asyncio
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Final

from autogen_streamtrace.commands.chaos.faults import FAULTS
from autogen_streamtrace.commands.chaos.model.manners import MANNERS
from autogen_streamtrace.commands.chaos.rules import Rule, Rules
from autogen_streamtrace.commands.chaos.server import listen
from autogen_streamtrace.commands.chaos.service import Service

HOST: Final = "127.0.0.1"
HOLD_LIMIT: Final = 30.0
"""How long a silent reply waits for its client to go away, in seconds."""
START_LIMIT: Final = 10.0


class ModelServer:
    """Serves ``/<fault or manner>[/<argument>…]/v1/…`` from a daemon thread and an event loop of its own."""

    def __init__(self) -> None:
        self.port = 0
        self.service = Service(hold_limit=HOLD_LIMIT)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def requests(self) -> int:
        """How many requests it has had."""
        return self.service.tally.count

    def suffer(self, *faults: str, seed: int = 0) -> None:
        """Sets what it does to requests whose path names nothing, such as ``stall after=2s every=3``.

        Args:
            faults: as the command `chaos` takes them; the first that strikes counts. Without any, replies pass.
            seed: of their dice.

        Raises:
            RuleError: a fault cannot be used; the message says what is allowed.
        """
        self.service.rules = Rules([Rule.of(each) for each in faults], seed)

    def url(self, name: str = "", *arguments: object) -> str:
        """The base URL, as OpenAI's client wants it, under which every stream suffers this fault."""
        return f"{self.root(name, *arguments)}/v1"

    def root(self, name: str = "", *arguments: object) -> str:
        """The same as the other clients want it."""
        if name and name not in FAULTS and name not in MANNERS:
            raise ValueError(f"unknown manner or fault {name!r}; known are {', '.join([*MANNERS, *FAULTS])}")
        return "/".join([f"http://{HOST}:{self.port}", *filter(None, [name]), *map(str, arguments)])

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
        listener = await listen(self.service, HOST, 0)
        self.port = listener.port
        started.set_result(None)
        await self._stop.wait()
        await listener.close()
