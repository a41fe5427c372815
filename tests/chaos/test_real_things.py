"""Faults and limits beside the real thing: what a client sees of both is the same, over HTTP/1.1 and HTTP/2."""

import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest
from chaos.chaotic import CHAT, WAIT, Look, Seen, client, look, proxy, see, see_and
from chaos.real_servers import real, served
from ports import free_port
from proxies.programs import PROGRAMS

from autogen_streamtrace.commands.chaos.faults.limits import limit_fault
from autogen_streamtrace.commands.chaos.model_server import ModelServer

pytestmark = pytest.mark.once
PATH: Final = "/v1/chat/completions"
DEBIANS_CADDY: Final = "/usr/bin/caddy"


def at_once(*sights: Callable[[], Seen]) -> list[Look]:
    with ThreadPoolExecutor() as threads:
        return [look(seen) for seen in threads.map(lambda sight: sight(), sights)]


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    """What it says before a silence comes at once: a busy machine's pause between two words is a silence, too."""
    with ModelServer() as running:
        running.service.manner = "flood"
        yield running


SILENCE = {
    "nginx": ("nginx.proxy_read_timeout=2s", {"location": "proxy_read_timeout 2s;"}),
    "haproxy": ("haproxy.timeout_server=2s", {"defaults": "timeout server 2s"}),
    "caddy": ("caddy.read_timeout=2s", {"transport": "read_timeout 2s"}),
    "varnish": (
        "varnish.between_bytes_timeout=2s",
        {"backend": ".between_bytes_timeout = 2s; .first_byte_timeout = 2s;"},
    ),
}


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("kind", SILENCE)
def test_a_silence_in_mid_reply_is_cut_as_the_real_one_cuts_it(
    kind: str, version: str, tmp_path: Path, model: ModelServer
) -> None:
    limit, settings = SILENCE[kind]
    with real(kind, tmp_path, model.port, settings, version) as proxied, proxy(limit) as like:
        theirs, mine = at_once(
            lambda: see(f"{proxied.url}/stall{PATH}", version), lambda: see(like.url + PATH, version)
        )
    assert mine == theirs


def test_an_older_caddy_ends_a_body_cleanly_where_it_cuts_it(tmp_path: Path, model: ModelServer) -> None:
    """Debian's, 2.6: what the fault `silent` does."""
    if not shutil.which(DEBIANS_CADDY) or b"2.6" not in subprocess.check_output([DEBIANS_CADDY, "version"]):
        pytest.skip(f"{DEBIANS_CADDY} is no Caddy 2.6")
    settings = {"transport": "read_timeout 2s", "program": DEBIANS_CADDY}
    with real("caddy", tmp_path, model.port, settings) as proxied, proxy("silent") as like:
        theirs, mine = at_once(lambda: see(f"{proxied.url}/stall{PATH}"), lambda: see(like.url + PATH))
    assert (mine.error, mine.words) == (theirs.error, theirs.words) == ("", 7)


