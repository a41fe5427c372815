"""The tap around a native asynchronous generator."""

import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

from autogen_streamtrace.core.stream import scope
from autogen_streamtrace.core.stream.scope import get, switch
from autogen_streamtrace.core.stream.state import StreamState, clock
from autogen_streamtrace.core.tap.notes import Note, note_gap, note_terminal
from autogen_streamtrace.core.tap.openings import Opening
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.core.watching.loops import prime


class _Alive:
    """Whether a generator lives.

    This tells a reader's ``aclose()`` from a dropped generator, whose weak reference dies before the finaliser runs.
    """

    __slots__ = ("generator",)

    generator: Callable[[], object | None]


def tapped(
    tracker: StreamTracker,
    source: AsyncIterator[Any],
    opening: Opening,
    terminal: type | tuple[type, ...] = (),
    note: Note | None = None,
) -> AsyncGenerator[Any, Any]:
    """Wraps an asynchronous generator.

    Args:
        tracker: takes the stream's start and end.
        source: the generator.
        opening: opens the stream at its first read.
        terminal: types of the item that completes the stream.
        note: reads the terminal item.
    """
    alive = _Alive()
    tapped = _read(tracker, source, opening, terminal, note, alive)
    alive.generator = weakref.ref(tapped)
    prime(tapped)
    if hasattr(source, "__qualname__"):
        tapped.__name__, tapped.__qualname__ = source.__name__, source.__qualname__  # type: ignore[attr-defined]
    return tapped


async def _read(
    tracker: StreamTracker,
    source: Any,
    opening: Opening,
    terminal: type | tuple[type, ...],
    note: Note | None,
    alive: _Alive,
) -> AsyncGenerator[Any, Any]:
    """What every item passes through. Each operation in the loop costs time for each item of each layer.

    The exits, by what the reader does to the primed generator and what the source does:

        primed --+-- never read: closed or dropped ------> never started, GeneratorExit goes on
                 +-- never read: an exception thrown in -> never started, the source gets it, it goes on
                 +-- first read --> reading

        reading -+-- the source returns -----------------> end "returned"
                 +-- the source raises ------------------> end "raised", the exception goes on
                 +-- an item --> delivered

        delivered +- next item or ``asend`` -------------> reading (``asend``'s value goes to the source first)
                  +- ``athrow`` -------------------------> reading; what the source raises then is "raised", thrown in
                  +- dropped: the weak reference is dead -> end "closed", GeneratorExit goes on
                  +- ``aclose`` -------------------------> end "closed" now; the source is closed, then finished
                                                           (a source that yields again: reading, which fails likewise)
    """
    try:
        sent = yield
    except GeneratorExit:
        opening.unread()
        if alive.generator() is not None:
            await source.aclose()
        raise
    except BaseException as thrown:
        opening.unread()
        await source.athrow(thrown)
        raise
    state = opening.open()
    left: BaseException | None = None
    thrown_in = 0
    plain: type | None = None
    chunks, gap, held = 0, -1.0, 0.0
    asked = state.asked
    content, watcher = opening.collector(state), tracker.watcher
    base = get()
    inside = derived = scope.of(state, base)
    items = source if sent is None else _Resumed(source, source.asend(sent))
    try:
        while True:
            switch(inside)
            async for item in items:
                if get() is not inside:  # the source has a context of its own at its yield
                    inside = get()
                switch(base)
                now = clock()
                if now > watcher.overdue:
                    watcher.give_way(now)
                chunks += 1
                state.chunks = chunks
                state.last = now
                if now - asked > gap:
                    gap = note_gap(state, now, asked)
                if content is not None:
                    content.add(item)
                kind = item.__class__
                if kind is str:
                    state.size += len(item)
                elif kind is not plain:
                    plain = kind
                    if isinstance(item, terminal):
                        plain = None
                        note_terminal(state, item, note)
                try:
                    sent = yield item
                except GeneratorExit as leaving:
                    if not state.closed:
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
                    left = None  # it refers to this frame
                items = _Resumed(source, _nothing())  # this generator yields once more, and so fails as the source did
    except BaseException as error:
        scope.leave(inside, base)
        if not state.closed:
            state.caller_time = held
            tracker.end(state, "raised", error, thrown_in=id(error) == thrown_in)
        raise


async def _ignored(tracker: StreamTracker, state: StreamState, source: Any) -> bool:
    """Ends a stream that its reader closes now, however long the source takes to close.

    Returns whether the source ignored the close and yielded again.
    """
    tracker.end(state, "closed", finished=False)
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


class _Resumed:
    """A source whose next item is the answer to what its reader sent or threw in."""

    __slots__ = ("_answer", "_source")

    def __init__(self, source: Any, answer: Awaitable[Any]) -> None:
        self._source = source
        self._answer: Awaitable[Any] | None = answer

    def __aiter__(self) -> "_Resumed":
        return self

    def __anext__(self) -> Awaitable[Any]:
        answer, self._answer = self._answer, None
        return self._source.__anext__() if answer is None else answer
