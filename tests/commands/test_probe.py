"""`probe` against real servers, through a real nginx."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import uvicorn
from click.testing import CliRunner, Result
from harness.nginx import nginx, wait_for
from ports import free_port

from autogen_streamtrace.cli import app
from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.commands.probe import echo as echo_app
from autogen_streamtrace.commands.probe import idle
from autogen_streamtrace.commands.probe.exchange import End, Exchange

pytestmark = pytest.mark.once

NO_BUFFERING = "proxy_buffering off;"
BUFFERING = "proxy_buffering on; proxy_http_version 1.0;"
"""What comes chunked over HTTP/1.1 nginx passes on at once, buffering or not."""
COMPRESSING = "proxy_http_version 1.1; gzip on; gzip_types text/event-stream; gzip_proxied any;"
"""Unless it compresses it."""


@contextmanager
def served(application: Any) -> Iterator[int]:
    """An application under uvicorn; its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    # With httptools, where that is installed, uvicorn answers in chunks even over HTTP/1.0.
    config = uvicorn.Config(application, http="h11", log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture(scope="module")
def echo_port() -> Iterator[int]:
    """The echo application."""
    with served(echo_app.app) as port:
        yield port


def path_that_ends_after(seconds: float, *, of: str, cleanly: bool = False, header: bytes = b"") -> Any:
    """The echo application behind a limit of ``silence``, or of the whole ``response``.

    What is asked for says whether the limit strikes, and nothing passes once it has: so no pause of the machine can
    let the one overtake the other.
    """
    begins = {"silence": "http.response.body", "response": "http.response.start"}[of]

    async def path(scope: Any, receive: Any, send: Any) -> None:
        begun, struck = asyncio.Event(), asyncio.Event()
        strikes = _asked_for(scope["query_string"].decode(), of) > seconds

        async def pass_on(message: Any) -> None:
            if struck.is_set():
                await asyncio.Event().wait()
            if message["type"] == "http.response.start" and header:
                message["headers"] = [*message["headers"], (b"server", header)]
            await send(message)
            if strikes and message["type"] == begins and not begun.is_set():
                begun.set()
                asyncio.get_running_loop().call_later(seconds, struck.set)

        streaming = asyncio.ensure_future(echo_app.app(scope, receive, pass_on))
        limited = asyncio.ensure_future(struck.wait())
        await asyncio.wait([streaming, limited], return_when=asyncio.FIRST_COMPLETED)
        ended = streaming.done()
        streaming.cancel()
        limited.cancel()
        if cleanly and not ended:
            await send({"type": "http.response.body", "body": b""})

    return path


def _asked_for(query: str, of: str) -> float:
    """Seconds of silence, or of the whole response, that a query asks the echo application for."""
    asked = {"chunks": 10.0, "pause": 0.1, "silence": 0.0, **{name: float(text) for name, text in parse_qsl(query)}}
    return asked["silence"] + (asked["pause"] * (asked["chunks"] - 1) if of == "response" else 0.0)


@pytest.fixture(scope="module")
def gunicorn_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The echo application under gunicorn."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-k", "uvicorn_worker.UvicornWorker", "-b", f"127.0.0.1:{port}"]
    folder = tmp_path_factory.mktemp("gunicorn")
    process = subprocess.Popen(
        [*command, "--no-control-socket", "--log-level", "error", "autogen_streamtrace.commands.probe.echo:app"],
        cwd=folder,
    )
    try:
        wait_for(port, process)  # its master listens before there is a worker
        httpx.get(direct(port, "chunks=1"), timeout=40)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["probe", *arguments])


def told(*arguments: str) -> tuple[dict[str, Any], int]:
    """The JSON document and the exit status."""
    result = run(*arguments, "--json")
    return json.loads(result.stdout), result.exit_code


def direct(port: int, query: str = "chunks=12&pause=0.1") -> str:
    return f"http://127.0.0.1:{port}/?{query}"


def limit(document: dict[str, Any], seconds: float) -> float:
    """The silence after which the path cut, which is to be about this.

    It is shorter where the last piece was read late, and longer where the cut was.
    """
    found: float = min(each["silence"] for each in document["exchanges"] if each["end"] == "cut")
    assert 0.5 * seconds < found < seconds + 1
    return found


def said(pattern: str, verdict: str) -> float:
    """The number that a verdict says at the group of this pattern."""
    match = re.search(pattern, verdict)
    assert match, verdict
    return float(match[1])


