"""Layer ``http``: an exchange of httpx or httpx2, from sending the request to the end of its body."""

import functools
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from types import ModuleType
from typing import Any, Final

from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import contained, report
from autogen_streamtrace.core.evidence.body.wire import TAIL, Tail
from autogen_streamtrace.core.evidence.http import connections, headers
from autogen_streamtrace.core.evidence.http.exchange import Exchange
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState, clock
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.core.watching.loops import prime

_STREAMS: Final = ("text/event-stream", "application/x-ndjson")
"""Content types of which a model's reply may be, whoever asked for it."""


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches the transports of ``httpx`` or ``httpx2``, and those of other libraries and the program's own.

    A transport that wraps another is not watched itself: it may send a request again, or answer it from a cache.
    """
    bodies = _bodies(module, tracker)

    def asynchronous(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def handle_async_request(self: Any, request: Any) -> Any:
            state = _begin(tracker, request) if not _hands_on(self, transports) else None
            if state is None:
                return await original(self, request)
            try:
                response = await original(self, request)
            except BaseException as error:
                _failed(tracker, state, error)
                raise
            _watch_body(tracker, state, response, bodies[0])
            return response

        return handle_async_request

    def synchronous(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def handle_request(self: Any, request: Any) -> Any:
            state = _begin(tracker, request) if not _hands_on(self, transports) else None
            if state is None:
                return original(self, request)
            try:
                response = original(self, request)
            except BaseException as error:
                _failed(tracker, state, error)
                raise
            _watch_body(tracker, state, response, bodies[1])
            return response

        return handle_request

    transports = (module.AsyncBaseTransport, module.BaseTransport, module.AsyncClient, module.Client)
    own = (module.AsyncHTTPTransport, module.HTTPTransport)
    patcher.innermost(module.AsyncHTTPTransport, "handle_async_request", asynchronous)
    patcher.innermost(module.HTTPTransport, "handle_request", synchronous)
    patcher.family(module.AsyncBaseTransport, "handle_async_request", asynchronous, but=own)
    patcher.family(module.BaseTransport, "handle_request", synchronous, but=own)


def _hands_on(transport: Any, transports: tuple[type, ...]) -> bool:
    """It holds another transport, to which it hands requests on: that one's exchanges are watched."""
    for held in getattr(transport, "__dict__", {}).values():
        several = held.values() if isinstance(held, dict) else held if isinstance(held, list | tuple) else (held,)
        for each in several:
            if isinstance(each, transports):
                return True
    return False


def _begin(tracker: StreamTracker, request: Any) -> StreamState | None:
    if not is_http_instrumentation_enabled():
        return None
    try:
        url, timeouts = request.url, request.extensions.get("timeout")
        state = tracker.begin(_info(url.host, url.port, request.method))
        if state is not None:
            state.timeouts = timeouts
        return state
    except Exception as defect:
        report("reading a request", defect)
        return None


@functools.lru_cache(maxsize=256)
def _info(host: str, port: int | None, method: str) -> StreamInfo:
    """The ``info`` of an exchange. All exchanges with a server share it, which saves memory."""
    attributes: tuple[tuple[str, Any], ...] = ((sc.SERVER_ADDRESS, host), (sc.HTTP_METHOD, method))
    if port is not None:
        attributes += ((sc.SERVER_PORT, port),)
    return StreamInfo(sc.HTTP, host, span_name="http exchange", attributes=attributes)


def _watch_body(
    tracker: StreamTracker, state: StreamState, response: Any, body: Callable[[Any, StreamState], Any]
) -> None:
    """Watches the body to its end. Where that is not possible, the exchange ends with its headers."""
    try:
        state.status = response.status_code
        answer = headers.of_response(response.headers.raw)
        state.exchange = _exchange(state, response, answer)
        if state.carries_reply or state.status >= 400 or answer.content_type.startswith(_STREAMS):
            state.content_type = answer.content_type
            state.tail = Tail(answer.content_encoding, answer.content_type)
        if response.is_stream_consumed:
            _read_before(tracker, state, response.content)
            return
        state.asked = 0.0  # the reader has the response, and has not asked for the body yet
        response.stream = body(response.stream, state)
    except Exception as defect:
        state.tail = None
        tracker.end(state, "returned")
        report("watching a body", defect)


def _exchange(state: StreamState, response: Any, answer: headers.Headers) -> Exchange:
    exchange = Exchange(answer)
    exchange.headers_at = clock()
    try:
        extensions = response.extensions
        exchange.version = connections.version(extensions)
        exchange.use = connections.of_response(extensions, response.stream, response.status_code, state.start)
    except Exception as defect:
        report("finding a response's connection", defect)
    return exchange


def _failed(tracker: StreamTracker, state: StreamState, error: BaseException) -> None:
    """Ends an exchange that got no response."""
    with contained("finding a failure's connection"):
        state.exchange = Exchange()
        if isinstance(error, Exception):
            state.exchange.use = connections.after_failure(error, state.start)
    tracker.end(state, "raised", error)


