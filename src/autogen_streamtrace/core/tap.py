"""The only wrappers around a stream or a call: the same items, exceptions, cancellation; and a record of them."""

import contextlib
import inspect
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any

import wrapt
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span

from . import scope
from .contain import contained
from .ledger import Ledger
from .loops import prime
from .record import Opening, Record, clock
from .scope import get, switch

Note = Callable[[Record, Any], None]
"""Reads what a stream's terminal item says into its record."""


class _Alive:
    """Where a generator was created, and whether it lives.

    So a reader's ``aclose()`` is told from a dropped generator: the weak reference dies before the finaliser runs.
    """

    __slots__ = ("context", "generator")

    generator: Callable[[], object | None]

    def __init__(self, context: Context) -> None:
        self.context = context


def stream(
    ledger: Ledger,
    source: AsyncIterator[Any],
    opening: Opening,
    terminal: type | tuple[type, ...] = (),
    note: Note | None = None,
) -> AsyncGenerator[Any, Any]:
    """Wraps an asynchronous stream. ``terminal`` are the types of the item that says that it is complete."""
    alive = _Alive(scope.here())
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
        ledger.never(opening, alive.context)
        if alive.generator() is not None:
            await source.aclose()
        raise
    except BaseException as thrown:
        ledger.never(opening, alive.context)
        await source.athrow(thrown)
        raise
    record = ledger.begin(opening) or Record.unwatched(opening)
    left: BaseException | None = None
    thrown_in = 0
    plain: type | None = None
    chunks, gap, held = 0, -1.0, 0.0
    asked = record.asked
    content, watcher = record.content, ledger.watcher
    base = get()
    inside = derived = scope.of(record, base)
    items = source if sent is None else _Resumed(source, source.asend(sent))
    try:
        while True:
            switch(inside)
            async for item in items:
                if get() is not inside:  # the source holds a context of its own over its yield
                    inside = get()
                switch(base)
                now = clock()
                if now > watcher.overdue:
                    watcher.give_way(now)
                chunks += 1
                record.chunks = chunks
                record.last = now
                if now - asked > gap:
                    gap = _note_gap(record, now, asked)
                if content is not None:
                    content.add(item)
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
                except GeneratorExit as leaving:
                    record.caller_time = held + clock() - now
                    if alive.generator() is None:
                        ledger.end(record, "closed")
                        raise
                    left = leaving
                    break
                except BaseException as thrown:
                    thrown_in = id(thrown)
                    items = _Resumed(source, source.athrow(thrown))
                    sent = items
                record.asked = asked = clock()
                held += asked - now
                if get() is not base:
                    base = get()
                    if inside is derived:
                        inside = derived = scope.of(record, base)
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
            if left is not None:
                try:
                    if not await _ignored(ledger, record, source):
                        raise left
                finally:
                    left = None  # it holds this frame
                items = _Resumed(source, _nothing())  # yielding once more, this fails as the source did, and goes on
    except BaseException as error:
        scope.leave(inside, base)
        if not record.closed:
            record.caller_time = held
            ledger.end(record, "raised", error, thrown_in=id(error) == thrown_in)
        raise


async def _ignored(ledger: Ledger, record: Record, source: Any) -> bool:
    """The reader closes the stream: its verdict falls now, however long the source takes to close.

    True where the source went on in spite of it.
    """
    ledger.end(record, "closed", over=False)
    try:
        await source.aclose()
    except RuntimeError:
        if source.ag_frame is None:
            raise
        return True
    finally:
        ledger.over(record)
    return False


async def _nothing() -> None:
    pass


def _note_gap(record: Record, now: float, asked: float) -> float:
    if record.chunks == 1:
        record.first = now
        return 0.0
    record.longest_gap = now - asked
    return record.longest_gap


def _note_terminal(record: Record, item: Any, note: Note | None) -> None:
    record.terminal = True
    if record.content is not None:
        record.content.result = item
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


async def call(
    ledger: Ledger, opening: Opening | None, function: Callable[[], Awaitable[Any]], note: Note | None = None
) -> Any:
    """Wraps one awaited call that is no stream."""
    if opening is None:
        return await function()
    with Entered(ledger, opening) as record:
        result = await function()
        if record is not None:
            _note_terminal(record, result, note)
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
            self._base = get()
            self._inside = scope.of(self._record, self._base)
            scope.switch(self._inside)
        return self._record

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._record is None:
            return
        scope.leave(self._inside, self._base)
        self._ledger.end(self._record, "returned" if error is None else "raised", error)


