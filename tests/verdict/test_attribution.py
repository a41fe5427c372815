"""What a stream takes from its children: each sentence of "Whose verdict counts" in docs/how-a-stream-is-judged.md."""

import asyncio

import pytest
from attribution_streams import DONE, SILENT, Streams, error, flattened, late, node, origins, outcomes, over, told

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence import causes
from autogen_streamtrace.core.stream.state import StreamState
from autogen_streamtrace.core.verdict.limits import Limit


@pytest.fixture
def streams() -> Streams:
    return Streams()


# 2. Up.


@pytest.mark.parametrize("how", ["the same object", "__cause__", "__context__"])
def test_a_stream_takes_the_verdict_of_the_child_whose_exception_it_carries(streams: Streams, how: str) -> None:
    agent, model, http = streams.turn()
    below = late()
    above = below if how == "the same object" else over(error("openai.APITimeoutError"), below, how)
    streams.raises(below, http)
    streams.raises(above, model, agent)
    assert outcomes(agent, model, http) == ["timeout"] * 3
    assert origins(agent, model, http) == ["http"]
    for state in (agent, model):
        verdict = told(state)
        assert (verdict.ended_by, verdict.waiting_on, verdict.waiting_on_name) == ("http_client", "http", "the http")
        assert (verdict.cause_type, verdict.cause_layer) == ("httpx.ReadTimeout", "http")
        assert verdict.limit == told(http).limit == Limit("http_client.read_timeout", 5.0, "configured")


def test_a_chain_goes_on_from_what_the_stream_raised_to_what_the_child_raised(streams: Streams) -> None:
    agent, model, http = streams.turn()
    below = over(late(), TimeoutError())
    streams.raises(below, http)
    streams.raises(over(error("openai.APITimeoutError"), below), model)
    assert told(model).cause_chain == ("openai.APITimeoutError", "httpx.ReadTimeout", "TimeoutError")
    team_like = flattened("APITimeoutError")
    streams.raises(team_like, agent)
    assert told(agent).cause_chain == ("RuntimeError", "openai.APITimeoutError", "httpx.ReadTimeout", "TimeoutError")


def test_a_chain_goes_on_through_a_team_in_a_team(streams: Streams) -> None:
    outer = streams.start("team")
    inner = streams.start("team", outer)
    agent, below = streams.start("agent", inner), over(error("openai.APITimeoutError"), late())
    streams.raises(below, agent)
    streams.raises(flattened("APITimeoutError"), inner)
    streams.raises(flattened("RuntimeError"), outer)
    assert told(inner).cause_chain == ("RuntimeError", "openai.APITimeoutError", "httpx.ReadTimeout")
    assert told(outer).cause_chain == ("RuntimeError", *told(inner).cause_chain)


def test_a_chain_goes_on_below_a_flattened_exception_that_is_raised_on(streams: Streams) -> None:
    agent = streams.start("agent")
    team = streams.start("team", agent)
    member, flat = streams.start("agent", team), flattened("ReadTimeout")
    streams.raises(late(), member)
    streams.raises(flat, team, agent)
    assert told(agent).cause_chain == told(team).cause_chain == ("RuntimeError", "httpx.ReadTimeout")


def test_a_flattened_exception_is_recovered_by_lineage(streams: Streams) -> None:
    team = streams.start("team")
    agent = streams.start("agent", team)
    model = streams.start("model", agent)
    streams.raises(error("openai.APIError"), model, agent)
    streams.raises(flattened("APIError"), team)
    assert outcomes(team, agent, model) == ["rejected"] * 3
    assert told(team).cause_type == "openai.APIError"
    assert origins(team, agent, model) == ["model"]


def test_a_flattened_exception_of_another_name_is_not_the_childs(streams: Streams) -> None:
    team = streams.start("team")
    agent = streams.start("agent", team)
    streams.raises(error("openai.APIError"), agent)
    streams.raises(flattened("KeyError"), team)
    assert (told(team).outcome, told(team).ended_by) == ("failed", "agent")
    assert origins(team, agent) == ["team", "agent"]


