"""Layer ``http``: an exchange of httpx or httpx2, from sending the request to the end of its body."""

import functools
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping
from types import ModuleType
from typing import Any

from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled

from ..core import headers
from ..core import names as n
from ..core.contain import contained
from ..core.ledger import Ledger
from ..core.loops import prime
from ..core.patcher import Patcher
from ..core.record import Opening, Record, clock
from ..core.wire import TAIL, Tail


def apply(module: ModuleType, patcher: Patcher, ledger: Ledger) -> None:
    """Watches the transports of ``httpx`` or ``httpx2``."""
    bodies = _bodies(module, ledger)

    def asynchronous(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def handle_async_request(self: Any, request: Any) -> Any:
            record = _begin(ledger, request)
            if record is None:
                return await original(self, request)
            try:
                response = await original(self, request)
            except BaseException as error:
                ledger.end(record, "raised", error)
                raise
            _watch_body(record, response, bodies[0])
            return response

        return handle_async_request

    def synchronous(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def handle_request(self: Any, request: Any) -> Any:
            record = _begin(ledger, request)
            if record is None:
                return original(self, request)
            try:
                response = original(self, request)
            except BaseException as error:
                ledger.end(record, "raised", error)
                raise
            _watch_body(record, response, bodies[1])
            return response

        return handle_request

    patcher.innermost(module.AsyncHTTPTransport, "handle_async_request", asynchronous)
    patcher.innermost(module.HTTPTransport, "handle_request", synchronous)


def _begin(ledger: Ledger, request: Any) -> Record | None:
    if not is_http_instrumentation_enabled():
        return None
    with contained("reading a request"):
        url = request.url
        record = ledger.begin(_opening(url.host, url.port, request.method))
        if record is not None:
            record.timeouts = request.extensions.get("timeout")
        return record
    return None


@functools.lru_cache(maxsize=256)
def _opening(host: str, port: int | None, method: str) -> Opening:
    """The same for every exchange with a server: an open one then takes no memory of its own for it."""
    attributes: tuple[tuple[str, Any], ...] = ((n.SERVER_ADDRESS, host), (n.HTTP_METHOD, method))
    if port is not None:
        attributes += ((n.SERVER_PORT, port),)
    return Opening(n.HTTP, host, span_name="http exchange", attributes=attributes)


def _watch_body(record: Record, response: Any, body: Callable[[Any, Record], Any]) -> None:
    with contained("watching a body"):
        record.status = response.status_code
        found = headers.read(response.headers.raw)
        record.intermediary = headers.intermediary(found)
        record.request_ids = headers.request_ids(found)
        if record.parent is not None and record.parent.layer == n.MODEL and _is_text(found):
            record.tail = Tail(found.get("content-encoding", ""))
        response.stream = body(response.stream, record)
        record.asked = 0.0  # the reader has the response; it has yet to ask for the body


def _is_text(found: Mapping[str, str]) -> bool:
    """Bedrock's event streams are frames with checksums, of which no end can be read."""
    return "vnd.amazon.eventstream" not in found.get("content-type", "")


def _bodies(module: ModuleType, ledger: Ledger) -> tuple[Callable[[Any, Record], Any], Callable[[Any, Record], Any]]:
    """The two body classes, as subclasses of this client's own, which it checks for."""

    class AsyncBody(module.AsyncByteStream):  # type: ignore[misc, name-defined]
        """A body that notes what is read. Its record belongs to it, not to an iterator: it may be iterated twice."""

        def __init__(self, stream: Any, record: Record) -> None:
            self._stream = stream
            self._record = record

        def __aiter__(self) -> AsyncIterator[bytes]:
            alive: list[Callable[[], object | None]] = []
            reader = _read(ledger, self._record, self._stream.__aiter__(), alive)
            alive.append(weakref.ref(reader))
            prime(reader)
            return reader

        async def aclose(self) -> None:
            if self._record.closed:
                await self._stream.aclose()
                return
            _left(ledger, self._record, over=False)
            try:
                await self._stream.aclose()
            finally:
                ledger.over(self._record)

        def __del__(self) -> None:
            ledger.end(self._record, "closed")

    class Body(module.SyncByteStream):  # type: ignore[misc, name-defined]
        """The same, read synchronously."""

        def __init__(self, stream: Any, record: Record) -> None:
            self._stream = stream
            self._record = record

        def __iter__(self) -> Iterator[bytes]:
            return _read_sync(ledger, self._record, self._stream)

        def close(self) -> None:
            _left(ledger, self._record)
            self._stream.close()

        def __del__(self) -> None:
            ledger.end(self._record, "closed")

    return AsyncBody, Body


def _left(ledger: Ledger, record: Record, *, over: bool = True) -> None:
    """The reader closes the body, or drops it."""
    if record.chunks and record.held and not record.closed:
        record.caller_time += clock() - record.last
    ledger.end(record, "closed", over=over)


def _count(record: Record, part: bytes, asked: float) -> float:
    """Notes what was read; returns when. The asynchronous reader has it inline."""
    now = clock()
    record.chunks += 1
    record.last = now
    record.size += len(part)
    if record.chunks == 1:
        record.first = now
    elif now - asked > record.longest_gap:
        record.longest_gap = now - asked
    if record.tail is not None:
        record.tail.feed(part)
    return now


async def _read(
    ledger: Ledger, record: Record, source: Any, alive: list[Callable[[], object | None]]
) -> AsyncGenerator[bytes, None]:
    try:
        yield b""  # primed
        tail = record.tail
        kept, watcher = tail.plain if tail is not None else None, ledger.watcher
        chunks, size, gap = record.chunks, record.size, record.longest_gap
        record.asked = asked = clock()
        async for part in source:
            now = clock()
            if now > watcher.overdue:
                watcher.give_way(now)
            chunks += 1
            size += len(part)
            record.chunks = chunks
            record.size = size
            record.last = now
            if chunks == 1:
                record.first = now
            elif now - asked > gap:
                record.longest_gap = gap = now - asked
            if kept is not None:
                kept += part
                if len(kept) > TAIL:
                    tail.trim()  # type: ignore[union-attr]
            elif tail is not None:
                tail.feed(part)
            yield part
            record.asked = asked = clock()
            record.caller_time += asked - now
    except GeneratorExit:
        _left(ledger, record)
        if alive[0]() is not None and hasattr(source, "aclose"):
            await source.aclose()
        raise
    except BaseException as error:
        ledger.end(record, "raised", error)
        raise
    ledger.end(record, "returned")


def _read_sync(ledger: Ledger, record: Record, stream: Any) -> Generator[bytes, None, None]:
    try:
        record.asked = asked = clock()
        for part in stream:
            now = _count(record, part, asked)
            yield part
            record.asked = asked = clock()
            record.caller_time += asked - now
    except GeneratorExit:
        _left(ledger, record)
        raise
    except BaseException as error:
        ledger.end(record, "raised", error)
        raise
    ledger.end(record, "returned")