@contextlib.contextmanager
def no_span(*args: Any, **kwargs: Any) -> Iterator[Span]:
    """In place of a span of AutoGen's own, which would double ours: the span of the stream that is current."""
    record = scope.current()
    yield record.span if record is not None else INVALID_SPAN


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
    """Wraps whatever is read as a stream, in the same shape; leaves alone what is none."""
    if not hasattr(source, "__aiter__") and not hasattr(source, "__anext__"):
        return source
    known = opened(opening)
    if known is None:
        return source
    if inspect.isasyncgen(source):
        return stream(ledger, source, known, terminal, note)
    if hasattr(source, "__anext__"):
        shape = _ClosableIterator if hasattr(source, "aclose") else _Iterator
        return shape(source, _Steps(ledger, known, terminal, note))
    return _Iterable(source, lambda iterator: watched(ledger, iterator, lambda: known, terminal, note))


def overheard(source: Any, record: Record, terminal: type | tuple[type, ...], note: Note) -> Any:
    """Whatever is read as a stream inside another one of its layer; what it says goes into the other's record."""
    return _Overheard(source, record, terminal, note) if hasattr(source, "__anext__") else source


class _Steps:
    """A stream that is no native generator, each of whose steps is a call of its own: it may fail and go on."""

    def __init__(self, ledger: Ledger, opening: Opening, terminal: type | tuple[type, ...], note: Note | None) -> None:
        self._ledger = ledger
        self._opening = opening
        self._terminal = terminal
        self._note = note
        self._record: Record | None = None
        self._context = scope.here()

    async def step(self, advance: Callable[[], Awaitable[Any]]) -> Any:
        """Reads the next item."""
        record = self._asked()
        base = get()
        inside = scope.of(record, base)
        switch(inside)
        try:
            item = await advance()
        except StopAsyncIteration:
            self._ledger.end(record, "returned")
            raise
        except BaseException as error:
            self._ledger.end(record, "raised", error)
            raise
        finally:
            scope.leave(inside, base)
        self._arrived(record, item)
        return item

    async def close(self, close: Callable[[], Awaitable[Any]]) -> Any:
        """Closes the stream."""
        self.left()
        return await close()

    def left(self) -> None:
        """The reader left it, or dropped it. Safe in a finaliser."""
        if self._record is None:
            self._record = Record.unwatched(self._opening)
            self._ledger.never(self._opening, self._context)
        else:
            self._ledger.end(self._record, "closed")

    def _asked(self) -> Record:
        if self._record is None:
            self._record = self._ledger.begin(self._opening) or Record.unwatched(self._opening)
            return self._record
        record = self._record
        record.asked = clock()
        record.caller_time += record.asked - record.last
        return record

    def _arrived(self, record: Record, item: Any) -> None:
        record.last = clock()
        record.chunks += 1
        if record.last - record.asked > record.longest_gap:
            _note_gap(record, record.last, record.asked)
        if record.chunks == 1:
            record.first = record.last
        if record.content is not None:
            record.content.add(item)
        if item.__class__ is str:
            record.size += len(item)
        elif isinstance(item, self._terminal):
            _note_terminal(record, item, self._note)


class _Iterable(wrapt.AutoObjectProxy):  # type: ignore[type-arg]
    """What can be iterated again and again; each time it is a stream of its own."""

    def __init__(self, source: Any, watch: Callable[[Any], Any]) -> None:
        super().__init__(source)
        self._self_watch = watch

    def __aiter__(self) -> Any:
        return self._self_watch(self.__wrapped__.__aiter__())


class _Iterator(wrapt.AutoObjectProxy):  # type: ignore[type-arg]
    """An iterator: all that it is and has beside its items stays as it was."""

    def __init__(self, source: Any, steps: _Steps) -> None:
        super().__init__(source)
        self._self_steps = steps

    def __aiter__(self) -> Any:
        return self

    def __anext__(self) -> Coroutine[Any, Any, Any]:
        return self._self_steps.step(self.__wrapped__.__anext__)

    def __del__(self) -> None:
        self._self_steps.left()


class _Overheard(wrapt.AutoObjectProxy):  # type: ignore[type-arg]
    """A stream whose items are those of another one, which has the record."""

    def __init__(self, source: Any, record: Record, terminal: type | tuple[type, ...], note: Note) -> None:
        super().__init__(source)
        self._self_heard = (record, terminal, note)

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        item = await self.__wrapped__.__anext__()
        record, terminal, note = self._self_heard
        if isinstance(item, terminal):
            with contained("reading an inner stream's terminal item"):
                note(record, item)
        return item


class _ClosableIterator(_Iterator):
    """The same with an ``aclose``, where the source has one."""

    async def aclose(self) -> Any:
        """Closes the source, as its own ``aclose`` does."""
        return await self._self_steps.close(self.__wrapped__.aclose)