REFUSED = {
    "nginx": ("nginx.proxy_read_timeout=500ms after=request", {"location": "proxy_read_timeout 500ms;"}),
    "haproxy": ("haproxy.timeout_server=500ms after=request", {"defaults": "timeout server 500ms"}),
    "caddy": ("caddy.response_header_timeout=500ms", {"transport": "response_header_timeout 500ms"}),
    "varnish": ("varnish.first_byte_timeout=500ms", {"backend": ".first_byte_timeout = 0.5s;"}),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_reply_that_never_begins_is_refused_as_the_real_one_refuses_it(
    kind: str, tmp_path: Path, model: ModelServer
) -> None:
    limit, settings = REFUSED[kind]
    with real(kind, tmp_path, model.port, settings) as proxied, proxy(limit) as like:
        theirs, mine = at_once(lambda: see(f"{proxied.url}/stall_before_headers{PATH}"), lambda: see(like.url + PATH))
    assert mine == theirs


DOWN = {
    "nginx": "nginx.upstream",
    "haproxy": "haproxy.no_server",
    "caddy": "caddy.upstream",
    "varnish": "varnish.backend",
}


@pytest.mark.parametrize("kind", DOWN)
def test_a_model_that_is_down_is_told_as_the_real_one_tells_it(kind: str, tmp_path: Path) -> None:
    with real(kind, tmp_path, free_port(), {}) as proxied, proxy(DOWN[kind]) as like:
        mine, theirs = look(see(like.url + PATH)), look(see(proxied.url + PATH))
    assert theirs.status in limit_fault(DOWN[kind]).limit.status
    assert mine._replace(status=0) == theirs._replace(status=0)


ONE_TOO_MANY = {
    "nginx": (
        "nginx.limit_conn",
        {"http": "limit_conn_zone $binary_remote_addr zone=z:1m;", "location": "limit_conn z 1;"},
    ),
    "haproxy": ("haproxy.timeout_queue=500ms", {"server": "maxconn 1", "defaults": "timeout queue 500ms"}),
}


@pytest.mark.parametrize("kind", ONE_TOO_MANY)
def test_one_request_too_many_is_refused_as_the_real_one_refuses_it(
    kind: str, tmp_path: Path, model: ModelServer
) -> None:
    limit, settings = ONE_TOO_MANY[kind]
    with (
        real(kind, tmp_path, model.port, settings) as proxied,
        proxy(limit) as like,
        client() as first,
        first.stream("POST", f"{proxied.url}/stall{PATH}", json=CHAT),
    ):
        theirs, mine = at_once(lambda: see(f"{proxied.url}/ok{PATH}"), lambda: see(like.url + PATH))
    assert mine == theirs


def test_caddys_limit_of_the_whole_reply_cuts_as_the_real_one_cuts_it(tmp_path: Path, model: ModelServer) -> None:
    settings = {"servers": "timeouts {\n write 2s\n }"}
    with real("caddy", tmp_path, model.port, settings) as proxied, proxy("caddy.write_timeout=2s") as like:
        theirs, mine = at_once(lambda: see(f"{proxied.url}/slow/40{PATH}"), lambda: see(like.url + PATH))
    assert mine[:4] == theirs[:4]


COMPRESSED = {"nginx": ("nginx.gzip", {"http": "gzip on; gzip_types text/event-stream;"})}


@pytest.mark.parametrize("kind", COMPRESSED)
def test_a_body_that_is_compressed_comes_at_the_end_as_from_the_real_one(
    kind: str, tmp_path: Path, model: ModelServer
) -> None:
    limit, settings = COMPRESSED[kind]
    asked = {"accept-encoding": "gzip"}
    with real(kind, tmp_path, model.port, settings) as proxied, proxy(limit) as like:
        theirs, mine = see(f"{proxied.url}/ok{PATH}", **asked), see(like.url + PATH, **asked)
    assert theirs.headers["content-encoding"] == mine.headers["content-encoding"] == "gzip"
    assert look(mine) == look(theirs)


STOPS: dict[str, tuple[str, dict[str, str], signal.Signals]] = {
    "nginx": ("nginx.worker_shutdown_timeout=500ms", {"main": "worker_shutdown_timeout 500ms;"}, signal.SIGQUIT),
    "haproxy": ("haproxy.hard_stop_after=500ms", {"global": "hard-stop-after 500ms"}, signal.SIGUSR1),
    "caddy": ("caddy.grace_period=500ms", {"global": "grace_period 500ms"}, signal.SIGTERM),
}


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("kind", STOPS)
def test_a_stop_cuts_what_is_open_as_the_real_one_cuts_it(
    kind: str, version: str, tmp_path: Path, model: ModelServer
) -> None:
    limit, settings, stop = STOPS[kind]
    with real(kind, tmp_path, model.port, settings, version) as proxied, proxy(limit) as like:
        theirs, mine = at_once(
            lambda: see_and(lambda: proxied.process.send_signal(stop), f"{proxied.url}/slow/40{PATH}", version),
            lambda: see(like.url + PATH, version),
        )
    assert mine[:4] == theirs[:4]


WORKERS: dict[str, tuple[str, str, list[str], str, signal.Signals | None]] = {
    "uvicorn's graceful shutdown": (
        "uvicorn.timeout_graceful_shutdown=1s",
        "uvicorn",
        ["--timeout-graceful-shutdown", "1"],
        "/",
        signal.SIGTERM,
    ),
    "gunicorn's graceful timeout": (
        "gunicorn.graceful_timeout=1s",
        "gunicorn",
        ["--graceful-timeout", "1"],
        "/",
        signal.SIGTERM,
    ),
    "gunicorn's timeout": ("gunicorn.timeout=1s", "gunicorn", ["--timeout", "1"], "/block", None),
    "a uvicorn that is killed": ("fin", "uvicorn", [], "/", signal.SIGKILL),
    "a gunicorn that is killed": ("fin", "gunicorn", [], "/", signal.SIGKILL),
}


@pytest.mark.parametrize("what", WORKERS)
def test_a_worker_that_ends_cuts_what_is_open_as_the_real_one_cuts_it(what: str, tmp_path: Path) -> None:
    limit, server, options, path, sent = WORKERS[what]

    def end(worker: "subprocess.Popen[bytes]") -> None:
        if sent is signal.SIGKILL:
            os.killpg(worker.pid, sent)
        elif sent is not None:
            worker.send_signal(sent)

    with served(server, tmp_path, *options) as worker, proxy(limit) as like:
        theirs, mine = at_once(
            lambda: see_and(lambda: end(worker.process), worker.url + path), lambda: see(like.url + PATH)
        )
    assert mine[:2] == theirs[:2] == (200, "RemoteProtocolError")


def used_again(url: str, idle: Callable[[socket.socket], object]) -> bytes:
    """What comes on a connection that is used again after it was idle, by a client that does not look first."""
    port = int(url.rpartition(":")[2])
    body = b'{"messages": [], "stream": true}'
    asked = b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (PATH.encode(), len(body), body)
    with socket.create_connection(("127.0.0.1", port), WAIT) as connection:
        connection.sendall(asked)
        came = b""
        while not came.endswith(b"\r\n0\r\n\r\n"):
            came += connection.recv(65536)
        idle(connection)
        try:
            connection.sendall(asked)
            return connection.recv(65536)
        except ConnectionError:
            return b""


IDLE: dict[str, tuple[str, Any]] = {
    "uvicorn": ("uvicorn.timeout_keep_alive=500ms", ["--timeout-keep-alive", "1"]),
    "gunicorn": ("gunicorn.keepalive=500ms", ["--keep-alive", "1"]),
    "nginx": ("nginx.keepalive_timeout=500ms", {"http": "keepalive_timeout 1s;"}),
    "haproxy": ("haproxy.timeout_http_keep_alive=500ms", {"defaults": "timeout http-keep-alive 1s"}),
}


@pytest.mark.parametrize("kind", IDLE)
def test_no_byte_comes_on_a_connection_that_was_idle_for_too_long(
    kind: str, tmp_path: Path, model: ModelServer
) -> None:
    """The real one closes it by itself, and a client may not have noticed; ours closes it as it is used again."""
    limit, how = IDLE[kind]

    def closed(connection: socket.socket) -> None:
        assert select.select([connection], [], [], WAIT)[0], "it stays open"

    def idle(connection: socket.socket) -> None:
        like.ended()
        time.sleep(0.6)

    running = real(kind, tmp_path, model.port, how) if kind in PROGRAMS else served(kind, tmp_path, *how)
    with running as server, proxy(limit) as like:
        assert used_again(server.url, closed) == used_again(like.url, idle) == b""
