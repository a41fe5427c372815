"""Where the server layer's span stands, whatever was applied first; and what the end user receives with it."""

import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_receiver import OtlpReceiver
from servers import APP, Server, Verdicts, uvicorn, variables

from autogen_streamtrace.commands.chaos.model_server import ModelServer


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer() as model:
        yield model


def ask(server: Server, path: str) -> tuple[int, list[tuple[str, str]], bytes]:
    with urllib.request.urlopen(f"{server.url}/{path}") as response:
        headers = sorted(each for each in response.getheaders() if each[0] not in ("date", "x-process"))
        return response.status, headers, response.read()


def of_the_server(told: Verdicts) -> list[Any]:
    return [span for span in told.spans() if span.kind == Span.SPAN_KIND_SERVER]


@pytest.mark.parametrize(
    ("instrument", "official"),
    [("first", ""), ("last", ""), ("first", "after"), ("last", "before")],
)
def test_one_span_below_the_servers_own_and_above_the_agents(
    receiver: OtlpReceiver, model: ModelServer, instrument: str, official: str
) -> None:
    told = {route: Verdicts(receiver) for route in ("response", "mounted/response")}
    environment = variables(receiver, model, INSTRUMENT=instrument, OFFICIAL=official)
    with uvicorn(APP, environment) as server:
        for route, each in told.items():
            ask(server, f"{route}/{each.agent}/ok")
            ours, agent = each.span("server"), each.span("agent")
            assert agent.parent_span_id == ours.span_id
            assert ours.kind == Span.SPAN_KIND_INTERNAL
            assert [span.span_id for span in each.spans() if span.name == "send response body"] == [ours.span_id]
            if ours.parent_span_id:  # which may come in a batch of its own
                receiver.wait_for(lambda _, each=each: of_the_server(each), 40)  # type: ignore[misc]
            server_spans = of_the_server(each)
            assert [span.span_id for span in server_spans] == list(filter(None, [ours.parent_span_id]))
            if official:
                assert len(server_spans) == 1
        assert server.complaints() == []


def test_the_user_receives_the_same_with_and_without(receiver: OtlpReceiver, model: ModelServer) -> None:
    routes = ("response", "sse", "own", "mounted/response", "around/response")
    paths = [*(f"{route}/writer/{fault}" for route in routes for fault in ("ok", "length", "silent")), "quiet"]
    received = []
    for instrument in ("never", "first"):
        with uvicorn(APP, variables(receiver, model, INSTRUMENT=instrument)) as server:
            received.append({path: ask(server, path) for path in paths})
            assert server.complaints() == []
    assert received[0] == received[1]
