"""The end user's connection goes away in mid-stream, on a real uvicorn."""

import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

import pytest
from otlp_receiver import OtlpReceiver
from servers import GONE, LAYERS, Server, Verdicts, stands_still, turn, uvicorn, variables
from websockets.sync.client import connect

from autogen_streamtrace.commands.chaos.model.reply import HALF
from autogen_streamtrace.commands.chaos.model_server import ModelServer

CUT = turn(*GONE)
ROUTES: Final = [
    "response",
    "sse",
    "own",
    "mounted/response",
    "around/response",
    *(["framework"] if find_spec("agent_framework_openai") else []),
]
"""Each streams a turn in another way; the last one of Agent Framework."""


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def server(receiver: OtlpReceiver) -> Iterator[Server]:
    with ModelServer() as model, uvicorn("programs.chats:app", variables(receiver, model)) as server:
        yield server
        assert server.complaints() == [], server.log


@pytest.fixture
def verdicts(receiver: OtlpReceiver) -> Verdicts:
    return Verdicts(receiver)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("fault", ["slow", "stall"])
def test_a_user_who_leaves_ends_every_layer(server: Server, verdicts: Verdicts, route: str, fault: str) -> None:
    with urllib.request.urlopen(f"{server.url}/{route}/{verdicts.agent}/{fault}") as response:
        assert response.read(10)
    assert verdicts.of_turn(server) == CUT
    assert (verdicts["server"]["fault"], verdicts["server"]["outermost"]) == (False, True)
    assert not any(verdicts[layer]["fault"] or verdicts[layer]["outermost"] for layer in LAYERS[1:])


def test_what_it_was_doing_is_what_the_model_did(server: Server, verdicts: Verdicts) -> None:
    with urllib.request.urlopen(f"{server.url}/response/{verdicts.agent}/stall") as response:
        words = [response.readline() for _ in range(2 * HALF)][::2]  # each with an empty line; then the model is silent
        assert all(words)
    told = verdicts["server"]
    assert (told["waiting_on.type"], told.get("waiting_on.name")) == ("http", "127.0.0.1")


def test_a_reader_that_is_cancelled_while_it_holds_an_item_was_left_too(server: Server, verdicts: Verdicts) -> None:
    with urllib.request.urlopen(f"{server.url}/ponders/{verdicts.agent}/slow") as response:
        assert response.read(10)
    assert verdicts.of_turn(server) == CUT


def test_a_user_who_takes_no_more_before_he_leaves_holds_the_sender_up(server: Server, verdicts: Verdicts) -> None:
    with urllib.request.urlopen(f"{server.url}/flood/{verdicts.agent}") as response:
        assert response.read(10)
        stands_still(server, verdicts.agent, 0.5)
    told = verdicts["server"]
    assert (told["outcome"], told["ended_by"], told["cancelled_by"]) == GONE
    assert (told["waiting_on.type"], told.get("waiting_on.name")) == ("caller", None)
    assert told["longest_send"] > 0.2


def test_a_socket_closed_in_mid_answer_ends_every_layer(server: Server, verdicts: Verdicts) -> None:
    with connect(f"{server.socket_url}/socket/{verdicts.agent}/slow") as socket:
        socket.send("hello")
        assert socket.recv()
    assert verdicts.of_turn(server) == CUT


def test_a_socket_on_which_nobody_listens_tells_when_it_is_written_to(server: Server, verdicts: Verdicts) -> None:
    with connect(f"{server.socket_url}/deaf/{verdicts.agent}/slow") as socket:
        assert socket.recv()
    assert verdicts.of_turn(server) == CUT


def test_a_socket_closed_after_the_answer_is_not_cut(server: Server, verdicts: Verdicts) -> None:
    with connect(f"{server.socket_url}/socket/{verdicts.agent}/ok") as socket:
        socket.send("hello")
        assert verdicts["agent"]["outcome"] == "completed"
    assert verdicts.of("server") == {"server": ("completed", "model", None, True)}


def test_a_whole_response_is_completed_though_the_user_leaves_after_it(server: Server, verdicts: Verdicts) -> None:
    with urllib.request.urlopen(f"{server.url}/response/{verdicts.agent}/ok") as response:
        size = len(response.read())
    assert {layer: told[:3] for layer, told in verdicts.of(*LAYERS).items()} == dict.fromkeys(
        LAYERS, ("completed", "model", None)
    )
    told = verdicts["server"]
    assert (told["name"], told["http.route"]) == ("/response/{name}/{fault}", "/response/{name}/{fault}")
    assert (told["bytes"], told["http.response.status_code"]) == (size, 200)
    assert told["chunks"] > 1
    assert 0 < told["time_to_first_chunk"] < told["longest_gap"] + told["time_to_first_chunk"]
    assert 0 < told["longest_send"] < 1


def test_a_turn_that_goes_on_without_its_user_keeps_its_own_end(server: Server, verdicts: Verdicts) -> None:
    with urllib.request.urlopen(f"{server.url}/stays/{verdicts.agent}/slow") as response:
        assert response.read(10)
    assert verdicts.of("server", "agent") == {
        "server": (*GONE, True),
        "agent": ("completed", "model", None, True),
    }


def test_where_nobody_listens_it_is_not_known(server: Server, verdicts: Verdicts) -> None:
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(f"{server.url}/awaited/{verdicts.agent}/slow", timeout=0.5)
    assert verdicts.of("server", "agent") == {
        "server": ("completed", "model", None, True),
        "agent": ("completed", "model", None, True),
    }


def test_a_request_without_a_stream_has_no_span(server: Server, verdicts: Verdicts, receiver: OtlpReceiver) -> None:
    with urllib.request.urlopen(f"{server.url}/quiet") as response:
        assert response.read() == b"quiet"
    with urllib.request.urlopen(f"{server.url}/response/{verdicts.agent}/ok") as response:
        response.read()
    assert verdicts["server"]
    assert "/quiet" not in [each.attributes.get("streamtrace.name") for each in receiver.spans()]
