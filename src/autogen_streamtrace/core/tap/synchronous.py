"""The tap around a synchronous iterator."""

from collections.abc import Generator, Iterator
from functools import partial
from typing import Any

from autogen_streamtrace.core.stream import scope
from autogen_streamtrace.core.stream.scope import get, switch
from autogen_streamtrace.core.stream.state import StreamState, clock
from autogen_streamtrace.core.tap.notes import note_gap
from autogen_streamtrace.core.tap.openings import Opening
from autogen_streamtrace.core.tracker import StreamTracker


def iterated(tracker: StreamTracker, source: Iterator[Any], opening: Opening) -> Generator[Any, Any, Any]:
    """Wraps a synchronous iterator, or a generator.

    Args:
        tracker: takes the stream's end.
        source: the iterator.
        opening: opens the stream at its first read.
    """
    tapped = _read(tracker, source, opening)
    next(tapped)  # so that it learns if it is dropped unread
    if hasattr(source, "__qualname__"):
        tapped.__name__, tapped.__qualname__ = source.__name__, source.__qualname__  # type: ignore[attr-defined]
    return tapped


def _read(tracker: StreamTracker, source: Any, opening: Opening) -> Generator[Any, Any, Any]:
    """What every item passes through; the exits are those of the asynchronous tap.

    A reader that drops the generator and one that closes it look alike here: both close the source at once.
    """
    try:
        sent = yield
    except GeneratorExit:
        opening.unread()
        raise
    state = opening.open()
    collector = opening.collector(state)
    base = get()
    inside = scope.of(state, base)
    step = source.__next__ if sent is None else partial(source.send, sent)
    thrown: BaseException | None = None
    while True:
        try:
            switch(inside)
            item = step()
        except BaseException as error:
            scope.leave(inside, base)
            over = isinstance(error, StopIteration)
            tracker.end(state, "returned" if over else "raised", None if over else error, thrown_in=error is thrown)
            if over:
                return getattr(error, "value", None)
            raise
        switch(base)
        thrown = None
        _arrived(state)
        if collector is not None:
            collector.add(item)
        try:
            sent = yield item
            step = source.__next__ if sent is None else partial(source.send, sent)
        except GeneratorExit:
            if not state.closed:
                state.caller_time += clock() - state.last
            tracker.end(state, "closed")
            if hasattr(source, "close"):
                source.close()
            raise
        except BaseException as error:
            thrown, step = error, partial(source.throw, error)
        state.asked = clock()
        state.caller_time += state.asked - state.last
        if get() is not base:
            base = get()
            inside = scope.of(state, base)


def _arrived(state: StreamState) -> None:
    state.last = clock()
    state.chunks += 1
    if state.chunks == 1:
        note_gap(state, state.last, state.asked)
    elif state.last - state.asked > state.longest_gap:
        state.longest_gap = state.last - state.asked