def test_an_exception_of_its_own_after_a_childs_is_the_streams(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.raises(late(), http, model)
    streams.raises(ValueError(), agent)
    verdict = told(agent)
    assert (verdict.outcome, verdict.ended_by, verdict.waiting_on, verdict.cause_layer) == (
        "failed",
        "agent",
        "none",
        "agent",
    )


def test_an_exception_that_lies_where_a_childs_dead_one_lay_is_not_taken_for_it(streams: Streams) -> None:
    agent, model, _ = streams.turn()
    childs = late()
    address, dead = id(childs), causes.read(childs)
    del childs
    own = next((each for each in [error("mine.OwnError") for _ in range(100)] if id(each) == address), None)
    if own is None:
        pytest.skip("no memory was used again")
    streams.ends(model, "raised", dead)
    streams.raises(own, agent)
    assert outcomes(agent, model) == ["failed", "timeout"]


def test_a_tools_own_exception_after_an_http_error_status_is_the_tools(streams: Streams) -> None:
    agent = streams.start("agent")
    tool = streams.start("tool", agent)
    http = streams.start("http", tool)
    http.status = 404
    streams.returns(http)
    streams.raises(KeyError(), tool)
    assert (told(http).outcome, told(tool).outcome, told(tool).ended_by) == ("rejected", "failed", "tool")


def test_of_several_failed_children_the_one_whose_exception_is_carried_counts(streams: Streams) -> None:
    agent = streams.start("agent")
    first, second = streams.start("model", agent), streams.start("model", agent)
    carried = error("openai.APIError")
    streams.raises(carried, first)
    streams.raises(late(), second)
    streams.raises(carried, agent)
    assert outcomes(first, second, agent) == ["rejected", "timeout", "rejected"]


@pytest.mark.parametrize("finish", SILENT)
def test_what_a_model_said_goes_up_through_agent_and_team(streams: Streams, finish: str) -> None:
    team = streams.start("team")
    agent = streams.start("agent", team)
    model = streams.start("model", agent)
    model.finish = finish
    streams.returns(model, agent, team)
    assert outcomes(team, agent, model) == [SILENT[finish]] * 3
    assert origins(team, agent, model) == ["model"]


def test_a_truncation_goes_up_from_the_http_exchange(streams: Streams) -> None:
    team = streams.start("team")
    agent = streams.start("agent", team)
    model = streams.start("model", agent)
    http = streams.start("http", model)
    streams.returns(http, model, agent, team)
    assert outcomes(team, agent, model, http) == ["truncated"] * 4
    assert origins(team, agent, model, http) == ["http"]
    assert {told(state).ended_by for state in (team, agent, model, http)} == {"upstream"}


def test_of_several_silent_children_the_last_that_ended_so_counts(streams: Streams) -> None:
    agent = streams.start("agent")
    for finish in ("content_filter", "length", "stop"):
        model = streams.start("model", agent)
        model.finish = finish
        streams.returns(model)
    streams.returns(agent)
    assert outcomes(agent) == ["length"]


@pytest.mark.parametrize("finish", SILENT)
def test_nothing_but_an_exception_goes_up_through_a_tool(streams: Streams, finish: str) -> None:
    agent = streams.start("agent")
    tool = streams.start("tool", agent)
    inner = streams.start("agent", tool)
    model = streams.start("model", inner)
    model.finish = finish
    streams.returns(model, inner, tool, agent)
    assert outcomes(inner, model) == [SILENT[finish]] * 2
    assert outcomes(agent) == ["completed"]
    assert origins(agent, tool, inner, model) == ["model"]


def test_an_exception_goes_up_through_a_tool(streams: Streams) -> None:
    agent = streams.start("agent")
    tool = streams.start("tool", agent)
    http = streams.start("http", tool)
    streams.raises(late(), http, tool, agent)
    assert outcomes(agent, tool, http) == ["timeout"] * 3
    assert origins(agent, tool, http) == ["http"]


def test_a_tools_exception_that_the_agent_swallows_stays_the_tools(streams: Streams) -> None:
    agent = streams.start("agent")
    tool = streams.start("tool", agent)
    streams.raises(ConnectionResetError(), tool)
    streams.returns(agent)
    assert outcomes(agent, tool) == ["completed", "failed"]
    assert told(tool).ended_by == "tool"


# A deadline between two streams.


@pytest.mark.parametrize(("layer", "who"), [("tool", "tool"), ("agent", "agent"), ("team", "agent")])
@pytest.mark.parametrize("how", ["__cause__", "__context__"])
def test_a_timeout_error_over_a_childs_cancellation_proves_a_deadline(
    streams: Streams, layer: sc.Layer, who: str, how: str
) -> None:
    parent = streams.start(layer)
    model = streams.start("model", parent)
    http = streams.start("http", model)
    cancelled = asyncio.CancelledError()
    streams.raises(cancelled, http, model)
    streams.raises(over(TimeoutError(), cancelled, how), parent)
    assert (told(parent).outcome, told(parent).ended_by) == ("failed", who)
    assert origins(parent, model, http) == [layer]
    for state in (model, http):
        verdict = told(state)
        assert (verdict.outcome, verdict.cancelled_by, verdict.fault) == ("cancelled", "deadline", True)
        assert (verdict.waiting_on, verdict.waiting_on_name) == ("http", "the http")


def test_a_timeout_error_that_a_tool_raises_itself_is_its_own_failure(streams: Streams) -> None:
    tool = streams.start("tool")
    streams.raises(TimeoutError(), tool)
    verdict = told(tool)
    assert (verdict.outcome, verdict.ended_by, verdict.cause_type, verdict.cancelled_by) == (
        "failed",
        "tool",
        "TimeoutError",
        None,
    )


# 5. Attempts.


def test_an_attempt_that_a_retry_healed_is_no_fault_of_the_layers_above(streams: Streams) -> None:
    agent, model, refused = streams.turn()
    refused.status = 503
    streams.returns(refused)
    healed = streams.start("http", model)
    streams.arrives(healed, DONE)
    streams.returns(healed, model, agent)
    assert outcomes(agent, model, refused, healed) == ["completed", "completed", "rejected", "completed"]
    assert origins(agent, model, refused, healed) == ["http"]
    assert node(model).attempts == 2
    assert told(refused).error_type == "503"


@pytest.mark.parametrize("first", ["times out", "is truncated"])
def test_a_later_attempt_replaces_one_that_ended_in_another_way(streams: Streams, first: str) -> None:
    agent, model, http = streams.turn()
    if first == "times out":
        streams.raises(late(), http)
    else:
        streams.returns(http)
    again = streams.start("http", model)
    streams.arrives(again, DONE)
    streams.returns(again, model, agent)
    assert outcomes(agent, model, again) == ["completed"] * 3


def test_the_status_of_the_last_attempt_is_the_verdict_of_the_layers_above(streams: Streams) -> None:
    agent, model, http = streams.turn()
    http.status = 429
    streams.closes(http)
    streams.raises(error("openai.RateLimitError", status_code=429), model, agent)
    for state in (agent, model):
        verdict = told(state)
        assert (verdict.outcome, verdict.ended_by, verdict.error_type) == ("rejected", "upstream", "429")
        assert (verdict.waiting_on, verdict.waiting_on_name) == ("http", "the http")
        assert verdict.cause_type == "openai.RateLimitError"
    assert origins(agent, model, http) == ["http"]


def test_a_retry_that_fails_otherwise_is_judged_by_that(streams: Streams) -> None:
    agent, model, http = streams.turn()
    http.status = 503
    streams.returns(http)
    again = streams.start("http", model)
    lost = error("httpx.ConnectError")
    streams.raises(lost, again)
    streams.raises(over(error("openai.APIConnectionError"), lost), model, agent)
    assert outcomes(agent, model, http, again) == ["disconnected", "disconnected", "rejected", "disconnected"]
    assert node(model).attempts == 2


# An exchange in a thread that does not have its tool's context.


def test_a_tool_that_raises_what_a_stray_exchange_raised_takes_its_verdict(streams: Streams) -> None:
    tool, stray = streams.start("tool"), streams.start("http")
    streams.raises(late(), stray, tool)
    assert outcomes(tool, stray) == ["timeout", "timeout"]
    assert told(tool).limit == told(stray).limit
    assert origins(tool, stray) == ["http"]


def test_an_exchange_that_began_before_the_tool_is_not_the_tools(streams: Streams) -> None:
    stray = streams.start("http")
    streams.raises(late(), stray)
    tool = streams.start("tool")
    streams.raises(late(), tool)
    assert told(tool).limit is None
    assert origins(tool, stray) == ["tool", "http"]


def test_a_stray_exchange_with_an_exception_of_its_own_is_nobodys(streams: Streams) -> None:
    tool, stray = streams.start("tool"), streams.start("http")
    streams.raises(late(), stray)
    streams.raises(late(), tool)
    assert told(tool).limit is None


# A session raises an exception of its own over whatever became of its exchange, which another task sent.


def session_error(name: str = "MCPError") -> BaseException:
    return error(f"mcp.shared.exceptions.{name}")


def exchange_that_fails(streams: Streams, tool: StreamState, how: str) -> StreamState:
    http = streams.start("http", tool)
    if how == "rejected":
        http.status = 500
        streams.returns(http)
    elif how == "refused, and not closed yet":
        http.status = 404
    else:
        streams.raises(late() if how == "timeout" else error("httpx.ReadError"), http)
    return http


@pytest.mark.parametrize("how", ["timeout", "disconnected", "rejected", "refused, and not closed yet"])
@pytest.mark.parametrize("above", ["MCPError", "McpError", "a wrapper's"])
def test_a_sessions_exception_is_what_became_of_its_exchange(streams: Streams, how: str, above: str) -> None:
    tool = streams.start("tool")
    http = exchange_that_fails(streams, tool, how)
    raised = over(ValueError(), session_error()) if above == "a wrapper's" else session_error(above)
    streams.raises(raised, tool)
    assert outcomes(tool, http) == ["rejected" if "refused" in how else how] * 2
    assert origins(tool, http) == ["http"]
    assert (told(tool).ended_by, told(tool).waiting_on) == (told(http).ended_by, "http")
    assert told(tool).cause_chain[: len(causes.read(raised).types)] == causes.read(raised).types


def test_a_sessions_exception_after_an_exchange_that_answered_is_the_tools(streams: Streams) -> None:
    tool = streams.start("tool")
    asked_to_log_in = exchange_that_fails(streams, tool, "rejected")
    answered = streams.start("http", tool)
    answered.status, answered.size = 200, 30
    streams.returns(answered)
    streams.raises(session_error(), tool)
    assert outcomes(tool, asked_to_log_in, answered) == ["failed", "rejected", "completed"]


def test_a_farewell_without_an_answer_does_not_heal_the_exchange_before(streams: Streams) -> None:
    tool = streams.start("tool")
    http = exchange_that_fails(streams, tool, "disconnected")
    farewell = streams.start("http", tool)
    farewell.status = 200
    streams.returns(farewell)
    streams.raises(session_error(), tool)
    assert outcomes(tool, http, farewell) == ["disconnected", "disconnected", "completed"]


def test_a_session_that_gives_up_waiting_is_the_tools_failure(streams: Streams) -> None:
    tool = streams.start("tool")
    http = streams.start("http", tool)
    http.status = 200
    streams.raises(session_error(), tool)
    assert outcomes(tool, http) == ["failed", "failed"]
    assert origins(tool, http) == ["tool"]


def test_another_exception_after_a_failed_exchange_is_the_tools(streams: Streams) -> None:
    tool = streams.start("tool")
    exchange_that_fails(streams, tool, "disconnected")
    streams.raises(ValueError(), tool)
    assert told(tool).outcome == "failed"
