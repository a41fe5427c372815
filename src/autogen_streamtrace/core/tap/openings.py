"""How a stream behind a tap is opened: at its first read, or before that with the call that began it."""

import contextlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from autogen_streamtrace.core.errors import contained, report
from autogen_streamtrace.core.stream import scope
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState, clock
from autogen_streamtrace.core.tracker import StreamTracker


class Collector(Protocol):
    """Takes each item of a stream."""

    def add(self, item: Any) -> None:
        """Takes an item as it arrives."""


class Opening(Protocol):
    """A stream that nobody has read from."""

    def open(self) -> StreamState:
        """Called at the first read."""

    def unread(self) -> None:
        """Called if there is none. Safe in a finaliser."""

    def collector(self, state: StreamState) -> Collector | None:
        """Who takes each item, if anybody."""


class Unopened:
    """A stream that begins with its first read."""

    __slots__ = ("_context", "_info", "_reader", "_tracker")

    def __init__(self, tracker: StreamTracker, info: StreamInfo, reader: "Reader | None" = None) -> None:
        self._tracker = tracker
        self._info = info
        self._reader = reader
        self._context = scope.here()

    def open(self) -> StreamState:
        """Begins it."""
        return self._tracker.begin(self._info) or StreamState.unwatched(self._info)

    def unread(self) -> None:
        """It never began."""
        self._tracker.never_started(self._info, self._context)

    def collector(self, state: StreamState) -> Collector | None:
        """Whoever reads its items, else where its contents are recorded."""
        return state.content if self._reader is None else Collected(state, self._reader)


class Reader(NamedTuple):
    """Reads the items of a model's stream that are no text themselves, as an SDK delivers them."""

    text: Callable[[Any], str]
    """The piece of the reply's text in an item."""
    ends: Callable[[Any], str]
    """Why the reply ended, as an item says; empty where it says nothing of that."""
    holds: Callable[[Any], bool]
    """Whether an item holds a piece of the reply, be it a text or not."""
    whole: Callable[[Any], str]
    """The text of an unstreamed reply."""


_MISSHAPEN: Final = (AttributeError, LookupError, TypeError)
"""What reading raises where an item is not of its API's shape. A server may send anything, and an SDK pass it on."""


def note_whole(state: StreamState, reply: Any, reader: Reader) -> None:
    """Reads an unstreamed reply into its stream's state. One of another shape holds nothing."""
    state.terminal = state.items_read = True
    state.empty = True
    with contained("reading a reply"), contextlib.suppress(*_MISSHAPEN):
        text = reader.whole(reply)
        state.empty = False
        state.size = len(text)
        if state.content is not None:
            state.content.add(text)


class Collected:
    """Reads each item of a stream into its state."""

    __slots__ = ("_ends", "_holds", "_last", "_state", "_text")

    def __init__(self, state: StreamState, reader: Reader) -> None:
        self._state = state
        self._text, self._ends, self._holds = reader.text, reader.ends, reader.holds
        self._last = 0.0
        """When the last item arrived, in seconds on ``clock``."""
        state.empty = state.items_read = True

    def add(self, item: Any) -> None:
        """Counts the characters of an item, and looks whether it says why the reply ended."""
        state = self._state
        if self._last:
            state.caller_time += state.asked - self._last
        self._last = state.last
        try:
            text = self._text(item)
            state.size += len(text)
            if state.content is not None:
                state.content.add(text)
            if state.empty and self._holds(item):
                state.empty = False
            why = self._ends(item)
            if why and isinstance(why, str):
                state.terminal = state.terminated = True
                state.finish = why
        except _MISSHAPEN:
            pass
        except Exception as defect:
            report("reading an item", defect)


class Begun:
    """A stream whose call was made, and which is open since."""

    __slots__ = ("_reader", "_tracker", "state")

    def __init__(self, tracker: StreamTracker, state: StreamState, reader: Reader) -> None:
        self._tracker = tracker
        self.state = state
        self._reader = reader

    def open(self) -> StreamState:
        """It is read from now on."""
        self.state.asked = clock()
        return self.state

    def unread(self) -> None:
        """It was called for and not read."""
        self._tracker.end(self.state, "unread")

    def collector(self, state: StreamState) -> Collector | None:
        """Reads its items."""
        return Collected(state, self._reader)
