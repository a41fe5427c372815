"""Which silences are told, and when: the pure part, on records whose clock the test sets."""

import sys

import pytest
from attribution_streams import Streams, node

from autogen_streamtrace.core.stream.state import StreamState
from autogen_streamtrace.core.watching.pulse import stack
from autogen_streamtrace.core.watching.stalls import Stalls

AFTER = 10.0

pytestmark = pytest.mark.once


def at(state: StreamState, *, asked: float, last: float) -> StreamState:
    state.asked, state.last = asked, last
    return state


def silences(stalls: Stalls, streams: Streams, times: list[float]) -> list[tuple[float, bool]]:
    """At which times the streams are told, and whether that was the first time of a silence."""
    told = []
    for now in times:
        told += [(now, stall.first) for _, stall in stalls.look(streams.attribution.open, now).stalled]
    return told


def test_a_silence_is_told_when_it_reaches_the_patience_and_each_time_it_doubles() -> None:
    streams, stalls = Streams(), Stalls(AFTER)
    at(streams.start("tool"), asked=0.0, last=0.0)
    told = silences(stalls, streams, [float(now) for now in range(100)])
    assert told == [(10.0, True), (20.0, False), (40.0, False), (80.0, False)]


def test_a_silence_that_is_seen_late_is_told_once() -> None:
    streams, stalls = Streams(), Stalls(AFTER)
    at(streams.start("tool"), asked=0.0, last=0.0)
    assert silences(stalls, streams, [45.0, 79.0, 80.0]) == [(45.0, True), (80.0, False)]


def test_an_item_begins_a_new_silence() -> None:
    streams, stalls = Streams(), Stalls(AFTER)
    state = at(streams.start("model"), asked=0.0, last=0.0)
    assert silences(stalls, streams, [10.0]) == [(10.0, True)]
    at(state, asked=12.0, last=11.0)
    assert silences(stalls, streams, [20.0, 21.0, 30.0, 31.0]) == [(21.0, True), (31.0, False)]


def test_the_next_look_is_due_when_a_silence_can_be_told_or_begin() -> None:
    streams, stalls = Streams(), Stalls(AFTER)
    at(streams.start("model"), asked=0.0, last=3.0)
    assert stalls.look(streams.attribution.open, 9.0).next == 13.0
    assert stalls.look(streams.attribution.open, 13.0).next == 13.0 + AFTER / 2


def test_each_layer_of_a_turn_says_what_lies_innermost() -> None:
    streams, stalls = Streams(), Stalls(AFTER)
    for state in streams.turn():
        at(state, asked=0.0, last=0.0)
    found = stalls.look(streams.attribution.open, 10.0).stalled
    assert [(each.state.layer, stall.waiting_on, stall.waiting_on_name) for each, stall in found] == [
        (layer, "http", "the http") for layer in ("agent", "model", "http")
    ]


def test_a_reader_that_holds_an_item_is_what_its_stream_waits_for() -> None:
    streams, stalls = Streams(), Stalls(AFTER)
    at(streams.start("model"), asked=1.0, last=2.0)
    ((_, stall),) = stalls.look(streams.attribution.open, 12.0).stalled
    assert (stall.waiting_on, stall.waiting_on_name, stall.silence) == ("caller", "", 10.0)


def test_a_stream_that_has_ended_for_its_reader_is_never_stalled() -> None:
    streams, stalls = Streams(), Stalls(AFTER)
    state = at(streams.start("model"), asked=0.0, last=0.0)
    assert stalls.stalled(node(state), 10.0)
    state.closed = True
    assert not stalls.stalled(node(state), 10.0)
    assert silences(stalls, streams, [10.0]) == []


def test_a_silence_in_which_nothing_could_run_is_told_of_streams_that_go_on_already() -> None:
    streams, stalls = Streams(), Stalls(AFTER)
    state = at(streams.start("model"), asked=31.0, last=30.0)
    state.start, state.longest_gap = 0.0, 25.0
    ((_, stall),) = stalls.held_up(streams.attribution.open, 6.0, 30.0)
    assert (stall.silence, stall.loop_blocked) == (25.0, True)


def test_a_stack_names_file_line_and_function_innermost_first() -> None:
    def inner() -> str:
        return stack(sys._getframe())

    first, second, *_ = inner().splitlines()
    line = inner.__code__.co_firstlineno
    assert first == f"{__file__}:{line + 1} in inner"
    assert second.startswith(f"{__file__}:{line + 3} in test_a_stack_names")


def test_a_deep_stack_keeps_its_innermost_frames_within_8_kilobytes() -> None:
    def deep(depth: int) -> str:
        return deep(depth - 1) if depth else stack(sys._getframe())

    text = deep(300)
    assert 7000 < len(text) <= 8192
    assert all(line.endswith(" in deep") for line in text.splitlines())
