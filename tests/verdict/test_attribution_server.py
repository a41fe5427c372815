"""Whose verdict, where a server layer carries the streams."""

import asyncio
from typing import Final

import pytest
from attribution_streams import Streams, error, node, origins, outcomes, told

from autogen_streamtrace.core.evidence.http.exchange import Exchange
from autogen_streamtrace.core.evidence.http.headers import Headers
from autogen_streamtrace.core.stream.state import StreamState
from autogen_streamtrace.core.verdict.attribution import PATIENCE
from autogen_streamtrace.limits import LimitMatcher, builtin

GONE: Final = ("cancelled", "end_user", "disconnect")


@pytest.fixture
def streams() -> Streams:
    return Streams()


def says(*records: StreamState) -> list[tuple[str, str, str | None]]:
    return [(told(state).outcome, told(state).ended_by, told(state).cancelled_by) for state in records]


@pytest.mark.parametrize("how", ["closed", "cancelled"])
def test_what_is_stopped_after_the_user_left_takes_his_verdict(streams: Streams, how: str) -> None:
    server = streams.start("server")
    agent, model, http = streams.turn(server)
    streams.leaves(server)
    for state in (http, model, agent):
        streams.stops(state, how)
    streams.raises(asyncio.CancelledError(), server)
    assert says(server, agent, model, http) == [GONE] * 4
    assert origins(server, agent, model, http) == ["server"]
    assert streams.attribution.open == []


def test_it_falls_when_he_leaves_and_is_settled_when_the_application_is_done(streams: Streams) -> None:
    server = streams.start("server")
    streams.leaves(server)
    assert says(server) == [GONE]
    assert streams.settled == []
    streams.returns(server)
    assert streams.settled == [node(server)]
    assert (node(server).verdict_at, node(server).finished_at) == (2.0, 3.0)


def test_what_it_was_doing_is_the_innermost_open_operation(streams: Streams) -> None:
    server = streams.start("server")
    streams.turn(server)
    streams.leaves(server)
    assert (told(server).waiting_on, told(server).waiting_on_name) == ("http", "the http")


def test_a_user_who_was_being_sent_something_is_what_it_waited_for(streams: Streams) -> None:
    server = streams.start("server")
    streams.turn(server)
    streams.leaves(server, held=True)
    assert (told(server).waiting_on, told(server).waiting_on_name) == ("caller", "")


def test_what_goes_on_without_him_keeps_its_own_end(streams: Streams) -> None:
    server = streams.start("server")
    first, second = streams.start("agent", server), streams.start("agent", server)
    streams.leaves(server)
    streams.returns(first)
    streams.raises(error("openai.APIError"), second)
    assert outcomes(first, second) == ["completed", "failed"]
    assert origins(first, second) == ["agent"]


def test_what_had_stopped_before_he_left_was_stopped_by_something_else(streams: Streams) -> None:
    server = streams.start("server")
    agent = streams.start("agent", server)
    streams.closes(agent, held=True)
    streams.leaves(server)
    assert says(agent, server) == [("abandoned", "caller", None), GONE]


def test_a_stream_that_starts_after_he_left_and_is_stopped_is_no_origin(streams: Streams) -> None:
    server = streams.start("server")
    streams.leaves(server)
    agent = streams.start("agent", server)
    streams.raises(asyncio.CancelledError(), agent)
    assert says(agent) == [GONE]
    assert origins(agent) == []


def test_a_token_that_is_cancelled_because_he_left_is_not_the_reason(streams: Streams) -> None:
    server = streams.start("server")
    agent = streams.start("agent", server)
    streams.leaves(server)
    streams.raises(asyncio.CancelledError(), agent, by_token=True)
    assert says(agent) == [GONE]


@pytest.mark.parametrize("ended", [True, False])
def test_a_socket_is_cut_only_in_mid_stream(streams: Streams, ended: bool) -> None:
    server = streams.start("server")
    server.terminal = True
    agent = streams.start("agent", server)
    if ended:
        streams.returns(agent)
    streams.leaves(server, idle=True)
    if not ended:
        streams.closes(agent)
    streams.returns(server)
    assert outcomes(server, agent) == (["completed"] * 2 if ended else ["cancelled"] * 2)


def test_what_is_open_when_the_response_is_whole_is_judged_alone(streams: Streams) -> None:
    server = streams.start("server")
    server.terminal = True
    whole, broken, left = (streams.start("agent", server) for _ in range(3))
    streams.returns(server)
    streams.returns(whole)
    streams.raises(error("openai.APIError"), broken)
    streams.closes(left, held=True)
    assert outcomes(server, whole, broken, left) == ["completed", "completed", "failed", "abandoned"]
    assert origins(whole, broken, left) == ["agent", "agent"]


def test_a_reader_that_left_inside_a_whole_response_is_the_caller(streams: Streams) -> None:
    server = streams.start("server")
    server.terminal = True
    agent = streams.start("agent", server)
    streams.closes(agent, held=True)
    streams.returns(server)
    assert says(agent, server) == [("abandoned", "caller", None), ("completed", "agent", None)]


def test_a_shutdown_is_told_by_all_that_it_cancels(streams: Streams) -> None:
    server = streams.start("server")
    records = (*reversed(streams.turn(server)), server)
    streams.raises(asyncio.CancelledError(), *records, shutdown=True)
    assert says(*records) == [("cancelled", "process", "shutdown")] * 4
    assert origins(*records) == ["server"]
    assert told(server).fault


def test_a_shutdown_that_the_response_returns_from_is_one(streams: Streams) -> None:
    server = streams.start("server")
    agent = streams.start("agent", server)
    streams.closes(agent, held=True)
    streams.returns(agent)
    streams.ends(server, "returned", shutdown=True)
    assert says(server, agent) == [("cancelled", "process", "shutdown")] * 2


@pytest.mark.parametrize("by_token", [True, False])
def test_without_a_server_layer_a_token_still_says_who_cancelled(streams: Streams, by_token: bool) -> None:
    agent = streams.start("agent")
    streams.raises(asyncio.CancelledError(), agent, shutdown=True, by_token=by_token)
    assert says(agent) == [("cancelled", "caller", "token") if by_token else ("cancelled", "process", "shutdown")]


def test_deep_below_one_that_is_slow_to_end_patience_is_not_needed(streams: Streams) -> None:
    server = streams.start("server")
    agent, model, http = streams.turn(server)
    streams.leaves(server)
    streams.raises(asyncio.CancelledError(), http, model)
    assert says(model, http) == [GONE] * 2
    streams.ticks(PATIENCE)
    streams.raises(asyncio.CancelledError(), agent)
    assert says(agent) == [GONE]


def test_a_limit_is_suspected_by_how_it_ended() -> None:
    streams = Streams(LimitMatcher(builtin()).suspect)
    http = streams.start("http")
    http.exchange = Exchange(Headers(intermediaries=("nginx",)))
    http.start = http.last = 0.0
    streams.now = 59.0
    streams.raises(error("httpx.RemoteProtocolError"), http)
    limit = told(http).limit
    assert limit is not None
    assert tuple(limit) == ("nginx.proxy_read_timeout", 60.0, "suspected")
