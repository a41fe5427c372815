"""A real server as a child process: started on loopback, awaited, and stopped by its own process."""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

HOST: Final = "127.0.0.1"
POLL: Final = 0.05
"""Seconds between two looks at something that tells nobody when it changes."""
START_LIMIT: Final = 40.0
STOP_LIMIT: Final = 20.0

_SETPRIV: Final = shutil.which("setpriv")
DIES_WITH_THE_TESTS: Final = (_SETPRIV, "--pdeathsig=KILL", "--") if _SETPRIV else ()
"""Linux: a test that runs out of time ends its worker without a word, and the servers are to go with it.

A program, and no `preexec_fn`: between fork and exec gRPC's handlers would write to the server's log.
"""

T = TypeVar("T")
S = TypeVar("S", bound="Server")


class Server:
    """One process. A context manager: ready when it is entered, gone when it is left.

    Its output goes to ``log``, which every failure quotes.
    """

    def __init__(self, command: Sequence[str | Path], folder: Path, ready_url: str) -> None:
        """``folder`` is where it runs, and where its log is; ``ready_url`` answers 200 once it is ready."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.log = folder / f"{Path(command[0]).name}.log"
        self.env: Mapping[str, str] = {}
        self._command = [str(word) for word in command]
        self._ready_url = ready_url
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self: S) -> S:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start, or start again after ``stop`` or ``kill``, and wait until it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*DIES_WITH_THE_TESTS, *self._command],
                cwd=self.folder,
                env={**os.environ, **self.env},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            eventually(self._ready, limit=START_LIMIT, what=f"{self._ready_url} to answer")
        except Exception as error:
            self.kill()
            raise RuntimeError(f"{self._command[0]} did not start:\n{self._end_of_log()}") from error

    def stop(self) -> None:
        """Ask it to end (SIGTERM), and wait until it has; what does not end in time is killed."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """SIGKILL: nothing is put away."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"{self._command[0]} ended with {self._process.returncode}")
        try:
            get(self._ready_url)
        except OSError:
            return False
        return True

    def _end_of_log(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


def eventually(ask: Callable[[], T], *, limit: float = 30.0, what: str = "the condition") -> T:
    """The first true answer.

    Raises:
        TimeoutError: none within ``limit`` seconds; with the last answer.
    """
    give_up = time.monotonic() + limit
    while not (answer := ask()):
        if time.monotonic() > give_up:
            raise TimeoutError(f"waited {limit:g} s for {what}; the last answer was {answer!r}")
        time.sleep(POLL)
    return answer


def get(url: str) -> bytes:
    """The body.

    Raises:
        OSError: no answer, or not status 200.
    """
    with urllib.request.urlopen(url, timeout=10) as response:
        body: bytes = response.read()
    return body


def get_json(url: str) -> Any:
    """The parsed body.

    Raises:
        RuntimeError: a refusal, with its reason.
    """
    try:
        return json.loads(get(url))
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{url}: {error.code} {error.read().decode(errors='replace')}") from None