def _read_before(tracker: StreamTracker, state: StreamState, body: bytes) -> None:
    """The response came with its whole body, decoded, as a transport of the program's own may make it."""
    if state.tail is not None:
        state.tail = Tail(content_type=state.content_type)
    if body:
        _count(state, body, state.asked)
    tracker.end(state, "returned")


def _bodies(
    module: ModuleType, tracker: StreamTracker
) -> tuple[Callable[[Any, StreamState], Any], Callable[[Any, StreamState], Any]]:
    """The two body classes. They are subclasses of the client's own classes, which the client checks for."""
    return _async_body(module, tracker), _sync_body(module, tracker)


def _async_body(module: ModuleType, tracker: StreamTracker) -> Callable[[Any, StreamState], Any]:
    class AsyncBody(module.AsyncByteStream):  # type: ignore[misc, name-defined]
        """A watched body. The stream belongs to the body and not to an iterator, since a body may be iterated twice."""

        def __init__(self, stream: Any, state: StreamState) -> None:
            self._stream = stream
            self._state = state

        def __aiter__(self) -> AsyncIterator[bytes]:
            alive: list[Callable[[], object | None]] = []
            reader = _read(tracker, self._state, self._stream.__aiter__(), alive)
            alive.append(weakref.ref(reader))
            prime(reader)
            return reader

        async def aclose(self) -> None:
            if self._state.closed:
                await self._stream.aclose()
                return
            _closed(tracker, self._state, finished=False)
            try:
                await self._stream.aclose()
            finally:
                tracker.finished(self._state)

        def __del__(self) -> None:
            tracker.end(self._state, "closed")

    return AsyncBody


def _sync_body(module: ModuleType, tracker: StreamTracker) -> Callable[[Any, StreamState], Any]:
    class Body(module.SyncByteStream):  # type: ignore[misc, name-defined]
        """The same, read synchronously."""

        def __init__(self, stream: Any, state: StreamState) -> None:
            self._stream = stream
            self._state = state

        def __iter__(self) -> Iterator[bytes]:
            return _read_sync(tracker, self._state, self._stream)

        def close(self) -> None:
            _closed(tracker, self._state)
            self._stream.close()

        def __del__(self) -> None:
            tracker.end(self._state, "closed")

    return Body


def _closed(tracker: StreamTracker, state: StreamState, *, finished: bool = True) -> None:
    """Ends the stream of a body that its reader closes or drops."""
    if state.chunks and state.held and not state.closed:
        state.caller_time += clock() - state.last
    tracker.end(state, "closed", finished=finished)


def _count(state: StreamState, part: bytes, asked: float) -> float:
    """Notes a part of the body; returns the time. The asynchronous reader has the same code inline."""
    now = clock()
    state.chunks += 1
    state.last = now
    state.size += len(part)
    if state.chunks == 1:
        state.first = now
    elif now - asked > state.longest_gap:
        state.longest_gap = now - asked
    if state.tail is not None:
        state.tail.feed(part)
    return now


async def _read(
    tracker: StreamTracker, state: StreamState, source: Any, alive: list[Callable[[], object | None]]
) -> AsyncGenerator[bytes, None]:
    try:
        yield b""  # primed
        tail = state.tail
        kept, watcher = tail.plain if tail is not None else None, tracker.watcher
        chunks, size, gap = state.chunks, state.size, state.longest_gap
        state.asked = asked = clock()
        async for part in source:
            now = clock()
            if now > watcher.overdue:
                watcher.give_way(now)
            chunks += 1
            size += len(part)
            state.chunks = chunks
            state.size = size
            state.last = now
            if chunks == 1:
                state.first = now
            elif now - asked > gap:
                state.longest_gap = gap = now - asked
            if kept is not None:
                kept += part
                if len(kept) > TAIL:
                    tail.trim()  # type: ignore[union-attr]
            elif tail is not None:
                tail.feed(part)
            yield part
            state.asked = asked = clock()
            state.caller_time += asked - now
    except GeneratorExit:
        _closed(tracker, state)
        if alive[0]() is not None and hasattr(source, "aclose"):
            await source.aclose()
        raise
    except BaseException as error:
        tracker.end(state, "raised", error)
        raise
    tracker.end(state, "returned")


def _read_sync(tracker: StreamTracker, state: StreamState, stream: Any) -> Generator[bytes, None, None]:
    try:
        state.asked = asked = clock()
        for part in stream:
            now = _count(state, part, asked)
            yield part
            state.asked = asked = clock()
            state.caller_time += asked - now
    except GeneratorExit:
        _closed(tracker, state)
        raise
    except BaseException as error:
        tracker.end(state, "raised", error)
        raise
    tracker.end(state, "returned")
