"""What an object takes its items from that is no iterator itself, as an SDK's stream.

Such an object lives on when its reader leaves the loop, and often for as long as no garbage collection comes. So each
loop gets an iterator of its own, which dies with the loop.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from autogen_streamtrace.core.stream.state import StreamState
from autogen_streamtrace.core.tap.generator import tapped
from autogen_streamtrace.core.tap.openings import Begun
from autogen_streamtrace.core.tap.synchronous import iterated
from autogen_streamtrace.core.tracker import StreamTracker


def items(tracker: StreamTracker, source: Any, opening: Begun) -> "AsyncItems | Items":
    """Wraps the iterator from which an object takes its items, asynchronous or not."""
    if hasattr(source, "__anext__"):
        return AsyncItems(tracker, tapped(tracker, source, opening), opening.state)
    return Items(tracker, iterated(tracker, source, opening), opening.state)


class _Items:
    """Passes on whatever else the iterator can do."""

    __slots__ = ("_source", "_state", "_tracker")

    def __init__(self, tracker: StreamTracker, source: Any, state: StreamState) -> None:
        self._tracker = tracker
        self._source = source
        self._state = state

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


class AsyncItems(_Items):
    """Items that are read asynchronously."""

    __slots__ = ()

    def __anext__(self) -> Awaitable[Any]:
        return self._source.__anext__()  # type: ignore[no-any-return]

    def __aiter__(self) -> "_AsyncLoop":
        return _AsyncLoop(self._tracker, self._state, self._source.__anext__)


class Items(_Items):
    """Items that are read synchronously."""

    __slots__ = ()

    def __next__(self) -> Any:
        return next(self._source)

    def __iter__(self) -> "_Loop":
        return _Loop(self._tracker, self._state, self._source.__next__)


class _AnyLoop:
    """One loop over the items."""

    __slots__ = ("_advance", "_state", "_tracker")

    def __init__(self, tracker: StreamTracker, state: StreamState, advance: Callable[[], Any]) -> None:
        self._tracker = tracker
        self._state = state
        self._advance = advance

    def __del__(self) -> None:
        state = self._state
        if not state.closed and state.held and state.chunks:
            self._tracker.left(state)


class _AsyncLoop(_AnyLoop):
    __slots__ = ()

    def __aiter__(self) -> "_AsyncLoop":
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self._advance()  # type: ignore[no-any-return]


class _Loop(_AnyLoop):
    __slots__ = ()

    def __iter__(self) -> "_Loop":
        return self

    def __next__(self) -> Any:
        return self._advance()
