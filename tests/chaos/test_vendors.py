"""Limits as they are played, beside the real thing: what a client sees of both is the same."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from chaos.chaotic import CHAT, Seen, proxy, see
from harness.nginx import wait_for
from proxies.programs import PROGRAMS, NotInstalledError
from servers.processes import _free_port as free_port

from autogen_streamtrace.commands.chaos.faults.limits import limit_fault, played
from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.core.evidence.http import headers, refusals

pytestmark = pytest.mark.once
PATH = "/v1/chat/completions"


class Look(NamedTuple):
    """What a client can tell of an answer."""

    status: int
    error: str
    intermediaries: tuple[str, ...]
    page: str
    words: int


def look(seen: Seen) -> Look:
    said = headers.of_response(seen.headers.raw)
    page = refusals.page(seen.status, seen.body, said.servers, said.own) if seen.status >= 400 else ""
    return Look(seen.status, seen.error, said.intermediaries, page, seen.body.count(b'"content"'))


@contextmanager
def real(kind: str, folder: Path, upstream: int, settings: dict[str, str]) -> Iterator[str]:
    """The proxy itself before a port; skips where it is not installed."""
    port = free_port()
    try:
        command = PROGRAMS[kind](folder, port, upstream, settings)
    except NotInstalledError as error:
        pytest.skip(str(error))
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    log = subprocess.DEVNULL
    process = subprocess.Popen(command, env={**os.environ, **home}, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


SILENCE = {
    "nginx": ("nginx.proxy_read_timeout", {"location": "proxy_read_timeout 1s;"}),
    "haproxy": ("haproxy.timeout_server", {"defaults": "timeout server 1s"}),
    "varnish": ("varnish.between_bytes_timeout", {"backend": ".between_bytes_timeout = 1s; .first_byte_timeout = 1s;"}),
}


@pytest.mark.parametrize("kind", SILENCE)
def test_a_silence_in_mid_reply_is_cut_as_the_real_one_cuts_it(kind: str, tmp_path: Path) -> None:
    limit, settings = SILENCE[kind]
    with ModelServer() as model, real(kind, tmp_path, model.port, settings) as url, proxy(f"{limit}=1s") as like:
        assert look(see(like.url + PATH)) == look(see(f"{url}/stall{PATH}"))


REFUSED = {
    "nginx": ("nginx.proxy_read_timeout=1s after=request", {"location": "proxy_read_timeout 1s;"}),
    "haproxy": ("haproxy.timeout_server=1s after=request", {"defaults": "timeout server 1s"}),
    "caddy": ("caddy.response_header_timeout=1s", {"transport": "response_header_timeout 1s"}),
    "varnish": ("varnish.first_byte_timeout=1s", {"backend": ".first_byte_timeout = 1s;"}),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_reply_that_never_begins_is_refused_as_the_real_one_refuses_it(kind: str, tmp_path: Path) -> None:
    limit, settings = REFUSED[kind]
    with ModelServer() as model, real(kind, tmp_path, model.port, settings) as url, proxy(limit) as like:
        assert look(see(like.url + PATH)) == look(see(f"{url}/stall_before_headers{PATH}"))


DOWN = {
    "nginx": "nginx.upstream",
    "haproxy": "haproxy.no_server",
    "caddy": "caddy.upstream",
    "varnish": "varnish.backend",
}


@pytest.mark.parametrize("kind", DOWN)
def test_a_model_that_is_down_is_told_as_the_real_one_tells_it(kind: str, tmp_path: Path) -> None:
    with real(kind, tmp_path, free_port(), {}) as url, proxy(DOWN[kind]) as like:
        mine, theirs = look(see(like.url + PATH)), look(see(url + PATH))
    assert theirs.status in limit_fault(DOWN[kind]).limit.status
    assert mine._replace(status=0) == theirs._replace(status=0)


@pytest.mark.parametrize("command", [["uvicorn"], ["gunicorn", "-k", "uvicorn_worker.UvicornWorker", "-b"]])
def test_a_process_that_is_killed_looks_as_a_closed_connection(command: list[str], tmp_path: Path) -> None:
    port = free_port()
    address = [f"127.0.0.1:{port}"] if len(command) > 1 else ["--port", str(port)]
    app = "autogen_streamtrace.commands.probe.echo:app"
    started = [sys.executable, "-m", *command, *address, app]
    process = subprocess.Popen(started, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(port, process)
        error = ""
        client = httpx.Client(trust_env=False, timeout=20)
        with client, client.stream("GET", f"http://127.0.0.1:{port}/?chunks=1000&pause=0.05") as response:
            try:
                for _ in response.iter_raw():
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
            except httpx.HTTPError as raised:
                error = type(raised).__name__
    finally:
        process.wait(10)
    with proxy("fin") as like:
        assert see(like.url + PATH).error == error == "RemoteProtocolError"


async def ask(client: httpx.AsyncClient, url: str, limit: str) -> tuple[str, Seen]:
    """One request under a limit; what comes before it makes its connection a used one."""
    status, body, answered, error = 0, b"", httpx.Headers(), ""
    asked = {"x-streamtrace-fault": f"{limit}=0.3s"}
    try:
        async with client.stream("POST", url, json=CHAT, headers=asked) as response:
            status, answered = response.status_code, response.headers
            async for piece in response.aiter_raw():
                body += piece
    except httpx.HTTPError as raised:
        error = type(raised).__name__
    return limit, Seen(status, answered, body, error)


def test_every_limit_that_can_be_played_strikes_and_leaves_its_vendors_traces() -> None:
    struck = [limit for limit in played() if limit.counts != "reuse"]

    async def all_at_once(url: str) -> list[Any]:
        async with httpx.AsyncClient(trust_env=False, timeout=40) as client:
            return await asyncio.gather(*(ask(client, url, limit.id) for limit in struck))

    with proxy() as through:
        seen = dict(asyncio.run(all_at_once(through.url + PATH)))
        through.last()
        ends = {done.fault: done.end for done in through.service.tally.done}
    assert set(ends.values()) == {"struck"}, ends
    for limit in struck:
        mine = look(seen[limit.id])
        assert mine.status in (200, 0, *limit.status), limit.id
        traces = {*mine.intermediaries, mine.page} - {""}
        if limit.intermediary and mine.status:
            assert limit.intermediary in traces or (limit.hidden and not traces), (limit.id, mine)
        if limit.counts != "buffering" and mine.status == 200:
            assert b"[DONE]" not in seen[limit.id].body, limit.id


def test_a_connection_that_was_idle_for_longer_is_closed_as_it_is_used_again() -> None:
    with proxy("uvicorn.timeout_keep_alive=0.3s") as through, httpx.Client(trust_env=False, timeout=20) as client:
        assert client.post(through.url + PATH, json=CHAT).status_code == 200
        assert client.post(through.url + PATH, json=CHAT).status_code == 200
        asyncio.run(asyncio.sleep(0.4))
        with pytest.raises(httpx.HTTPError):
            client.post(through.url + PATH, json=CHAT)
