"""The program sees exactly what it would have seen without us: the same script, bare and watched, noticed alike."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs.patched import http
from programs.scripts import RAISED, Move, Op, Source, play
from programs.watching import watching

from autogen_streamtrace import trace_stream
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core import tap
from autogen_streamtrace.core.stream.state import StreamInfo
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.flow.http import exchange

ITEMS = st.sampled_from([None, 0, "", "word", b"", ("a", 1)])
CAUGHT = st.sampled_from(["pass", "pass", "pass", "swallow", "replace", "wrap"])
YIELDS = st.builds(Op, st.just("yield"), ITEMS, CAUGHT)
OPS = st.one_of(
    *[YIELDS] * 4,
    st.builds(Op, st.just("pause"), caught=CAUGHT),
    st.builds(Op, st.just("work"), caught=CAUGHT),
    st.builds(Op, st.just("raise"), st.sampled_from(sorted(RAISED)), CAUGHT),
)
SOURCES = st.builds(
    Source, st.lists(OPS, max_size=7).map(tuple), st.integers(0, 2), st.sampled_from(["", "", "", "mishap"])
)
TURNS = st.integers(0, 4)
MOVES = st.one_of(
    *[st.just(Move("anext"))] * 8,
    st.builds(Move, st.just("asend"), ITEMS),
    st.builds(Move, st.just("athrow"), st.sampled_from(sorted(RAISED))),
    st.builds(Move, st.just("cancel"), TURNS),
    st.builds(Move, st.just("wait_for"), TURNS),
    st.builds(Move, st.just("leave"), TURNS),
    *(st.just(Move(kind)) for kind in ("aclose", "drop", "pause", "elsewhere", "close_elsewhere", "both")),
)


LEAVES_FRESH = ("pause", "cancel", "wait_for")
"""Moves after which a generator may still not have begun."""


@st.composite
def readers(draw: st.DrawFn) -> tuple[Move, ...]:
    """Any moves, but two that no native generator can pass on before its first item.

    Bare, a fresh one refuses a value and can still be read, and lets a ``StopAsyncIteration`` out as it is.
    """
    moves: list[Move] = []
    for move in draw(st.lists(MOVES, max_size=8)):
        fresh = all(each.kind in LEAVES_FRESH for each in moves)
        if not (fresh and ((move.kind == "asend" and move.value is not None) or move == Move("athrow", "stop"))):
            moves.append(move)
    return tuple(moves)


@pytest.fixture(scope="module")
def tracker() -> Iterator[StreamTracker]:
    gc.collect()
    gc.freeze()  # each example collects
    with watching() as told:
        yield told.tracker
    gc.unfreeze()


@settings(max_examples=250)
@given(source=SOURCES, moves=readers())
def test_a_tapped_stream_is_noticed_as_the_bare_one(
    tracker: StreamTracker, source: Source, moves: tuple[Move, ...]
) -> None:
    bare = play(source, moves)
    info = StreamInfo(sc.STREAM, "scripted")
    opening = tap.Unopened(tracker, info)
    assert play(source, moves, lambda stream: tap.tapped(tracker, stream, opening, (tuple,))) == bare


@settings(max_examples=60)
@given(source=SOURCES, moves=readers())
def test_a_stream_traced_twice_is_noticed_as_the_bare_one(
    tracker: StreamTracker, source: Source, moves: tuple[Move, ...]
) -> None:
    bare = play(source, moves)
    told = play(source, moves, lambda stream: trace_stream(trace_stream(stream, "inner"), "outer"))
    assert told == bare


PARTS = st.one_of(
    *[st.builds(Op, st.just("yield"), st.sampled_from([b"", b"data: word", b"data: [DONE]\n\n"]))] * 3,
    st.builds(Op, st.sampled_from(["pause", "work"])),
    st.builds(Op, st.just("raise"), st.sampled_from(["mishap", "timeout", "cancelled"])),
)
BODIES = st.builds(
    Source, st.lists(PARTS, max_size=6).map(tuple), st.integers(0, 2), st.sampled_from(["", "", "mishap"])
)
BODY_MOVES = MOVES.filter(lambda move: move.kind not in ("asend", "athrow", "wait_for"))
"""The HTTP client's own generator around it passes on nothing that is sent or thrown in."""


@settings(max_examples=150)
@given(source=BODIES, moves=st.lists(BODY_MOVES, max_size=8).map(tuple))
def test_a_watched_http_body_is_noticed_as_the_bare_one(
    tracker: StreamTracker, source: Source, moves: tuple[Move, ...]
) -> None:
    class Stream(http.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, parts: Any) -> None:
            self.parts = parts

        def __aiter__(self) -> Any:
            return self.parts

    def body(parts: Any) -> Any:
        state = tracker.begin(StreamInfo(sc.HTTP, "host"))
        assert state is not None
        return exchange._bodies(http, tracker)[0](Stream(parts), state).__aiter__()

    assert play(source, moves, body) == play(source, moves)
