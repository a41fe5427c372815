"""The end user's connection goes away in mid-stream, on gunicorn with either of its ASGI workers."""

import urllib.request
from collections.abc import Iterator

import pytest
from otlp_receiver import OtlpReceiver
from servers import APP, GONE, Server, Verdicts, gunicorn, turn, variables
from websockets.sync.client import connect

from autogen_streamtrace.commands.chaos.model_server import ModelServer

pytestmark = pytest.mark.once

CUT = turn(*GONE)


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer() as model:
        yield model


@pytest.fixture(scope="module")
def uvicorns(receiver: OtlpReceiver, model: ModelServer) -> Iterator[Server]:
    """gunicorn with the package ``uvicorn-worker``."""
    with gunicorn(APP, "uvicorn_worker.UvicornWorker", variables(receiver, model), "--graceful-timeout", "1") as server:
        yield server
        assert server.complaints() == [], server.log


@pytest.fixture(scope="module")
def own(receiver: OtlpReceiver, model: ModelServer) -> Iterator[Server]:
    """gunicorn with its own worker."""
    with gunicorn(APP, "asgi", variables(receiver, model), "--graceful-timeout", "1") as server:
        yield server
        assert server.complaints() == [], server.log


@pytest.fixture
def verdicts(receiver: OtlpReceiver) -> Verdicts:
    return Verdicts(receiver)


def leave(server: Server, verdicts: Verdicts, route: str) -> None:
    with urllib.request.urlopen(f"{server.url}/{route}/{verdicts.agent}/stall") as response:
        assert response.read(10)


def leave_socket(server: Server, verdicts: Verdicts) -> None:
    with connect(f"{server.socket_url}/socket/{verdicts.agent}/stall") as socket:
        socket.send("hello")
        assert socket.recv()


@pytest.mark.parametrize("route", ["response", "sse", "own", "around/response"])
def test_on_uvicorns_worker_it_is_known(uvicorns: Server, verdicts: Verdicts, route: str) -> None:
    leave(uvicorns, verdicts, route)
    assert verdicts.of_turn(uvicorns) == CUT


def test_on_uvicorns_worker_it_is_known_of_a_socket(uvicorns: Server, verdicts: Verdicts) -> None:
    leave_socket(uvicorns, verdicts)
    assert verdicts.of_turn(uvicorns) == CUT


def test_on_gunicorns_own_worker_it_is_known_where_the_application_listens(own: Server, verdicts: Verdicts) -> None:
    leave(own, verdicts, "sse")
    assert verdicts.of_turn(own) == CUT


def test_on_gunicorns_own_worker_it_is_known_of_a_socket(own: Server, verdicts: Verdicts) -> None:
    leave_socket(own, verdicts)
    assert verdicts.of_turn(own) == CUT


@pytest.mark.parametrize("route", ["response", "own", "around/response"])
def test_on_gunicorns_own_worker_a_streaming_response_is_only_cancelled(
    own: Server, verdicts: Verdicts, route: str
) -> None:
    """It speaks ASGI 2.4, under which Starlette does not listen; gunicorn cancels the task three seconds later."""
    leave(own, verdicts, route)
    assert verdicts.of_turn(own) == turn("cancelled", "caller", "task")


@pytest.mark.parametrize("which", ["uvicorns", "own"])
def test_a_socket_on_which_nobody_listens_tells_when_it_is_written_to(
    request: pytest.FixtureRequest, verdicts: Verdicts, which: str
) -> None:
    server = request.getfixturevalue(which)
    with connect(f"{server.socket_url}/deaf/{verdicts.agent}/slow") as socket:
        assert socket.recv()
    assert verdicts.of_turn(server) == CUT


def test_on_gunicorns_own_worker_a_handler_that_only_awaits_is_cancelled(own: Server, verdicts: Verdicts) -> None:
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(f"{own.url}/awaited/{verdicts.agent}/stall", timeout=0.5)
    assert verdicts.of_turn(own) == turn("cancelled", "caller", "task")
