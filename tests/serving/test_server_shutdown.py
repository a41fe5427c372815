"""A real server is told to end with streams open: what stopped them is told before the process is gone."""

import os
import signal
import urllib.request

import pytest
from otlp_receiver import OtlpReceiver
from servers import APP, GONE, LAYERS, SHUT_DOWN, Server, Verdicts, gunicorn, turn, uvicorn, variables
from websockets.sync.client import connect

from autogen_streamtrace.commands.chaos.model_server import ModelServer

CUT = turn(*SHUT_DOWN)
LATE = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_BLRP_SCHEDULE_DELAY": "60000"}
"""Nothing arrives on a timer: what is there was sent at the end."""


def open_responses(server: Server, *verdicts: Verdicts, routes: tuple[str, ...]) -> list[object]:
    """One stream of each route, of which the first words have come."""
    opened = [
        urllib.request.urlopen(f"{server.url}/{route}/{each.agent}/stall")
        for each, route in zip(verdicts, routes, strict=True)
    ]
    assert all(response.read(10) for response in opened)
    return opened


def test_what_uvicorn_cancels_when_its_grace_is_over(receiver: OtlpReceiver, model: ModelServer) -> None:
    routes = ("response", "sse", "own")
    told = [Verdicts(receiver) for _ in routes]
    socket = Verdicts(receiver)
    with uvicorn(APP, variables(receiver, model, **LATE), "--timeout-graceful-shutdown", "1") as server:
        kept = open_responses(server, *told, routes=routes)
        with connect(f"{server.socket_url}/socket/{socket.agent}/stall") as connection:
            connection.send("hello")
            assert connection.recv()
            assert server.ends(signal.SIGTERM) == -signal.SIGTERM
        assert kept
    assert {route: each.of(*LAYERS) for route, each in zip(routes, told, strict=True)} == dict.fromkeys(routes, CUT)
    assert socket.of(*LAYERS) == CUT
    assert all(each["server"]["fault"] for each in (*told, socket))


def test_a_stream_whose_reader_is_cancelled_with_an_item_in_its_hands_is_told_too(
    receiver: OtlpReceiver, model: ModelServer
) -> None:
    told = Verdicts(receiver)
    with uvicorn(APP, variables(receiver, model, **LATE), "--timeout-graceful-shutdown", "1") as server:
        response = urllib.request.urlopen(f"{server.url}/ponders/{told.agent}/slow")
        assert response.read(10)
        assert server.ends(signal.SIGTERM) == -signal.SIGTERM
        response.close()
    assert told.of(*LAYERS) == CUT


def test_a_user_who_leaves_while_the_server_waits_for_him_is_the_user(
    receiver: OtlpReceiver, model: ModelServer
) -> None:
    told = Verdicts(receiver)
    with uvicorn(APP, variables(receiver, model, **LATE), "--timeout-graceful-shutdown", "20") as server:
        with urllib.request.urlopen(f"{server.url}/response/{told.agent}/stall") as response:
            assert response.read(10)
            server.process.send_signal(signal.SIGTERM)
            server.says("Waiting for connections to close")
        assert server.ends() == -signal.SIGTERM
    assert told.of("server", "agent") == {"server": (*GONE, True), "agent": (*GONE, False)}


def test_a_stream_that_ends_while_the_server_waits_for_it_is_whole(receiver: OtlpReceiver, model: ModelServer) -> None:
    told = Verdicts(receiver)
    with uvicorn(APP, variables(receiver, model, **LATE), "--timeout-graceful-shutdown", "20") as server:
        with urllib.request.urlopen(f"{server.url}/response/{told.agent}/slow") as response:
            assert response.read(10)
            server.process.send_signal(signal.SIGTERM)
            assert response.read()
        assert server.ends() == -signal.SIGTERM
    assert told.of("server", "agent") == {
        "server": ("completed", "model", None, True),
        "agent": ("completed", "model", None, True),
    }


@pytest.mark.once
@pytest.mark.parametrize("route", ["response", "sse"])
def test_what_uvicorns_worker_under_gunicorn_cancels_when_its_grace_is_over(
    receiver: OtlpReceiver, model: ModelServer, route: str
) -> None:
    told = Verdicts(receiver)
    worker = "programs.chats.HurriedWorker"
    with gunicorn(APP, worker, variables(receiver, model, **LATE), "--graceful-timeout", "10") as server:
        kept = open_responses(server, told, routes=(route,))
        assert server.ends(signal.SIGTERM, 20) == 0
        assert kept
    assert told.of(*LAYERS) == CUT


@pytest.mark.once
@pytest.mark.parametrize("route", ["response", "sse"])
def test_what_gunicorns_own_worker_cancels_when_it_is_told_to_end_at_once(
    receiver: OtlpReceiver, model: ModelServer, route: str
) -> None:
    told = Verdicts(receiver)
    with gunicorn(APP, "asgi", variables(receiver, model, **LATE), "--graceful-timeout", "10") as server:
        kept = open_responses(server, told, routes=(route,))
        assert server.ends(signal.SIGINT, 20) == 0
        assert kept
    assert told.of(*LAYERS) == CUT


@pytest.mark.once
def test_what_gunicorns_own_worker_cancels_when_its_grace_is_over(receiver: OtlpReceiver, model: ModelServer) -> None:
    """The arbiter itself kills its workers when their grace is over: only a worker told alone has the time."""
    told = Verdicts(receiver)
    with gunicorn(APP, "asgi", variables(receiver, model, **LATE), "--graceful-timeout", "1") as server:
        kept = open_responses(server, told, routes=("response",))
        os.kill(server.workers()[0], signal.SIGTERM)
        assert told.of(*LAYERS) == CUT
        assert kept