@pytest.mark.parametrize("seconds", [1, 2, 3, 5])
def test_the_idle_limit_of_nginx_is_the_time_to_the_cut(tmp_path: Path, echo_port: int, seconds: int) -> None:
    with nginx(tmp_path, echo_port, NO_BUFFERING, f"proxy_read_timeout {seconds}s;") as url:
        document, status = told(url, "--idle", "--most-silence", "8")
    assert status == 1
    assert f"after {limit(document, seconds):.2f} s of silence: nginx's proxy_read_timeout" in document["verdict"]
    assert document["fix"].startswith("proxy_read_timeout")


def test_the_idle_limit_is_found_where_nginx_buffers_too(tmp_path: Path, echo_port: int) -> None:
    with nginx(tmp_path, echo_port, BUFFERING, "proxy_read_timeout 1s;") as url:
        document, _ = told(url, "--idle", "--most-silence", "4")
    assert limit(document, 1) > 0


def test_the_idle_limit_is_found_before_gunicorn_too(tmp_path: Path, gunicorn_port: int) -> None:
    with nginx(tmp_path, gunicorn_port, NO_BUFFERING, "proxy_read_timeout 2s;") as url:
        document, _ = told(url, "--idle", "--most-silence", "4")
    assert limit(document, 2) > 0


@pytest.mark.parametrize("cleanly", [True, False])
def test_a_path_that_ends_a_silent_stream_is_told_whether_it_ends_cleanly_or_not(cleanly: bool) -> None:
    with served(path_that_ends_after(0.8, of="silence", cleanly=cleanly)) as port:
        document, status = told(direct(port, ""), "--idle", "--most-silence", "4")
    found = said(r"^The path cuts a stream after ([\d.]+) s of silence; 0.5 s of silence pass\.", document["verdict"])
    assert status == 1 and 0.4 < found < 1.8 and "read timeout" in document["fix"]


def test_a_limit_of_the_whole_response_is_no_limit_of_silence() -> None:
    with served(path_that_ends_after(1.4, of="response")) as port:
        document, status = told(direct(port, ""), "--idle", "--most-silence", "4")
    found = said(r"^The path cuts a response ([\d.]+) s .*however often something comes", document["verdict"])
    assert status == 1 and 1.4 <= found < 2.4 and "whole response" in document["fix"]


def test_a_response_that_a_busy_machine_let_fall_silent_is_no_limit_of_the_whole_response() -> None:
    """Its events came too late, so the limit of silence cut that response, too."""

    def ask(url: str) -> Exchange:
        asked = _asked_for(url.partition("?")[2], "silence")
        end: End = "whole" if 0 < asked < 0.8 else "cut"
        return Exchange(url, "00-a-b-01", end, status=200, echo=True, arrivals=[(0.1, 10)], ended_at=0.9)

    found = idle.find("http://x/", 4.0, ask)
    assert (found.counts, found.passed) == ("silence", 0.5) and found.limit == pytest.approx(0.8)


def test_who_names_itself_is_named_with_the_lateness_of_its_timers_taken_off() -> None:
    with served(path_that_ends_after(1.5, of="silence", header=b"envoy")) as port:
        document, _ = told(direct(port, ""), "--idle", "--most-silence", "4")
    assert "Envoy" in document["verdict"] and "stream_idle_timeout" in document["verdict"]
    assert 0.1 < said(r"set to about ([\d.]+) s", document["verdict"]) < 1.5


def test_a_clean_end_in_mid_stream_is_no_whole_response() -> None:
    with served(echo_app.app) as port, served(path_that_ends_after(0.5, of="response", cleanly=True)) as path:
        document, status = told(direct(port), "--via", direct(path))
    assert status == 1 and "ends cleanly after" in document["verdict"]


def test_a_path_that_bears_every_silence_asked_for_is_well(echo_port: int) -> None:
    document, status = told(direct(echo_port, ""), "--idle", "--most-silence", "1")
    assert status == 0 and document["verdict"] == "The path bears 1 s of silence, the longest that was asked for."


def test_a_buffering_path_is_told(tmp_path: Path, echo_port: int) -> None:
    with nginx(tmp_path, echo_port, BUFFERING) as url:
        document, status = told(direct(echo_port), "--via", f"{url}/?chunks=12&pause=0.1")
    assert status == 1 and document["verdict"].startswith("nginx buffers: ")
    assert "proxy_buffering off;" in document["fix"]


