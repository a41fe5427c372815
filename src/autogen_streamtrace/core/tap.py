"""The only wrappers around a stream or a call: the same items, exceptions, cancellation; and a record of them."""

import inspect
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

import wrapt

from . import scope
from .contain import contained
from .ledger import Ledger, prime
from .record import Opening, Record, clock
from .scope import switch

Note = Callable[[Record, Any], None]
"""Reads what a stream's terminal item says into its record."""


class _Alive:
    """Tells a reader's ``aclose()`` from a dropped generator: the weak reference dies before the finaliser runs."""

    __slots__ = ("generator",)

    generator: Callable[[], object | None]


def stream(
    ledger: Ledger,
    source: AsyncIterator[Any],
    opening: Opening,
    terminal: type | tuple[type, ...] = (),
    note: Note | None = None,
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
    """What every item passes through: each operation in its loop is paid for each item of each layer."""
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
    record = ledger.begin(opening) or Record.unwatched(opening)
    thrown_in: BaseException | None = None
    plain: type | None = None
    chunks, gap, held = 0, -1.0, 0.0
    asked = record.asked
    base = scope.get()
    inside = scope.of(record, base)
    items = source if sent is None else _Resumed(source, source.asend(sent))
    try:
        while True:
            switch(inside)
            async for item in items:
                switch(base)
                now = clock()
                chunks += 1
                record.chunks = chunks
                record.last = now
                if now - asked > gap:
                    gap = _note_gap(record, now, asked)
                kind = item.__class__
                if kind is str:
                    record.size += len(item)
                elif kind is not plain:
                    plain = kind
                    if isinstance(item, terminal):
                        plain = None
                        _note_terminal(record, item, note)
                try:
                    sent = yield item
                except GeneratorExit:
                    record.caller_time = held + clock() - now
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
                    items = _Resumed(source, source.athrow(thrown))
                    sent = items
                record.asked = asked = clock()
                held += asked - now
                if scope.get() is not base:
                    base = scope.get()
                    inside = scope.of(record, base)
                if sent is not None:
                    if sent is not items:
                        items = _Resumed(source, source.asend(sent))
                    break
                switch(inside)
            else:
                switch(base)
                record.caller_time = held
                ledger.end(record, "returned")
                return
    except BaseException as error:
        if scope.get() is inside:  # else it is closed from a context that is not its own
            switch(base)
        if not record.closed:
            record.caller_time = held
            ledger.end(record, "raised", error, thrown_in=error is thrown_in)
        raise


def _note_gap(record: Record, now: float, asked: float) -> float:
    if record.chunks == 1:
        record.first = now
        return 0.0
    record.longest_gap = now - asked
    return record.longest_gap


def _note_terminal(record: Record, item: Any, note: Note | None) -> None:
    record.terminal = True
    if note is not None:
        with contained("reading a terminal item"):
            note(record, item)


class _Resumed:
    """A stream of which the next item is the answer to what its reader sent or threw in."""

    __slots__ = ("_answer", "_source")

    def __init__(self, source: Any, answer: Awaitable[Any]) -> None:
        self._source = source
        self._answer: Awaitable[Any] | None = answer

    def __aiter__(self) -> "_Resumed":
        return self

    def __anext__(self) -> Awaitable[Any]:
        answer, self._answer = self._answer, None
        return self._source.__anext__() if answer is None else answer


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

    __slots__ = ("_base", "_inside", "_ledger", "_opening", "_record")

    def __init__(self, ledger: Ledger, opening: Opening) -> None:
        self._ledger = ledger
        self._opening = opening

    def __enter__(self) -> Record | None:
        self._record = self._ledger.begin(self._opening)
        if self._record is not None:
            self._base = scope.get()
            self._inside = scope.of(self._record, self._base)
            scope.switch(self._inside)
        return self._record

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._record is None:
            return
        if scope.get() is self._inside:  # else it is closed from a context that is not its own
            scope.switch(self._base)
        self._ledger.end(self._record, "returned" if error is None else "raised", error)


def opened(opening: Callable[[], Opening]) -> Opening | None:
    """What ``opening`` says of a stream; None where it failed: the stream is then left alone."""
    with contained("naming a stream"):
        return opening()
    return None


def watched(
    ledger: Ledger,
    source: Any,
    opening: Callable[[], Opening],
    terminal: type | tuple[type, ...] = (),
    note: Note | None = None,
) -> Any:
    """Wraps what a library returned as its stream, in the same shape; leaves alone what is none."""
    if not hasattr(source, "__anext__"):
        return source
    known = opened(opening)
    if known is None:
        return source
    tapped = stream(ledger, source, known, terminal, note)
    if inspect.isasyncgen(source):
        return tapped
    return (_ClosableShaped if hasattr(source, "aclose") else _Shaped)(source, tapped)


class _Shaped(wrapt.AutoObjectProxy):  # type: ignore[misc]
    """A stream that is no native generator: all that it is and has beside its items stays as it was."""

    def __init__(self, source: Any, tapped: AsyncGenerator[Any, Any]) -> None:
        super().__init__(source)
        self._self_tapped = tapped

    def __aiter__(self) -> Any:
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self._self_tapped.__anext__()


class _ClosableShaped(_Shaped):
    """The same with an ``aclose``, where the source has one."""

    async def aclose(self) -> None:
        """Closes the source, as its own ``aclose`` does."""
        await self._self_tapped.aclose()
