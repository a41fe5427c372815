"""A real nginx in between: before the model's server, and before the end user."""

import faulthandler
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.client import IncompleteRead
from pathlib import Path

import pytest
from otlp_receiver import OtlpReceiver
from servers import APP, GONE, Server, Verdicts, nginx, stands_still, turn, uvicorn, variables

from autogen_streamtrace.commands.chaos.model_server import ModelServer

pytestmark = pytest.mark.once

Proxy = Callable[..., AbstractContextManager[Server]]
SHORT_LIMIT = """
[[limit]]
id = "nginx.proxy_read_timeout"
vendor = "nginx"
setting = "proxy_read_timeout"
seconds = 5
counts = "silence"
closes_late = 5
outcomes = ["cancelled"]
status = [504]
fix = "proxy_read_timeout 600s;"
page = "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_read_timeout"
"""


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer() as model:
        yield model


@pytest.fixture(scope="module")
def server(receiver: OtlpReceiver, model: ModelServer) -> Iterator[Server]:
    with uvicorn(APP, variables(receiver, model)) as server:
        yield server


@pytest.fixture
def verdicts(receiver: OtlpReceiver) -> Verdicts:
    return Verdicts(receiver)


def slow_reader(server: Server, path: str) -> socket.socket:
    """An end user with a small window, who has asked and not read."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", server.port))
    reader.sendall(f"GET {path} HTTP/1.0\r\nHost: it\r\n\r\n".encode())
    return reader


# Between the application and the model.


def ask_through(
    tmp_path: Path, receiver: OtlpReceiver, model: ModelServer, told: Verdicts, fault: str, *directives: str
) -> None:
    """One turn whose model stands behind nginx."""
    with nginx(tmp_path, model.port, *directives) as proxy, uvicorn(APP, variables(receiver, proxy)) as server:
        with pytest.raises(urllib.error.HTTPError, match="500"):
            urllib.request.urlopen(f"{server.url}/awaited/{told.agent}/{fault}", timeout=100)
        assert told["server"]


def test_a_cut_in_mid_body_names_nginx(
    tmp_path: Path, receiver: OtlpReceiver, model: ModelServer, verdicts: Verdicts
) -> None:
    ask_through(tmp_path, receiver, model, verdicts, "stall", "proxy_buffering off", "proxy_read_timeout 2s")
    for layer in ("http", "model", "agent", "server"):
        told = verdicts[layer]
        assert (told["outcome"], told["ended_by"], told["intermediary"]) == ("disconnected", "upstream", "nginx")
        assert (told["limit.id"], told["limit.source"]) == ("nginx.proxy_read_timeout", "suspected")
        assert told["limit.value"] == pytest.approx(verdicts["http"]["silence"], abs=0.1)
    assert 1 < verdicts["http"]["silence"] < model.service.hold_limit / 2
    assert verdicts["server"]["outermost"]


def test_a_refusal_before_the_headers_names_nginx(
    tmp_path: Path, receiver: OtlpReceiver, model: ModelServer, verdicts: Verdicts
) -> None:
    ask_through(tmp_path, receiver, model, verdicts, "stall_before_headers", "proxy_read_timeout 1s")
    told = verdicts["http"]
    assert (told["outcome"], told["http.response.status_code"], told["intermediary"]) == ("rejected", 504, "nginx")


@pytest.mark.timeout(150)
def test_a_silence_as_long_as_nginxs_default_is_suspected_of_it(
    tmp_path: Path, receiver: OtlpReceiver, model: ModelServer, verdicts: Verdicts
) -> None:
    faulthandler.cancel_dump_traceback_later()  # it takes a minute, and does not hang
    model.service.hold_limit = 90.0
    ask_through(tmp_path, receiver, model, verdicts, "stall", "proxy_buffering off")
    for layer in ("http", "model", "agent", "server"):
        told = verdicts[layer]
        assert (told["limit.id"], told["limit.value"], told["limit.source"]) == (
            "nginx.proxy_read_timeout",
            60.0,
            "suspected",
        )


# Between the application and the end user.


@pytest.mark.parametrize("buffering", ["on", "off"])
def test_a_user_who_leaves_nginx_is_gone_for_the_application(
    tmp_path: Path, server: Server, verdicts: Verdicts, buffering: str
) -> None:
    with nginx(tmp_path, server.port, f"proxy_buffering {buffering}") as proxy:
        with urllib.request.urlopen(f"{proxy.url}/response/{verdicts.agent}/slow") as response:
            if buffering == "off":
                assert response.read(10)
        assert verdicts.of_turn(server) == turn(*GONE)


def test_a_proxy_that_cuts_at_its_own_limit_looks_like_a_user_who_left_and_is_suspected(
    tmp_path: Path, receiver: OtlpReceiver, model: ModelServer, verdicts: Verdicts
) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_text(SHORT_LIMIT)
    environment = variables(receiver, model, AUTOGEN_STREAMTRACE_LIMITS_FILE=str(limits))
    with (
        uvicorn(APP, environment) as server,
        nginx(tmp_path, server.port, "proxy_buffering off", "proxy_read_timeout 5s") as proxy,
    ):
        urllib.request.urlopen(f"{server.url}/response/first/ok").read()  # what it imports may take longer than that
        response = urllib.request.urlopen(f"{proxy.url}/response/{verdicts.agent}/stall")
        with pytest.raises(IncompleteRead):
            response.read()
        assert verdicts.of_turn(server) == turn(*GONE)
    told = verdicts["server"]
    assert (told["limit.id"], told["limit.value"], told["limit.source"]) == (
        "nginx.proxy_read_timeout",
        5.0,
        "suspected",
    )


def test_a_proxy_that_buffers_takes_all_that_a_slow_user_does_not(
    tmp_path: Path, server: Server, verdicts: Verdicts
) -> None:
    with nginx(tmp_path, server.port, "proxy_buffering on") as proxy:
        reader = slow_reader(proxy, f"/flood/{verdicts.agent}")
        told = verdicts["server"]
        reader.close()
    assert told["outcome"] == "completed"
    assert told["longest_send"] < 10  # otherwise it waits for the user, who never reads


def test_without_buffering_a_slow_user_holds_the_application_up(
    tmp_path: Path, server: Server, verdicts: Verdicts
) -> None:
    with nginx(tmp_path, server.port, "proxy_buffering off") as proxy:
        reader = slow_reader(proxy, f"/flood/{verdicts.agent}")
        stands_still(server, verdicts.agent, 1)  # the user does something else
        while reader.recv(65536):
            pass
        told = verdicts["server"]
        reader.close()
    assert told["outcome"] == "completed"
    assert told["longest_send"] > 0.7
