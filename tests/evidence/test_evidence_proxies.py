"""Real proxies between this process and a server: what good answers, cuts and refusals through each of them name."""

import socket
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
from harness import HTTPX, Program, Stream, watch
from harness.proxies import NAMES, proxy
from harness.raw_server import raw_server

pytestmark = pytest.mark.once

CLIENT: Final[Any] = import_module(HTTPX)
HEAD: Final = b"HTTP/1.1 200 OK\r\ndate: Sun, 29 Nov 2026 23:00:00 GMT\r\nserver: uvicorn\r\n"
BEGUN: Final = HEAD + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n"
NAMED: Final = {"nginx": ("nginx",), "caddy": ("caddy",), "varnish": ("varnish",), "haproxy": (), "lighttpd": ()}
"""What a good answer names: HAProxy and lighttpd leave nothing of their own in it."""


def through(name: str, folder: Path, upstream: int, times: int = 1) -> list[Stream]:
    """What is told of some exchanges, oldest first."""
    with proxy(name, folder, upstream) as url:

        async def body(program: Program) -> None:
            async with CLIENT.AsyncClient(timeout=20) as client:
                for _ in range(times):
                    async with client.stream("GET", url) as response:
                        async for _ in response.aiter_raw():
                            pass

        return watch(body).of("http")


@pytest.mark.parametrize("name", NAMES)
def test_good_answers_and_cuts_name_it(name: str, tmp_path: Path) -> None:
    with raw_server((BEGUN + b"0\r\n\r\n", "fin"), (BEGUN, "fin")) as url:
        good, cut = through(name, tmp_path, int(url.rpartition(":")[2]), times=2)
    assert good["intermediaries"] == (NAMED[name] or None)
    assert good["close.type"] == "finished"
    assert good["upstream_server"] == ("uvicorn" if name != "nginx" else None), "nginx writes its own Server"
    assert cut["close.type"] in ("fin", "finished"), "Caddy before 2.11 ends a body that is cut as if it were whole"


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_of_its_own_is_known_by_its_page(name: str, tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        (refused,) = through(name, tmp_path, nobody.getsockname()[1])
    assert refused["outcome"] == "rejected"
    assert refused["refusal.page"] == name
    assert refused["intermediaries"] == (name,)
    assert refused["time_to_headers"] < 20
