"""Where the commands of the site are really run: a home of their own, and ports that are free."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from types import MappingProxyType
from typing import Final

from autogen_streamtrace.commands.top.streams import open_streams

from .addresses import ROOT

COLUMNS: Final = 100
"""Of the terminal for which they print."""
BOUND: Final = 120.0
"""Seconds that a command may take."""
FOREIGN: Final = ("AUTOGEN_STREAMTRACE_", "OTEL_", "OPENAI_", "XDG_", "STREAMTRACE_")


class Process:
    """A command that goes on until it is ended."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._bound = Timer(BOUND, process.kill)
        self._bound.daemon = True
        self._bound.start()
        self.printed = ""

    def port(self) -> str:
        """The port that it says it listens on."""
        return self.until(r"127\.0\.0\.1:(\d+)")[1]

    def ended(self) -> None:
        """Waits until it has ended by itself."""
        self._process.wait(BOUND)

    def until(self, sign: str) -> "re.Match[str]":
        """Reads on until a line has this sign.

        Raises:
            RuntimeError: the command ended before.
        """
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.printed += line
            if found := re.search(sign, line):
                return found
        raise RuntimeError(f"{self._process.args!r} ended without {sign!r}:\n{self.printed}")

    def end(self, how: signal.Signals = signal.SIGINT) -> str:
        """Ends it, and gives all that it printed."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        rest, _ = self._process.communicate(timeout=BOUND)
        self._bound.cancel()
        self.printed += rest
        return self.printed


class Stage:
    """Runs commands that share a home, which goes at the end."""

    def __init__(self, home: Path) -> None:
        self._home = home
        home.mkdir(parents=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        quiet = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
        self._variables = {**kept, **quiet, "HOME": str(home), "COLUMNS": str(COLUMNS), "PYTHONUNBUFFERED": "1"}

    def run(self, *arguments: str) -> str:
        """What a command of ours prints."""
        done = subprocess.run(
            (sys.executable, "-m", "autogen_streamtrace", *arguments),
            cwd=ROOT / "examples",
            env=self._variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BOUND,
        )
        return done.stdout

    @contextmanager
    def start(self, *arguments: str, **variables: str) -> Iterator[Process]:
        """A command of ours, or a program of the examples, which is ended with the block."""
        what = ("-m", "autogen_streamtrace") if not arguments[0].endswith(".py") else ()
        process = Process(
            subprocess.Popen(
                (sys.executable, *what, *arguments),
                cwd=ROOT / "examples",
                env={**self._variables, **variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        try:
            yield process
        finally:
            process.end(signal.SIGKILL)

    def stalled(self, turns: int) -> None:
        """Waits until so many turns hang in programs that were started here."""
        give_up = time.monotonic() + BOUND
        while [turn.stalled for turn in open_streams(str(self._home / ".local/state/autogen-streamtrace"))] != [
            True
        ] * turns:
            if time.monotonic() > give_up:
                raise TimeoutError(f"no {turns} turns hang")
            time.sleep(0.1)

    def tidy(self, printed: str, ports: Mapping[str, int] = MappingProxyType({})) -> str:
        """What was printed, as it reads in the reader's own home, with the usual port in place of the one taken."""
        for taken, usual in ports.items():
            printed = printed.replace(f"127.0.0.1:{taken}", f"127.0.0.1:{usual}")
        printed = printed.replace(str(self._home), "~")
        return "\n".join(line.rstrip() for line in printed.strip("\n").splitlines())
