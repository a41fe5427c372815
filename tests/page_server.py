"""`autogen-streamtrace ui` as a process of its own, and programs that send to it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

PROGRAMS: Final = Path(__file__).with_name("programs")
_READY: Final = re.compile(
    r"The page: +http://127\.0\.0\.1:(\d+)/\nReceiving: \S+?:(\d+) .*?http://127\.0\.0\.1:(\d+) ", re.DOTALL
)
_PATIENCE: Final = 45.0
"""Seconds."""


class PageServer:
    """The command, with a store and recorders of its own.

    Args:
        folder: where both lie.
        port: of the page; 0 takes a free one.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        self.recorders = folder / "recorders"
        self.recorders.mkdir(exist_ok=True)
        ports = (f"--port={port}", "--grpc-port=0", "--http-port=0", "--no-browser")
        places = (f"--store={folder / 'store'}", f"--dir={self.recorders}")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "autogen_streamtrace", "ui", *ports, *places],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        said = ""
        while (match := _READY.search(said)) is None:
            line = self._process.stdout.readline()
            assert line, f"it has ended, and said:\n{said}"
            said += line
        self.port, self.grpc, self.http = map(int, match.groups())

    @property
    def process(self) -> int:
        """Its id."""
        return self._process.pid

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a program that sends here."""
        path = os.pathsep.join(filter(None, [str(PROGRAMS.parent), os.environ.get("PYTHONPATH", "")]))
        return {
            **os.environ,
            "PYTHONPATH": path,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.http}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_BLRP_SCHEDULE_DELAY": "200",
            "AUTOGEN_STREAMTRACE_RECORDER_DIR": str(self.recorders),
        }

    def ask(self, path: str) -> Any:
        """A document of its API."""
        with urllib.request.urlopen(f"{self.address}api/{path}", timeout=40) as answer:
            return json.load(answer)

    def send(self, requests: Iterable[str]) -> None:
        """Sends export requests of spans, as OTLP JSON."""
        for body in requests:
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.http}/v1/traces", body.encode(), {"content-type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=40).close()

    def wait(self, path: str, until: Callable[[Any], bool]) -> Any:
        """The document as soon as it is as it is to be."""
        give_up = time.monotonic() + _PATIENCE
        while not until(found := self.ask(path)):
            assert time.monotonic() < give_up, repr(found)[:500]
            time.sleep(0.1)
        return found

    def kill(self) -> None:
        """As the kernel does where memory has run out."""
        self._process.kill()
        self._process.communicate(timeout=20)

    def close(self) -> None:
        """Ends it as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.communicate(timeout=40)
        finally:
            self._process.kill()


@contextmanager
def page_server(folder: Path, port: int = 0) -> Iterator[PageServer]:
    """A server, until the block ends."""
    server = PageServer(folder, port)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def program(server: PageServer, *what: str, service: str = "desk") -> Iterator["subprocess.Popen[str]"]:
    """A program of ``programs/held.py`` that has a stream open; it ends it at a line on its standard input."""
    process = subprocess.Popen(
        [sys.executable, str(PROGRAMS / "held.py"), *what],
        env={**server.variables, "OTEL_SERVICE_NAME": service},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=40)
