"""The only wrappers around a stream or a call: the same items, exceptions, cancellation; and a record of them."""

import inspect
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

from opentelemetry.context import attach, detach, get_current

from .contain import contained
from .ledger import Ledger, prime, scope
from .record import Opening, Record, clock

Note = Callable[[Record, Any], None]
"""Reads what a stream's terminal item says into its record."""


class _Alive:
    """Tells a reader's ``aclose()`` from a dropped generator: the weak reference dies before the finaliser runs."""

    __slots__ = ("generator",)

    generator: Callable[[], object | None]


def stream(
    ledger: Ledger, source: AsyncIterator[Any], opening: Opening, terminal: type | tuple[type, ...] = (), note: Note | None = None
) -> AsyncGenerator[Any, Any]:
    """Wraps an asynchronous stream. ``terminal`` are the types of the item that says that it is complete."""
    alive = _Alive()
    tapped = _read(ledger, source, opening, terminal, note, alive)
    alive.generator = weakref.ref(tapped)
    prime(tapped)
    if hasattr(source, "__qualname__"):
        tapped.__name__, tapped.__qualname__ = source.__name__, source.__qualname__  # type: ignore[attr-defined]
    return tapped


async def _read(
    ledger: Ledger,
    source: Any,
    opening: Opening,
    terminal: type | tuple[type, ...],
    note: Note | None,
    alive: _Alive,
) -> AsyncGenerator[Any, Any]:
    step = source.__anext__
    thrown_in: BaseException | None = None
    try:
        sent = yield
    except GeneratorExit:
        ledger.never(opening)
        if alive.generator() is not None:
            await _close(source)
        raise
    except BaseException as thrown:
        ledger.never(opening)
        await source.athrow(thrown)
        raise
    record = ledger.begin(opening)
    if record is None:
        record = Record(opening, None, 0)
        record.closed = True
    inside = base = None
    chunks, gap = 0, 0.0
    asked = record.asked
    advance = step() if sent is None else source.asend(sent)
    while True:
        now_current = get_current()
        if now_current is not base or inside is None:
            base, inside = now_current, scope(record, now_current)
        token = attach(inside)
        try:
            item = await advance
        except StopAsyncIteration:
            detach(token)
            ledger.end(record, "returned")
            return
        except BaseException as error:
            if get_current() is inside:  # else the generator is closed from a context that is not its own
                detach(token)
            ledger.end(record, "raised", error, thrown_in=error is thrown_in)
            raise
        detach(token)
        now = clock()
        chunks += 1
        record.chunks = chunks
        record.last = now
        if chunks == 1:
            record.first = now
        elif now - asked > gap:
            record.longest_gap = gap = now - asked
        if item.__class__ is str:
            record.size += len(item)
        elif isinstance(item, terminal):
            record.terminal = True
            if note is not None:
                with contained("reading a terminal item"):
                    note(record, item)
        try:
            sent = yield item
        except GeneratorExit:
            record.caller_time += clock() - now
            if alive.generator() is None:
                ledger.end(record, "closed")
            else:
                ledger.end(record, "closed", over=False)
                try:
                    await _close(source)
                finally:
                    ledger.over(record)
            raise
        except BaseException as thrown:
            thrown_in = thrown
            advance = source.athrow(thrown)
        else:
            advance = step() if sent is None else source.asend(sent)
        record.asked = asked = clock()
        record.caller_time += asked - now


async def _close(source: Any) -> None:
    close = getattr(source, "aclose", None)
    if close is not None:
        await close()


async def call(
    ledger: Ledger, opening: Opening | None, function: Callable[[], Awaitable[Any]], note: Note | None = None
) -> Any:
    """Wraps one awaited call that is no stream."""
    if opening is None:
        return await function()
    with Entered(ledger, opening) as record:
        result = await function()
        if record is not None:
            record.terminal = True
            if note is not None:
                with contained("reading a result"):
                    note(record, result)
        return result


class Entered:
    """A block of code as one stream without items. A context manager that lets every exception pass."""

    __slots__ = ("_inside", "_ledger", "_opening", "_record", "_token")

    def __init__(self, ledger: Ledger, opening: Opening) -> None:
        self._ledger = ledger
        self._opening = opening

    def __enter__(self) -> Record | None:
        self._record = self._ledger.begin(self._opening)
        if self._record is not None:
            self._inside = scope(self._record, get_current())
            self._token = attach(self._inside)
        return self._record

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._record is None:
            return
        if get_current() is self._inside:  # else it is closed from a context that is not its own
            detach(self._token)
        self._ledger.end(self._record, "returned" if error is None else "raised", error)


def opened(opening: Callable[[], Opening]) -> Opening | None:
    """What ``opening`` says of a stream; None where it failed: the stream is then left alone."""
    with contained("naming a stream"):
        return opening()
    return None


def watched(
    ledger: Ledger, source: Any, opening: Callable[[], Opening], terminal: type | tuple[type, ...] = (), note: Note | None = None
) -> Any:
    """Wraps what a library returned as its stream, in the same shape; leaves alone what is none."""
    if not hasattr(source, "__anext__"):
        return source
    known = opened(opening)
    if known is None:
        return source
    tapped = stream(ledger, source, known, terminal, note)
    return tapped if inspect.isasyncgen(source) else _Shaped(source, tapped)


class _Shaped:
    """A stream that is no native generator: what it has beside its items stays within reach."""

    def __init__(self, source: Any, tapped: AsyncGenerator[Any, Any]) -> None:
        self._source = source
        self._tapped = tapped

    def __aiter__(self) -> "_Shaped":
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self._tapped.__anext__()

    async def aclose(self) -> None:
        await self._tapped.aclose()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)
