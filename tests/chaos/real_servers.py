"""The real things: proxies before a port, and web servers with `streamed_app.py`."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from harness.nginx import wait_for
from ports import free_port
from proxies.programs import PROGRAMS, NotInstalledError

HERE: Final = Path(__file__).parent
HTTP2: Final[Mapping[str, Mapping[str, str]]] = {
    "nginx": {"server": "http2 on;"},
    "haproxy": {"bind": "proto h2"},
    "caddy": {"servers": "protocols h1 h2 h2c"},
    "varnish": {"feature": "+http2"},
}
"""What makes each speak it."""


class Real(NamedTuple):
    """A server that is the real thing."""

    url: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def started(command: Sequence[str], port: int, folder: Path) -> Iterator[Real]:
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    log = subprocess.DEVNULL
    process = subprocess.Popen(
        command, cwd=HERE, env={**os.environ, **home}, stdout=log, stderr=log, start_new_session=True
    )
    try:
        wait_for(port, process)
        yield Real(f"http://127.0.0.1:{port}", process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@contextmanager
def real(kind: str, folder: Path, upstream: int, settings: Mapping[str, str], version: str = "1.1") -> Iterator[Real]:
    """A proxy before a port; skips where it is not installed."""
    port = free_port()
    try:
        command = PROGRAMS[kind](folder, port, upstream, {**settings, **(HTTP2[kind] if version == "2" else {})})
    except NotInstalledError as error:
        pytest.skip(str(error))
    with started(command, port, folder) as running:
        yield running


@contextmanager
def served(server: str, folder: Path, *options: str) -> Iterator[Real]:
    """`streamed_app.py` by uvicorn, or by gunicorn with uvicorn's workers."""
    port = free_port()
    words = {
        "uvicorn": ["uvicorn", "--port", str(port)],
        "gunicorn": ["gunicorn", "-k", "uvicorn_worker.UvicornWorker", "-b", f"127.0.0.1:{port}"],
    }[server]
    with started([sys.executable, "-m", *words, *options, "streamed_app:app"], port, folder) as running:
        yield running
