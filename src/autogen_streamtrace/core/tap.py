"""The only wrappers around a stream or a call: the same items, exceptions, cancellation; and a record of them."""

import contextlib
import inspect
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.proxy import AutoObjectProxy
from autogen_streamtrace.core.stream import scope
from autogen_streamtrace.core.stream.scope import get, switch
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState, clock
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.core.watching.loops import prime

Note = Callable[[StreamState, Any], None]
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
    tracker: StreamTracker,
    source: AsyncIterator[Any],
    info: StreamInfo,
    terminal: type | tuple[type, ...] = (),
    note: Note | None = None,
) -> AsyncGenerator[Any, Any]:
    """Wraps an asynchronous stream. ``terminal`` are the types of the item that says that it is complete."""
    alive = _Alive(scope.here())
    tapped = _read(tracker, source, info, terminal, note, alive)
    alive.generator = weakref.ref(tapped)
    prime(tapped)
    if hasattr(source, "__qualname__"):
        tapped.__name__, tapped.__qualname__ = source.__name__, source.__qualname__  # type: ignore[attr-defined]
    return tapped


async def _read(
    tracker: StreamTracker,
    source: Any,
    info: StreamInfo,
    terminal: type | tuple[type, ...],
    note: Note | None,
    alive: _Alive,
) -> AsyncGenerator[Any, Any]:
    """What every item passes through: each operation in its loop is paid for each item of each layer."""
    try:
        sent = yield
    except GeneratorExit:
        tracker.never_started(info, alive.context)
        if alive.generator() is not None:
            await source.aclose()
        raise
    except BaseException as thrown:
        tracker.never_started(info, alive.context)
        await source.athrow(thrown)
        raise
    state = tracker.begin(info) or StreamState.unwatched(info)
    left: BaseException | None = None
    thrown_in = 0
    plain: type | None = None
    chunks, gap, held = 0, -1.0, 0.0
    asked = state.asked
    content, watcher = state.content, tracker.watcher
    base = get()
    inside = derived = scope.of(state, base)
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
                state.chunks = chunks
                state.last = now
                if now - asked > gap:
                    gap = _note_gap(state, now, asked)
                if content is not None:
                    content.add(item)
                kind = item.__class__
                if kind is str:
                    state.size += len(item)
                elif kind is not plain:
                    plain = kind
                    if isinstance(item, terminal):
                        plain = None
                        _note_terminal(state, item, note)
                try:
                    sent = yield item
                except GeneratorExit as leaving:
                    state.caller_time = held + clock() - now
                    if alive.generator() is None:
                        tracker.end(state, "closed")
                        raise
                    left = leaving
                    break
                except BaseException as thrown:
                    thrown_in = id(thrown)
                    items = _Resumed(source, source.athrow(thrown))
                    sent = items
                state.asked = asked = clock()
                held += asked - now
                if get() is not base:
                    base = get()
                    if inside is derived:
                        inside = derived = scope.of(state, base)
                if sent is not None:
                    if sent is not items:
                        items = _Resumed(source, source.asend(sent))
                    break
                switch(inside)
            else:
                switch(base)
                state.caller_time = held
                tracker.end(state, "returned")
                return
            if left is not None:
                try:
                    if not await _ignored(tracker, state, source):
                        raise left
                finally:
                    left = None  # it holds this frame
                items = _Resumed(source, _nothing())  # yielding once more, this fails as the source did, and goes on
    except BaseException as error:
        scope.leave(inside, base)
        if not state.closed:
            state.caller_time = held
            tracker.end(state, "raised", error, thrown_in=id(error) == thrown_in)
        raise


async def _ignored(tracker: StreamTracker, state: StreamState, source: Any) -> bool:
    """The reader closes the stream: its verdict falls now, however long the source takes to close.

    True where the source went on in spite of it.
    """
    tracker.end(state, "closed", over=False)
    try:
        await source.aclose()
    except RuntimeError:
        if source.ag_frame is None:
            raise
        return True
    finally:
        tracker.finished(state)
    return False


async def _nothing() -> None:
    pass


def _note_gap(state: StreamState, now: float, asked: float) -> float:
    if state.chunks == 1:
        state.first = now
        return 0.0
    state.longest_gap = now - asked
    return state.longest_gap


def _note_terminal(state: StreamState, item: Any, note: Note | None) -> None:
    state.terminal = True
    if state.content is not None:
        state.content.result = item
    if note is not None:
        with contained("reading a terminal item"):
            note(state, item)


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
    tracker: StreamTracker, info: StreamInfo | None, function: Callable[[], Awaitable[Any]], note: Note | None = None
) -> Any:
    """Wraps one awaited call that is no stream."""
    if info is None:
        return await function()
    with Entered(tracker, info) as state:
        result = await function()
        if state is not None:
            _note_terminal(state, result, note)
        return result


class Entered:
    """A block of code as one stream without items. A context manager that lets every exception pass."""

    __slots__ = ("_base", "_info", "_inside", "_state", "_tracker")

    def __init__(self, tracker: StreamTracker, info: StreamInfo) -> None:
        self._tracker = tracker
        self._info = info

    def __enter__(self) -> StreamState | None:
        self._state = self._tracker.begin(self._info)
        if self._state is not None:
            self._base = get()
            self._inside = scope.of(self._state, self._base)
            scope.switch(self._inside)
        return self._state

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._state is None:
            return
        scope.leave(self._inside, self._base)
        self._tracker.end(self._state, "returned" if error is None else "raised", error)


