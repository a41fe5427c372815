"""Whose verdict, downwards: what stops a stream, and what a stopped stream takes from its parent."""

import asyncio

import pytest
from attribution_streams import DONE, HALF, SILENT, Streams, delivers, error, late, node, origins, outcomes, told

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.verdict.attribution import PATIENCE


@pytest.fixture
def streams() -> Streams:
    return Streams()


# 3. From above.


@pytest.mark.parametrize("inside_out", [True, False])
def test_a_cancellations_origin_is_the_outermost_and_those_below_take_its_verdict(
    streams: Streams, inside_out: bool
) -> None:
    agent, model, http = streams.turn()
    order = (http, model, agent) if inside_out else (agent, model, http)
    streams.raises(asyncio.CancelledError(), *order)
    assert origins(agent, model, http) == ["agent"]
    for state in (agent, model, http):
        verdict = told(state)
        assert (verdict.outcome, verdict.ended_by, verdict.cancelled_by) == ("cancelled", "caller", "task")
        assert (verdict.waiting_on, verdict.waiting_on_name) == ("http", "the http")


@pytest.mark.parametrize("knows", ["agent", "model", "http"])
def test_a_token_that_any_of_them_knows_of_is_told_by_all(streams: Streams, knows: str) -> None:
    records = streams.turn()
    for state in reversed(records):
        streams.raises(asyncio.CancelledError(), state, by_token=state.layer == knows)
    assert {told(state).cancelled_by for state in records} == {"token"}


def test_a_reader_that_left_is_the_origin_and_those_below_take_its_verdict(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.closes(agent, held=True)
    streams.closes(model, http, held=True)
    assert outcomes(agent, model, http) == ["abandoned"] * 3
    assert origins(agent, model, http) == ["agent"]
    assert {(told(r).ended_by, told(r).waiting_on, told(r).cause_type) for r in (agent, model, http)} == {
        ("caller", "caller", "GeneratorExit")
    }


@pytest.mark.parametrize("layer", ["tool", "agent"])
def test_a_turn_that_was_given_up_did_not_complete_though_its_caller_did_without_it(
    streams: Streams, layer: sc.Layer
) -> None:
    caller = streams.start(layer)
    agent, model, http = streams.turn(caller)
    streams.raises(asyncio.CancelledError(), http, model, agent)
    streams.returns(caller)
    assert outcomes(caller, agent, model, http) == ["completed", "cancelled", "cancelled", "cancelled"]
    assert origins(caller, agent, model, http) == ["agent"]
    assert told(http).ended_by == "caller"


@pytest.mark.parametrize("how", ["closed", "cancelled"])
def test_a_stopped_child_waits_for_its_parents_end_and_keeps_its_own_end_time(streams: Streams, how: str) -> None:
    agent, model, http = streams.turn()
    streams.stops(http, how)
    streams.ticks(PATIENCE - 0.1)
    assert node(http).verdict is None
    assert streams.attribution.impatient
    assert streams.settled == []
    ended = streams.now
    streams.raises(error("openai.APIError"), model, agent)
    assert outcomes(agent, model, http) == ["rejected"] * 3
    assert node(http).finished_at == ended
    assert not streams.attribution.impatient


@pytest.mark.parametrize(("how", "outcome"), [("closed", "abandoned"), ("cancelled", "cancelled")])
def test_patience_ends(streams: Streams, how: str, outcome: str) -> None:
    agent, model, http = streams.turn()
    streams.stops(http, how)
    streams.ticks(PATIENCE)
    assert outcomes(http) == [outcome]
    assert told(http).origin
    streams.returns(model, agent)
    assert outcomes(http, agent) == [outcome, "completed"]


def test_a_parent_that_delivers_an_item_was_not_stopped_with_its_child(streams: Streams) -> None:
    _, model, http = streams.turn()
    delivers(model)
    streams.closes(http)
    streams.ticks()
    assert node(http).verdict is None
    delivers(model)
    streams.ticks()
    assert outcomes(http) == ["abandoned"]
    assert told(http).origin


def test_a_parent_that_starts_another_child_of_the_layer_was_not_stopped_with_the_one_before(streams: Streams) -> None:
    _, model, http = streams.turn()
    streams.raises(asyncio.CancelledError(), http)
    streams.start("tool", model)
    assert node(http).verdict is None
    streams.start("http", model)
    assert outcomes(http) == ["cancelled"]


@pytest.mark.parametrize(("outer", "inner"), [("agent", "tool"), ("team", "agent")])
def test_tools_and_a_teams_agents_are_concurrent_so_that_another_one_says_nothing(
    streams: Streams, outer: sc.Layer, inner: sc.Layer
) -> None:
    parent = streams.start(outer)
    first = streams.start(inner, parent)
    streams.raises(asyncio.CancelledError(), first)
    streams.start(inner, parent)
    delivers(parent)
    streams.ticks()
    assert node(first).verdict is None
    streams.raises(asyncio.CancelledError(), parent)
    assert origins(parent, first) == [outer]


# An exception after the terminator.


def test_an_exception_after_the_terminator_that_nobody_carries_is_nothing(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, DONE)
    streams.raises(late(), http)
    assert node(http).verdict is None
    streams.returns(model, agent)
    assert outcomes(agent, model, http) == ["completed"] * 3
    assert told(http).cause_type == ""


def test_an_exception_after_the_terminator_that_the_parent_carries_is_that(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, DONE)
    streams.raises(late(), http, model, agent)
    assert outcomes(agent, model, http) == ["timeout"] * 3
    assert origins(agent, model, http) == ["http"]
    assert model.terminated
    assert http.terminated


def test_an_exception_after_the_terminator_is_nothing_where_the_parent_fails_otherwise(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, DONE)
    streams.raises(late(), http)
    streams.raises(ValueError(), model, agent)
    assert outcomes(agent, model, http) == ["failed", "failed", "completed"]


def test_an_exception_after_the_terminator_is_nothing_once_patience_ends(streams: Streams) -> None:
    _, _, http = streams.turn()
    streams.arrives(http, DONE)
    streams.raises(late(), http)
    streams.ticks(PATIENCE)
    assert outcomes(http) == ["completed"]


# 4. Down.


@pytest.mark.parametrize("when", ["closed before", "open", "closed after", "returned after"])
def test_a_child_without_an_end_of_its_own_takes_its_parents_verdict_and_keeps_it(streams: Streams, when: str) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, HALF)
    if when == "closed before":
        streams.closes(http)
    streams.raises(error("openai.APIError"), model, agent)
    if when == "closed after":
        streams.closes(http)
    elif when == "returned after":
        streams.returns(http)
    assert outcomes(agent, model, http) == ["rejected"] * 3
    assert origins(agent, model, http) == ["model"]
    assert told(http).cause_type == "openai.APIError"
    assert (node(http) in streams.settled) is (when != "open")


