"""The tap around whatever is read as a stream, in the same shape: a generator, an iterator or an iterable."""

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.proxy import AutoObjectProxy
from autogen_streamtrace.core.stream import scope
from autogen_streamtrace.core.stream.scope import get, switch
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState, clock
from autogen_streamtrace.core.tap.calls import opened
from autogen_streamtrace.core.tap.generator import tapped
from autogen_streamtrace.core.tap.notes import Note, note_gap, note_terminal
from autogen_streamtrace.core.tap.openings import Unopened
from autogen_streamtrace.core.tracker import StreamTracker


def watched(
    tracker: StreamTracker,
    source: Any,
    info: Callable[[], StreamInfo],
    terminal: type | tuple[type, ...] = (),
    note: Note | None = None,
) -> Any:
    """Wraps whatever is read as a stream, in the same shape. Returns anything else as it is."""
    if not hasattr(source, "__aiter__") and not hasattr(source, "__anext__"):
        return source
    known = opened(info)
    if known is None:
        return source
    if inspect.isasyncgen(source):
        return tapped(tracker, source, Unopened(tracker, known), terminal, note)
    if hasattr(source, "__anext__"):
        shape = _ClosableIterator if hasattr(source, "aclose") else _Iterator
        return shape(source, _Steps(tracker, known, terminal, note))
    return _Iterable(source, lambda iterator: watched(tracker, iterator, lambda: known, terminal, note))


def overheard(source: Any, state: StreamState, terminal: type | tuple[type, ...], note: Note) -> Any:
    """Wraps a stream inside another one of its layer; its terminal item is noted in the other's ``state``."""
    return _Overheard(source, state, terminal, note) if hasattr(source, "__anext__") else source


class _Steps:
    """A stream that is no native generator. Each step is a call of its own, so it may fail and still go on."""

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
        self.closed()
        return await close()

    def closed(self) -> None:
        """Ends a stream that its reader closed or dropped. Safe in a finaliser."""
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
            note_gap(state, state.last, state.asked)
        if state.chunks == 1:
            state.first = state.last
        if state.content is not None:
            state.content.add(item)
        if item.__class__ is str:
            state.size += len(item)
        elif isinstance(item, self._terminal):
            note_terminal(state, item, self._note)


class _Iterable(AutoObjectProxy):  # type: ignore[type-arg]
    """An object that can be iterated several times; each time is a stream of its own."""

    def __init__(self, source: Any, watch: Callable[[Any], Any]) -> None:
        super().__init__(source)
        self._self_watch = watch

    def __aiter__(self) -> Any:
        return self._self_watch(self.__wrapped__.__aiter__())


class _Iterator(AutoObjectProxy):  # type: ignore[type-arg]
    """An iterator. All its other attributes and methods stay as they were."""

    def __init__(self, source: Any, steps: _Steps) -> None:
        super().__init__(source)
        self._self_steps = steps

    def __aiter__(self) -> Any:
        return self

    def __anext__(self) -> Coroutine[Any, Any, Any]:
        return self._self_steps.step(self.__wrapped__.__anext__)

    def __del__(self) -> None:
        self._self_steps.closed()


class _Overheard(AutoObjectProxy):  # type: ignore[type-arg]
    """A stream whose items are those of another one, which has the state."""

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
