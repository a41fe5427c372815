"""A program that reads a reply through an SDK, and everything that it notices. It is played bare and watched."""

import asyncio
import contextlib
import gc
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import anthropic
import ollama
import openai
from harness.program import TLS
from sdks.asking import MESSAGES

LIMIT: Final = 10.0
"""Seconds after which a read hangs."""
_ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+|127\.0\.0\.1:\d+|'date': '[^']*'")

ASKED: Final[dict[str, dict[str, Any]]] = {
    "chat": {"model": "m", "messages": MESSAGES},
    "responses": {"model": "m", "input": "Where is my claim?"},
    "messages": {"model": "m", "messages": MESSAGES, "max_tokens": 9},
    "ollama": {"model": "m", "messages": MESSAGES},
}
FINALS: Final = ("get_final_completion", "get_final_response", "get_final_message")


class MishapError(BaseException):
    """The program's own, which no SDK catches."""


@dataclass(frozen=True)
class Program:
    """One program."""

    api: str
    way: str = "streamed"
    """streamed · raw · streaming · helper · whole."""
    synchronous: bool = False
    moves: tuple[str, ...] = ("rest",)
    """What its reader does: next · some · rest · block · mishap · close · shut · both · final · again · drop."""


class Notes:
    """What the program noticed, in order."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    def note(self, *what: Any) -> None:
        self.log.append(tuple(_ADDRESS.sub("", each if isinstance(each, str) else _plain(each)) for each in what))

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step that may raise."""
        try:
            yield
        except BaseException as error:
            self.note(name, "raised", *_chain(error))
            error.__traceback__ = None


def _plain(item: Any) -> str:
    return f"{type(item).__module__}.{type(item).__qualname__} {item!r}"


def _chain(error: BaseException | None, depth: int = 6) -> Iterator[str]:
    """Type, arguments and status of an exception, and of those below it."""
    while error is not None and depth:
        yield f"{_plain(error)} {error} {getattr(error, 'status_code', None)} {error.__suppress_context__}"
        error, depth = error.__cause__ or error.__context__, depth - 1


def play(program: Program, url: str) -> list[Any]:
    """What the program notices of the reply at this URL."""
    notes = Notes()
    if program.synchronous:
        with notes.step("program"), _client(program.api, url, synchronous=True) as client:
            _Sync(notes, program, client).play()
        gc.collect()
    else:
        asyncio.run(_asynchronous(notes, program, url))
    return notes.log


