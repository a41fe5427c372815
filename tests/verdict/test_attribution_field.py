"""Whose verdict in the field: siblings, cancellations inside, short replies, sessions, end users who left."""

import asyncio

import pytest
from attribution_streams import DONE, HALF, Streams, error, flattened, late, origins, outcomes, over, told

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.deadlines import Deadline
from autogen_streamtrace.core.stream.state import StreamState

INVALID = "pydantic_core._pydantic_core.ValidationError"
USER_LEFT = "starlette.websockets.WebSocketDisconnect"


@pytest.fixture
def streams() -> Streams:
    return Streams()


def by(*records: StreamState) -> list[tuple[str, str, str | None]]:
    return [(told(state).outcome, told(state).ended_by, told(state).cancelled_by) for state in records]


# Siblings.


def test_a_healthy_sibling_of_a_failed_agent_is_given_up_by_the_agents_and_is_no_origin(streams: Streams) -> None:
    team = streams.start("team")
    good, bad = streams.turn(team), streams.turn(team)
    streams.raises(error("httpx.ReadError"), *reversed(bad))
    streams.raises(flattened("ReadError"), team)
    assert outcomes(team, *bad) == ["disconnected"] * 4
    assert by(*good) == [("cancelled", "agent", "task")] * 3
    assert origins(team, *good, *bad) == ["http"]
    assert told(good[0]).fault


def test_what_the_failed_one_had_open_itself_takes_its_verdict(streams: Streams) -> None:
    team = streams.start("team")
    agent, model, http = streams.turn(team)
    streams.raises(ValueError("no"), agent)
    streams.raises(flattened("ValueError"), team)
    assert by(team, agent, model, http) == [("failed", "agent", None)] * 4


def test_a_sibling_that_had_delivered_its_end_is_complete(streams: Streams) -> None:
    team = streams.start("team")
    good, bad = streams.turn(team), streams.turn(team)
    streams.arrives(good[2], DONE)
    streams.raises(late(), *reversed(bad))
    streams.raises(flattened("ReadTimeout"), team)
    assert told(good[2]).outcome == "completed"
    assert told(good[0]).outcome == "cancelled"


def test_siblings_that_are_cancelled_with_their_team_take_its_verdict(streams: Streams) -> None:
    team = streams.start("team")
    one, other = streams.turn(team), streams.turn(team)
    streams.raises(asyncio.CancelledError(), team)
    assert by(*one, *other) == [("cancelled", "caller", "task")] * 6


# Cancelled inside, and time.


@pytest.mark.parametrize(("layer", "who"), [("tool", "tool"), ("model", "agent")])
def test_a_cancellation_that_nobody_above_caused_arose_where_it_was_seen_and_goes_up(
    streams: Streams, layer: sc.Layer, who: str
) -> None:
    agent = streams.start("agent")
    inner = streams.start(layer, agent)
    streams.raises(asyncio.CancelledError(), inner, agent, inside=True)
    assert by(inner, agent) == [("cancelled", who, "inside")] * 2
    assert origins(inner, agent) == [layer]
    assert told(agent).fault


def test_what_a_stream_cancelled_inside_had_open_takes_its_verdict(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.raises(asyncio.CancelledError(), http)
    streams.raises(asyncio.CancelledError(), model, agent, inside=True)
    assert by(http, model, agent) == [("cancelled", "agent", "inside")] * 3
    assert origins(http, model, agent) == ["model"]


@pytest.mark.parametrize(("struck", "explained"), [(0.5, True), (99.0, False)])
def test_a_deadline_explains_no_ending_before_it_struck(streams: Streams, struck: float, explained: bool) -> None:
    agent = streams.start("agent")
    tool = streams.start("tool", agent)
    streams.raises(asyncio.CancelledError(), tool)
    streams.raises(asyncio.CancelledError(), agent, deadline=Deadline("asyncio.timeout", 3.0, struck))
    assert told(agent).cancelled_by == "deadline"
    assert told(tool).cancelled_by == ("deadline" if explained else "task")
    assert (told(tool).limit is not None) is explained


# Short replies.


@pytest.mark.parametrize(
    ("finish", "outcome"), [("length", "length"), ("content_filter", "filtered"), ("abort", "rejected")]
)
@pytest.mark.parametrize("where", ["model", "agent"])
def test_what_is_raised_over_a_short_reply_takes_its_verdict_and_keeps_its_cause(
    streams: Streams, finish: str, outcome: str, where: str
) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, DONE.replace(b'"stop"', f'"{finish}"'.encode()))
    streams.returns(http)
    invalid = error(INVALID)
    if where == "agent":
        streams.returns(model)
    streams.raises(invalid, *((model, agent) if where == "model" else (agent,)))
    assert outcomes(agent, model, http) == [outcome, outcome, "completed"]
    assert origins(agent, model, http) == ["model"]
    assert told(agent).cause_type == INVALID