def test_a_verdict_goes_down_to_the_childrens_children(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.raises(ValueError(), agent)
    assert outcomes(model, http) == ["failed", "failed"]
    assert origins(agent, model, http) == ["agent"]


def test_a_child_with_a_terminator_is_completed_whatever_becomes_of_its_parent(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, DONE)
    streams.raises(asyncio.CancelledError(), agent)
    assert outcomes(agent, model, http) == ["cancelled", "cancelled", "completed"]


def test_a_child_with_an_error_status_keeps_it_whatever_becomes_of_its_parent(streams: Streams) -> None:
    agent, model, http = streams.turn()
    http.status = 503
    streams.raises(asyncio.CancelledError(), agent)
    assert outcomes(agent, model, http) == ["cancelled", "cancelled", "rejected"]


def test_a_child_with_an_exception_of_its_own_keeps_its_verdict(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.raises(late(), http)
    streams.raises(asyncio.CancelledError(), model, agent)
    assert outcomes(agent, model, http) == ["cancelled", "cancelled", "timeout"]
    assert origins(agent, model, http) == ["agent", "http"]


@pytest.mark.parametrize("finish", [*SILENT, "stop"])
@pytest.mark.parametrize("when", ["closed before", "open"])
def test_what_a_model_said_of_its_reply_does_not_go_down(streams: Streams, finish: str, when: str) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, HALF)
    if when == "closed before":
        streams.closes(http)
    model.finish = finish
    streams.returns(model, agent)
    assert outcomes(http) == ["completed"]


def test_a_model_learns_its_finish_reason_from_the_body(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, HALF + DONE.replace(b"stop", b"length"))
    streams.returns(http, model, agent)
    assert outcomes(agent, model, http) == ["length", "length", "completed"]


@pytest.mark.parametrize(("how", "origin"), [("closed", False), ("cancelled", False), ("raised", True)])
def test_a_child_that_starts_after_its_parents_verdict_is_judged_alone(
    streams: Streams, how: str, origin: bool
) -> None:
    agent = streams.start("agent")
    streams.closes(agent, finished=False)
    model = streams.start("model", agent)
    if how == "raised":
        streams.raises(late(), model)
    else:
        streams.stops(model, how)
    assert outcomes(model) == [{"closed": "abandoned", "cancelled": "cancelled", "raised": "timeout"}[how]]
    assert told(model).origin is origin
    assert not node(model).outermost