async def _asynchronous(notes: Notes, program: Program, url: str) -> None:
    def complain(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        notes.note("event loop", context["message"], *_chain(context.get("exception")))

    asyncio.get_running_loop().set_exception_handler(complain)
    with notes.step("program"):
        async with _client(program.api, url, synchronous=False) as client:
            await asyncio.wait_for(_Async(notes, program, client).play(), LIMIT)
    gc.collect()


def _client(api: str, url: str, *, synchronous: bool) -> Any:
    """A client that shares its TLS settings, which take long to make, and tries once."""
    if api == "ollama":
        return _ollama(url) if synchronous else _async_ollama(url)
    sdk: Any = anthropic if api == "messages" else openai
    options: dict[str, Any] = {"api_key": "none", "max_retries": 0, "timeout": LIMIT}
    options["base_url"] = url if api == "messages" else f"{url}/v1"
    if synchronous:
        make = sdk.Anthropic if api == "messages" else sdk.OpenAI
        return make(http_client=sdk.DefaultHttpxClient(verify=TLS), **options)
    make = sdk.AsyncAnthropic if api == "messages" else sdk.AsyncOpenAI
    return make(http_client=sdk.DefaultAsyncHttpxClient(verify=TLS), **options)


@contextlib.contextmanager
def _ollama(url: str) -> Iterator[Any]:
    client = ollama.Client(url, verify=TLS)
    with client._client:
        yield client


@contextlib.asynccontextmanager
async def _async_ollama(url: str) -> AsyncIterator[Any]:
    client = ollama.AsyncClient(url, verify=TLS)
    async with client._client:
        yield client


def _place(program: Program, client: Any) -> Any:
    """The object whose methods ask."""
    place = {"chat": lambda: client.chat.completions, "responses": lambda: client.responses}.get(program.api)
    found = place() if place else client.messages if program.api == "messages" else client
    if program.way == "raw":
        return found.with_raw_response
    return found.with_streaming_response if program.way == "streaming" else found


def _ask(program: Program, client: Any) -> Any:
    """What the SDK's method returns."""
    place, asked = _place(program, client), ASKED[program.api]
    if program.way == "helper":
        return place.stream(**asked)
    method: Callable[..., Any] = place.chat if program.api == "ollama" else place.create
    return method(**asked, stream=program.way != "whole")


class _Player:
    """Plays the moves over one stream."""

    def __init__(self, notes: Notes, program: Program, client: Any) -> None:
        self.notes, self.program, self.client = notes, program, client
        self.stream: Any = None

    def looked_at(self) -> None:
        """What the program can see of the stream itself."""
        stream = self.stream
        response = getattr(stream, "response", None)
        seen = [str(getattr(response, name, None)) for name in ("status_code", "is_closed", "is_stream_consumed")]
        self.notes.note("stream", f"{type(stream).__module__}.{type(stream).__qualname__}", *seen)

    def drop(self) -> None:
        self.stream = None
        gc.collect()


class _Sync(_Player):
    def play(self) -> None:
        with self.notes.step("ask"):
            self.stream = _ask(self.program, self.client)
        if self.stream is None:
            return
        with self.notes.step("open"):
            if self.program.way == "raw":
                self.notes.note("raw", self.stream.headers.get("content-type", ""))
                self.stream = self.stream.parse()
            elif self.program.way in ("streaming", "helper"):
                manager, self.stream = self.stream, None
                with manager as opened:
                    self.stream = opened.parse() if self.program.way == "streaming" else opened
                    self.moves()
                return
            self.moves()

    def moves(self) -> None:
        for move in self.program.moves:
            if self.stream is not None:
                with self.notes.step(move):
                    getattr(self, move)()
                self.looked_at()

    def next(self) -> None:
        self.notes.note("next", next(self.stream))

    def some(self, count: int = 2) -> None:
        for item in self.stream:
            self.notes.note("for", item)
            count -= 1
            if not count:
                break

    def rest(self) -> None:
        for item in self.stream:
            self.notes.note("for", item)

    again = rest

    def block(self) -> None:
        with self.stream as stream:
            self.notes.note("block", str(stream is self.stream))
            self.some()

    def mishap(self) -> None:
        with self.stream:
            self.some(1)
            raise MishapError("of the program")

    def close(self) -> None:
        self.notes.note("close", self.stream.close())

    def shut(self) -> None:
        """Closes the response below."""
        self.notes.note("shut", self.stream.response.close())

    def final(self) -> None:
        name = next((each for each in FINALS if hasattr(self.stream, each)), "read")
        self.notes.note(name, getattr(self.stream, name)())

    def both(self) -> None:
        """Two loops at once."""
        first, second = iter(self.stream), iter(self.stream)
        self.notes.note("first", next(first))
        self.notes.note("second", next(second))


class _Async(_Player):
    async def play(self) -> None:
        with self.notes.step("ask"):
            asked = _ask(self.program, self.client)
            self.stream = await asked if hasattr(asked, "__await__") else asked
        if self.stream is None:
            return
        with self.notes.step("open"):
            if self.program.way == "raw":
                self.notes.note("raw", self.stream.headers.get("content-type", ""))
                parsed = self.stream.parse()
                self.stream = await parsed if hasattr(parsed, "__await__") else parsed  # since anthropic 1
            elif self.program.way in ("streaming", "helper"):
                manager, self.stream = self.stream, None
                async with manager as opened:
                    self.stream = await opened.parse() if self.program.way == "streaming" else opened
                    await self.moves()
                return
            await self.moves()

    async def moves(self) -> None:
        for move in self.program.moves:
            if self.stream is not None:
                with self.notes.step(move):
                    if move == "drop":
                        self.drop()
                    else:
                        await getattr(self, move)()
                self.looked_at()

    async def next(self) -> None:
        self.notes.note("next", await self.stream.__anext__())

    async def some(self, count: int = 2) -> None:
        async for item in self.stream:
            self.notes.note("for", item)
            count -= 1
            if not count:
                break

    async def rest(self) -> None:
        async for item in self.stream:
            self.notes.note("for", item)

    again = rest

    async def block(self) -> None:
        async with self.stream as stream:
            self.notes.note("block", str(stream is self.stream))
            await self.some()

    async def mishap(self) -> None:
        async with self.stream:
            await self.some(1)
            raise MishapError("of the program")

    async def close(self) -> None:
        self.notes.note("close", await self.stream.close())

    async def shut(self) -> None:
        """Closes the response below."""
        self.notes.note("shut", await self.stream.response.aclose())

    async def final(self) -> None:
        name = next((each for each in FINALS if hasattr(self.stream, each)), "read")
        self.notes.note(name, await getattr(self.stream, name)())

    async def both(self) -> None:
        """Two tasks ask at once."""
        tasks = [asyncio.ensure_future(_awaited(self.stream.__anext__)) for _ in range(2)]
        for task in tasks:
            with self.notes.step("task"):
                self.notes.note("task", await task)


async def _awaited(ask: Callable[[], Any]) -> Any:
    return await ask()
