"""Whose verdict: when a verdict falls, who ended a stream, and streams that end in any order."""

import asyncio
import time
from collections.abc import Iterable
from typing import Final

import pytest
from attribution_streams import DONE, HALF, Streams, delivers, error, flattened, node, origins, outcomes, over, told
from hypothesis import given
from hypothesis import strategies as st

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence import causes
from autogen_streamtrace.core.stream.state import Ending, StreamState
from autogen_streamtrace.core.verdict.attribution import PATIENCE


@pytest.fixture
def streams() -> Streams:
    return Streams()


# 1. A verdict is fixed once.


def test_a_second_end_changes_nothing(streams: Streams) -> None:
    agent = streams.start("agent")
    streams.returns(agent)
    streams.raises(ValueError(), agent)
    assert outcomes(agent) == ["completed"]
    assert streams.settled == [node(agent)]


def test_a_verdict_falls_at_the_readers_end_and_the_stream_is_settled_at_its_own(streams: Streams) -> None:
    agent = streams.start("agent")
    streams.closes(agent, finished=False)
    assert outcomes(agent) == ["abandoned"]
    assert streams.settled == []
    assert node(agent) in streams.attribution.open
    streams.finishes(agent, 9.0)
    streams.finishes(agent, 10.0)
    assert streams.settled == [node(agent)]
    assert (node(agent).verdict_at, node(agent).finished_at) == (2.0, 9.0)


# Who ended it, and what it was waiting for.


@pytest.mark.parametrize(
    ("inner", "who"), [((), "agent"), (("model",), "model"), (("model", "tool"), "tool"), (("tool", "model"), "model")]
)
def test_a_finished_agent_was_ended_by_whoever_ended_its_last_completed_stream(
    streams: Streams, inner: Iterable[sc.Layer], who: str
) -> None:
    team = streams.start("team")
    agent = streams.start("agent", team)
    for layer in inner:
        streams.returns(streams.start(layer, agent))
    streams.returns(agent, team)
    assert [told(state).ended_by for state in (agent, team)] == [who, who]


def test_a_failed_inner_stream_does_not_count_as_the_one_that_ended_an_agent(streams: Streams) -> None:
    agent = streams.start("agent")
    streams.returns(streams.start("model", agent))
    streams.raises(ValueError(), streams.start("tool", agent))
    streams.returns(agent)
    assert told(agent).ended_by == "model"


def test_of_several_open_tools_the_newest_that_is_still_open_is_waited_for(streams: Streams) -> None:
    agent = streams.start("agent")
    first, second, third = (streams.start("tool", agent, name) for name in ("one", "two", "three"))
    streams.returns(third)
    streams.raises(asyncio.CancelledError(), agent)
    assert (told(agent).waiting_on, told(agent).waiting_on_name) == ("tool", "two")
    streams.raises(asyncio.CancelledError(), first, second)
    assert outcomes(first, second, third) == ["cancelled", "cancelled", "completed"]
    assert origins(agent, first, second) == ["agent"]


def test_a_stream_without_open_children_waits_for_itself(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, DONE)
    streams.returns(http, model)
    streams.raises(asyncio.CancelledError(), agent)
    assert (told(agent).waiting_on, told(agent).waiting_on_name) == ("agent", "the agent")


def test_a_child_whose_item_is_held_is_not_waited_for(streams: Streams) -> None:
    agent, model, _ = streams.turn()
    model.chunks, model.last, model.asked = 1, 2.0, 1.0
    streams.raises(asyncio.CancelledError(), agent)
    assert (told(agent).waiting_on, told(agent).waiting_on_name) == ("agent", "the agent")


# The end of the loop and of the process.


def test_streams_of_a_closed_loop_are_abandoned_and_those_of_others_go_on(streams: Streams) -> None:
    agent, model, http = streams.turn()
    other = streams.start("agent")
    other.loop = 2
    streams.loop_closes(Ending("closed", 9.0, held=True, cause=causes.CLOSED))
    assert outcomes(agent, model, http) == ["abandoned"] * 3
    assert origins(agent, model, http) == ["agent"]
    assert {told(state).waiting_on for state in (agent, model, http)} == {"caller"}
    assert len(streams.settled) == 3
    assert streams.attribution.open == [node(other)]


def test_the_interpreters_end_kills_what_is_open_and_not_what_was_finished(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, DONE)
    tool = streams.start("tool", agent, "fetch")
    streams.dies(20.0)
    assert outcomes(agent, model, http, tool) == ["killed", "killed", "completed", "killed"]
    assert {told(state).ended_by for state in (agent, model, tool)} == {"process"}
    assert (told(agent).waiting_on, told(agent).waiting_on_name) == ("tool", "fetch")
    assert origins(agent, model, tool) == ["agent"]
    assert not streams.attribution.open


def test_the_interpreters_end_leaves_a_verdict_that_has_fallen(streams: Streams) -> None:
    agent = streams.start("agent")
    streams.closes(agent, finished=False)
    streams.dies(20.0)
    assert outcomes(agent) == ["abandoned"]
    assert streams.settled == [node(agent)]


