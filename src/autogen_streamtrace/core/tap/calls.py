"""The tap around an awaited call or a block of code, which is a stream without items."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from opentelemetry.trace import INVALID_SPAN, Span

from autogen_streamtrace.core.errors import report
from autogen_streamtrace.core.stream import scope
from autogen_streamtrace.core.stream.scope import get
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState
from autogen_streamtrace.core.tap.notes import Note, note_terminal
from autogen_streamtrace.core.tracker import StreamTracker


async def call(
    tracker: StreamTracker, info: StreamInfo | None, function: Callable[[], Awaitable[Any]], note: Note | None = None
) -> Any:
    """Wraps one awaited call."""
    if info is None:
        return await function()
    with Entered(tracker, info) as state:
        result = await function()
        if state is not None:
            note_terminal(state, result, note)
        return result


class Entered:
    """Wraps a block of code. A context manager that lets every exception pass."""

    __slots__ = ("_base", "_info", "_inside", "_state", "_tracker", "goes_on")

    def __init__(self, tracker: StreamTracker, info: StreamInfo) -> None:
        self._tracker = tracker
        self._info = info
        self.goes_on = False
        """The block began a stream, which outlives it and is ended elsewhere."""

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
        if self.goes_on and error is None:
            return
        self._tracker.end(self._state, "returned" if error is None else "raised", error)


def no_span(*args: Any, **kwargs: Any) -> AbstractContextManager[Span]:
    """Replaces a span of AutoGen's own, which would double ours, by the span of the current stream."""
    state = scope.current()
    return nullcontext(state.span if state is not None else INVALID_SPAN)


def opened(info: Callable[[], StreamInfo]) -> StreamInfo | None:
    """The result of ``info``; None where it failed: the stream is then not watched."""
    try:
        return info()
    except Exception as defect:
        report("naming a stream", defect)
        return None
