"""The tap around a stream that has to stay the object that it is: whoever made it checks its class."""

from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry.context import Context

from autogen_streamtrace.core.errors import report
from autogen_streamtrace.core.stream import scope
from autogen_streamtrace.core.stream.scope import get, switch
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState, clock
from autogen_streamtrace.core.tap.notes import Note
from autogen_streamtrace.core.tracker import StreamTracker

Advance = Callable[[], Awaitable[Any]]
Step = Callable[[Any], Awaitable[Any]]
"""Reads the next item of a stream."""


class Reading:
    """How one stream is read. Its class's methods are called through those of a ``Reading``.

    A stream may read or close itself inside one of its methods, or a second task may call one meanwhile. Only the
    outermost call is the reader's; a call inside it passes through.

    Args:
        tracker: takes the stream's start and end.
        info: what is known of the stream.
        note: reads each item.
        begun: called with the state when the stream opens.

    Set ``step`` before the first item is read. What runs for each item of each layer is in as few calls as can be.
    """

    __slots__ = (
        "_base",
        "_begun",
        "_context",
        "_derived",
        "_finishing",
        "_info",
        "_inside",
        "_note",
        "_state",
        "_tracker",
        "step",
    )

    def __init__(
        self,
        tracker: StreamTracker,
        info: StreamInfo,
        note: Note | None = None,
        begun: Callable[[StreamState], object] | None = None,
    ) -> None:
        self._tracker = tracker
        self._info = info
        self._note = note
        self._begun = begun
        self.step: Step
        """The stream's own method, or the ``item`` of the reading inside this one."""
        self._state: StreamState | None = None
        self._inside = False
        """A method that reads runs now."""
        self._finishing = False
        """A method that reads to the end runs now. The items that it reads count."""
        self._context = self._derived = scope.here()
        self._base: Context | None = None
        """Where it was made; the reader's context at its last call, and what was made of that for the source."""

    @property
    def over(self) -> bool:
        """Whether the stream has ended for its reader."""
        return self._state is not None and self._state.closed

    async def item(self, stream: Any) -> Any:
        """Reads the next item."""
        state = self._asked()
        if state is None:
            return await self.step(stream)
        base = get()
        inside = self._derived if base is self._base else self._derive(state, base)
        switch(inside)
        self._inside = True
        try:
            item = await self.step(stream)
        except BaseException as error:
            self._stopped(state, error)
            raise
        finally:
            self._inside = False
            if get() is inside:
                switch(base)
        now = state.last = clock()
        if now > self._tracker.watcher.overdue:
            self._tracker.watcher.give_way(now)
        state.chunks += 1
        if state.chunks == 1:
            state.first = now
        elif now - state.asked > state.longest_gap:
            state.longest_gap = now - state.asked
        if state.content is not None:
            state.content.add(item)
        if self._note is not None:
            try:
                self._note(state, item)
            except Exception as defect:  # an item may be of any class
                report("reading an item", defect)
        return item

    async def ready(self, resolve: Advance) -> Any:
        """Awaits the stream itself, which may start its source."""
        state = self._asked()
        if state is None:
            return await resolve()
        base = get()
        inside = self._derive(state, base)
        switch(inside)
        self._inside = True
        try:
            return await resolve()
        except BaseException as error:
            self._stopped(state, error)
            raise
        finally:
            self._inside = False
            scope.leave(inside, base)

    async def rest(self, finish: Advance) -> Any:
        """Reads to the end."""
        if self._finishing:
            return await finish()
        state = self._asked()
        if state is None:
            return await finish()
        base = get()
        inside = scope.of(state, base)
        switch(inside)
        self._finishing = True
        try:
            result = await finish()
        except BaseException as error:
            self._tracker.end(state, "raised", error)
            raise
        finally:
            self._finishing = False
            scope.leave(inside, base)
        self._tracker.end(state, "returned")
        return result

    async def close(self, close: Advance) -> Any:
        """Closes the stream."""
        state = self._state
        if self._inside or self._finishing or (state is not None and state.closed):
            return await close()
        if state is None:
            self.dropped()
            return await close()
        self._tracker.end(state, "closed", finished=False)
        try:
            return await close()
        finally:
            self._tracker.finished(state)

    def dropped(self) -> None:
        """Ends a stream that nobody refers to any more. Safe in a finaliser."""
        if self._state is None:
            self._state = StreamState.unwatched(self._info)
            self._tracker.never_started(self._info, self._context)
        else:
            self._tracker.end(self._state, "closed")

    def _asked(self) -> StreamState | None:
        """The state of a stream that its reader asks for more; None where another asks, or the stream is over."""
        state = self._state
        if state is None:
            self._state = state = self._tracker.begin(self._info) or StreamState.unwatched(self._info)
            if self._begun is not None and not state.closed:
                self._begun(state)
        elif self._inside or state.closed:
            return None
        else:
            state.asked = clock()
            if state.chunks:
                state.caller_time += state.asked - state.last
        return None if state.closed else state

    def _derive(self, state: StreamState, base: Context) -> Context:
        """The context of the source, for a reader whose context is ``base``."""
        self._base, self._derived = base, scope.of(state, base)
        return self._derived

    def _stopped(self, state: StreamState, error: BaseException) -> None:
        """Ends a stream from which ``error`` comes."""
        if isinstance(error, StopAsyncIteration):
            self._tracker.end(state, "returned")
        else:
            self._tracker.end(state, "raised", error)