@contextlib.contextmanager
def no_span(*args: Any, **kwargs: Any) -> Iterator[Span]:
    """In place of a span of AutoGen's own, which would double ours: the span of the stream that is current."""
    state = scope.current()
    yield state.span if state is not None else INVALID_SPAN


def opened(info: Callable[[], StreamInfo]) -> StreamInfo | None:
    """What ``info`` says of a stream; None where it failed: the stream is then left alone."""
    with contained("naming a stream"):
        return info()
    return None


def watched(
    tracker: StreamTracker,
    source: Any,
    info: Callable[[], StreamInfo],
    terminal: type | tuple[type, ...] = (),
    note: Note | None = None,
) -> Any:
    """Wraps whatever is read as a stream, in the same shape; leaves alone what is none."""
    if not hasattr(source, "__aiter__") and not hasattr(source, "__anext__"):
        return source
    known = opened(info)
    if known is None:
        return source
    if inspect.isasyncgen(source):
        return stream(tracker, source, known, terminal, note)
    if hasattr(source, "__anext__"):
        shape = _ClosableIterator if hasattr(source, "aclose") else _Iterator
        return shape(source, _Steps(tracker, known, terminal, note))
    return _Iterable(source, lambda iterator: watched(tracker, iterator, lambda: known, terminal, note))


def overheard(source: Any, state: StreamState, terminal: type | tuple[type, ...], note: Note) -> Any:
    """Whatever is read as a stream inside another one of its layer; what it says goes into the other's record."""
    return _Overheard(source, state, terminal, note) if hasattr(source, "__anext__") else source


class _Steps:
    """A stream that is no native generator, each of whose steps is a call of its own: it may fail and go on."""

    def __init__(
        self, tracker: StreamTracker, info: StreamInfo, terminal: type | tuple[type, ...], note: Note | None
    ) -> None:
        self._tracker = tracker
        self._info = info
        self._terminal = terminal
        self._note = note
        self._state: StreamState | None = None
        self._context = scope.here()

    async def step(self, advance: Callable[[], Awaitable[Any]]) -> Any:
        """Reads the next item."""
        state = self._asked()
        base = get()
        inside = scope.of(state, base)
        switch(inside)
        try:
            item = await advance()
        except StopAsyncIteration:
            self._tracker.end(state, "returned")
            raise
        except BaseException as error:
            self._tracker.end(state, "raised", error)
            raise
        finally:
            scope.leave(inside, base)
        self._arrived(state, item)
        return item

    async def close(self, close: Callable[[], Awaitable[Any]]) -> Any:
        """Closes the stream."""
        self.left()
        return await close()

    def left(self) -> None:
        """The reader left it, or dropped it. Safe in a finaliser."""
        if self._state is None:
            self._state = StreamState.unwatched(self._info)
            self._tracker.never_started(self._info, self._context)
        else:
            self._tracker.end(self._state, "closed")

    def _asked(self) -> StreamState:
        if self._state is None:
            self._state = self._tracker.begin(self._info) or StreamState.unwatched(self._info)
            return self._state
        state = self._state
        state.asked = clock()
        state.caller_time += state.asked - state.last
        return state

    def _arrived(self, state: StreamState, item: Any) -> None:
        state.last = clock()
        state.chunks += 1
        if state.last - state.asked > state.longest_gap:
            _note_gap(state, state.last, state.asked)
        if state.chunks == 1:
            state.first = state.last
        if state.content is not None:
            state.content.add(item)
        if item.__class__ is str:
            state.size += len(item)
        elif isinstance(item, self._terminal):
            _note_terminal(state, item, self._note)


class _Iterable(AutoObjectProxy):  # type: ignore[type-arg]
    """What can be iterated again and again; each time it is a stream of its own."""

    def __init__(self, source: Any, watch: Callable[[Any], Any]) -> None:
        super().__init__(source)
        self._self_watch = watch

    def __aiter__(self) -> Any:
        return self._self_watch(self.__wrapped__.__aiter__())


class _Iterator(AutoObjectProxy):  # type: ignore[type-arg]
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


class _Overheard(AutoObjectProxy):  # type: ignore[type-arg]
    """A stream whose items are those of another one, which has the record."""

    def __init__(self, source: Any, state: StreamState, terminal: type | tuple[type, ...], note: Note) -> None:
        super().__init__(source)
        self._self_heard = (state, terminal, note)

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        item = await self.__wrapped__.__anext__()
        state, terminal, note = self._self_heard
        if isinstance(item, terminal):
            with contained("reading an inner stream's terminal item"):
                note(state, item)
        return item


class _ClosableIterator(_Iterator):
    """The same with an ``aclose``, where the source has one."""

    async def aclose(self) -> Any:
        """Closes the source, as its own ``aclose`` does."""
        return await self._self_steps.close(self.__wrapped__.aclose)