@pytest.mark.parametrize(("asked", "status"), [("gzip", 1), ("identity", 0)])
def test_a_path_that_holds_back_what_it_compresses_is_told_where_the_client_asks_for_it(
    tmp_path: Path, echo_port: int, asked: str, status: int
) -> None:
    with nginx(tmp_path, echo_port, COMPRESSING) as url:
        via = ("--via", f"{url}/?chunks=12&pause=0.1")
        document, found = told(direct(echo_port), *via, "--header", f"Accept-Encoding: {asked}")
    assert found == status
    assert [each["events"] for each in document["exchanges"]] == [13, 13]


def test_a_path_that_does_not_buffer_is_well(tmp_path: Path, echo_port: int) -> None:
    with nginx(tmp_path, echo_port, NO_BUFFERING) as url:
        document, status = told(direct(echo_port), "--via", f"{url}/?chunks=12&pause=0.1")
    assert status == 0 and document["verdict"].startswith("The stream comes through as it is sent")
    assert [each["events"] for each in document["exchanges"]] == [13, 13]


def test_a_cut_on_the_path_is_told_with_its_silence(tmp_path: Path, echo_port: int) -> None:
    query = "chunks=3&pause=0.1&silence=3"
    with nginx(tmp_path, echo_port, NO_BUFFERING, "proxy_read_timeout 1s;") as url:
        document, status = told(direct(echo_port, query), "--via", f"{url}/?{query}")
    assert status == 1 and "The path does not hold: it is cut after 1 pieces" in document["verdict"]


def test_a_refusal_by_the_path_is_told_with_its_status(tmp_path: Path, echo_port: int) -> None:
    with nginx(tmp_path, echo_port, "proxy_read_timeout 1s;") as url:
        document, status = told(f"{url}/?first=3")
    assert status == 1 and "status 504" in document["verdict"]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("slow/6", "comes through as it is sent"),
        ("silent", "ends cleanly after"),
        ("fin", "is cut after"),
        ("http_429", "status 429"),
    ],
)
def test_a_model_server_is_probed_with_a_body(fault: str, says: str) -> None:
    body = json.dumps({"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "Hello"}]})
    with ModelServer() as server:
        document, _ = told(f"{server.url(*fault.split('/'))}/chat/completions", "--data", body)
    assert says in document["verdict"]


def test_the_same_request_unstreamed_is_compared() -> None:
    body = json.dumps({"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "Hello"}]})
    with ModelServer() as server:
        document, _ = told(f"{server.url('ok')}/chat/completions", "--data", body, "--no-stream")
    assert [each["name"] for each in document["exchanges"]] == ["direct", "unstreamed"]
    assert [each["end"] for each in document["exchanges"]] == ["whole", "whole"]


def test_the_trace_that_is_printed_was_sent(tmp_path: Path, echo_port: int) -> None:
    with nginx(tmp_path, echo_port, NO_BUFFERING, "add_header x-seen $http_traceparent;") as url:
        result = run(f"{url}/?chunks=1")
        assert httpx.get(f"{url}/?chunks=1", headers={"traceparent": "00-a-b-01"}).headers["x-seen"] == "00-a-b-01"
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("trace ")]
    assert len(line.split()[1]) == 32


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        document, status = told(f"http://127.0.0.1:{closed.getsockname()[1]}/")
    assert status == 1 and "no response (ConnectError)" in document["verdict"]


def test_a_stream_without_end_is_given_up(echo_port: int) -> None:
    document, status = told(direct(echo_port, "chunks=1000&pause=0.1"), "--max-time", "0.5")
    assert status == 0 and "still open after" in document["verdict"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["ftp://x/"],
        ["http://x/", "--header", "nonsense"],
        ["http://x/", "--data", "@/absent"],
        ["http://x/", "--no-stream"],
        ["http://x/", "--max-time", "0"],
    ],
)
def test_wrong_use_ends_with_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("query", ["silence=-1", "chunks=many", "pause=nan", "first=1e9"])
def test_the_echo_application_refuses_what_has_no_bound(echo_port: int, query: str) -> None:
    response = httpx.get(direct(echo_port, query))
    assert response.status_code == 400 and "is not allowed; allowed: a number from 0 to" in response.text


def test_the_echo_application_says_where_it_is_and_ends_well_with_ctrl_c() -> None:
    command = (sys.executable, "-m", "autogen_streamtrace", "echo", "--port", "0")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as echo:
        assert echo.stderr is not None
        port = echo.stderr.readline().partition("127.0.0.1:")[2].split()[0]
        assert int(port) > 0
        assert any("startup complete" in line for line in echo.stderr)
        echo.send_signal(signal.SIGINT)
        assert echo.wait(20) == 0