# Any streams, ending in any order.

LAYERS: Final[tuple[sc.Layer, ...]] = ("http", "model", "tool", "agent", "team", "stream")
ERRORS: Final = (
    "httpx.ReadTimeout",
    "httpx.ReadError",
    "openai.APIError",
    "json.decoder.JSONDecodeError",
    "mine.Error",
)


@st.composite
def lives(draw: st.DrawFn) -> Streams:
    """Streams that start under any others, read, end and go on in any order, until all are over."""
    streams = Streams()
    records = streams.records
    shared = [asyncio.CancelledError(), *map(error, ERRORS), TimeoutError(), flattened("ReadTimeout")]
    for _ in range(draw(st.integers(1, 25))):
        what = draw(st.sampled_from(["start", "start", "item", "end", "end", "over", "tick", "stopped"]))
        state = draw(st.sampled_from(records)) if records else None
        if what == "start" or state is None:
            parent = draw(st.sampled_from([None, *records]))
            streams.start(draw(st.sampled_from(LAYERS)), parent)
        elif what == "item":
            delivers(state)
            state.last = state.asked + draw(st.sampled_from([-1.0, 1.0]))
        elif what == "end":
            end(draw, streams, state, shared)
        elif what == "over" and node(state).ending is not None:
            streams.finishes(state, streams.now)
        elif what == "tick":
            streams.now += draw(st.sampled_from([0.0, PATIENCE]))
            streams.ticks()
        elif what == "stopped" and draw(st.booleans()):
            streams.loop_closes(Ending("closed", streams.now, cause=causes.CLOSED))
    for state in draw(st.permutations(records)):
        end(draw, streams, state, shared)
        streams.finishes(state, streams.now)
    streams.ticks(PATIENCE)
    return streams


def end(draw: st.DrawFn, streams: Streams, state: StreamState, shared: list[BaseException]) -> None:
    if state.layer == "http":
        state.status = draw(st.sampled_from([None, 200, 503]))
        streams.arrives(state, draw(st.sampled_from([b"", HALF, DONE])))
    if state.layer == "model":
        state.finish = draw(st.sampled_from([None, "stop", "length", "abort"]))
    how = draw(st.sampled_from(["returned", "raised", "closed"]))
    if how == "raised":
        cause = draw(st.sampled_from(shared))
        if draw(st.booleans()):
            cause = over(draw(st.sampled_from([TimeoutError(), error("openai.APIConnectionError")])), cause)
        streams.raises(cause, state, finished=draw(st.booleans()))
    else:
        streams.ends(state, how, held=draw(st.booleans()), finished=draw(st.booleans()))


@given(lives())
def test_every_stream_gets_one_verdict_and_is_settled_once(streams: Streams) -> None:
    records = streams.records
    assert sorted(map(id, streams.settled)) == sorted(id(node(state)) for state in records)
    assert not streams.attribution.open
    assert not streams.attribution.impatient
    for state in records:
        assert told(state).outcome in set(sc.OUTCOMES) - {"killed", "never_started"}


@given(st.data())
def test_of_streams_that_were_stopped_together_the_outermost_is_the_only_origin(data: st.DataObject) -> None:
    streams = Streams()
    records = streams.records
    streams.start("team")
    for _ in range(data.draw(st.integers(0, 8))):
        layer = data.draw(st.sampled_from([each for each in LAYERS if each != "http"]))
        streams.start(layer, data.draw(st.sampled_from(records)))
    for state in data.draw(st.permutations(records)):
        if node(state).ending is None:
            streams.stops(state, data.draw(st.sampled_from(["closed", "cancelled"])))
    assert [state for state in records if told(state).origin] == records[:1]
    assert len(set(outcomes(*records))) == 1


# What a stream costs, and what is forgotten.


def test_a_settled_stream_is_no_parent_and_the_nearest_that_goes_on_is(streams: Streams) -> None:
    agent = streams.start("agent")
    tool = streams.start("tool", agent)
    streams.returns(tool)
    inside = streams.start("agent", tool)
    assert node(inside).parent is node(agent)
    streams.returns(inside, agent)
    later = streams.start("agent", tool)
    assert node(later).parent is None
    assert node(later).outermost


def test_a_stream_holds_none_that_is_settled_once_it_is_released(streams: Streams) -> None:
    server = streams.start("server")
    agent = streams.start("agent", server)
    tool = streams.start("tool", agent)
    streams.ends(agent, "returned")
    streams.ends(tool, "returned")
    for state in (agent, tool):
        node(state).release()
    assert tool.parent is server and node(tool).parent is node(server)


@pytest.mark.once
def test_a_child_costs_the_same_among_many_as_among_few(streams: Streams) -> None:
    def seconds(children: int) -> float:
        agent = streams.start("agent")
        began = time.thread_time()
        states = [streams.start("model", agent) for _ in range(children)]
        streams.returns(*states)
        return time.thread_time() - began

    few = min(seconds(200) for _ in range(5))
    many = min(seconds(10_000) for _ in range(2))
    assert many < few * 50 * 3