def test_what_is_raised_over_a_reply_without_its_end_is_truncated_and_arose_in_the_body(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, HALF)
    streams.returns(http)
    streams.raises(error(INVALID), model, agent)
    assert outcomes(agent, model, http) == ["truncated"] * 3
    assert origins(agent, model, http) == ["http"]


def test_what_is_raised_over_a_whole_reply_is_the_agents_failure(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, DONE)
    streams.returns(http, model)
    streams.raises(error(INVALID), agent)
    assert by(agent, model) == [("failed", "agent", None), ("completed", "model", None)]


def test_another_exception_after_a_short_reply_is_the_agents_failure(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, DONE.replace(b'"stop"', b'"length"'))
    streams.returns(http, model)
    streams.raises(KeyError("no"), agent)
    assert outcomes(agent, model) == ["failed", "length"]


# Sessions beside a turn.


def session(streams: Streams, parent: StreamState) -> StreamState:
    http = streams.start("http", parent)
    http.status, http.tail = 200, None
    return http


def test_a_sessions_exchange_that_is_closed_while_its_tool_goes_on_has_had_enough(streams: Streams) -> None:
    tool = streams.start("tool")
    http = session(streams, tool)
    streams.closes(http)
    streams.returns(tool)
    assert by(http) == [("completed", "caller", None)]


def test_a_sessions_exchange_outlives_the_tool_in_which_it_began(streams: Streams) -> None:
    tool = streams.start("tool")
    http = session(streams, tool)
    streams.returns(tool)
    streams.raises(asyncio.CancelledError(), http)
    assert by(http) == [("completed", "caller", None)]


def test_a_sessions_exchange_is_cancelled_with_its_tool(streams: Streams) -> None:
    tool = streams.start("tool")
    http = session(streams, tool)
    streams.raises(asyncio.CancelledError(), http, tool)
    assert by(http, tool) == [("cancelled", "caller", "task")] * 2


# The end user, inside.


def test_what_an_end_users_leaving_raises_inside_takes_the_server_layers_verdict(streams: Streams) -> None:
    server = streams.start("server")
    team = streams.start("team", server)
    agent = streams.start("agent", team)
    streams.leaves(server)
    streams.raises(over(RuntimeError("no input"), error(USER_LEFT)), agent)
    streams.raises(flattened("RuntimeError"), team)
    assert by(server, team, agent) == [("cancelled", "end_user", "disconnect")] * 3
    assert origins(server, team, agent) == ["server"]
    assert not told(agent).fault


def test_without_a_server_layer_it_is_the_end_users_too_and_arose_where_it_was_raised(streams: Streams) -> None:
    team = streams.start("team")
    agent = streams.start("agent", team)
    streams.raises(over(RuntimeError("no input"), error(USER_LEFT), "__context__"), agent)
    streams.raises(flattened("RuntimeError"), team)
    assert by(team, agent) == [("cancelled", "end_user", "disconnect")] * 2
    assert origins(team, agent) == ["agent"]


def test_a_failure_that_only_looks_alike_is_the_agents(streams: Streams) -> None:
    server = streams.start("server")
    agent = streams.start("agent", server)
    streams.raises(over(RuntimeError("no input"), error("websockets.exceptions.ConnectionClosedError")), agent)
    assert by(agent) == [("failed", "agent", None)]
