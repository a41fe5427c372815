"""The live table of open streams, on a terminal of its own."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from otlp_receiver import OtlpReceiver
from processes import LATE, command, environment, kill, victim

from autogen_streamtrace.commands.chaos.model_server import ModelServer

pytestmark = pytest.mark.once

ON_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
TOP = (sys.executable, "-m", "autogen_streamtrace.cli", "top")
INTERRUPT = b"\x03"
ALTERNATE_SCREEN, MAIN_SCREEN, SHOW_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"
HOME = b"\x1b[H"


class Terminal:
    """A terminal with a command in its foreground."""

    def __init__(self, command: tuple[str, ...], variables: dict[str, str], columns: int) -> None:
        self._ours, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._modes = termios.tcgetattr(self._ours)
        self.written = b""
        size = ("COLUMNS", "LINES")  # of the terminal in which the tests run
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_THE_TERMINAL, *command],
            stdin=its,
            stdout=its,
            stderr=its,
            env={**{name: value for name, value in variables.items() if name not in size}, "TERM": "xterm"},
            start_new_session=True,
        )
        os.close(its)

    @property
    def screen(self) -> str:
        """What it shows now."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.written.rpartition(HOME)[2].decode(errors="replace"))

    @property
    def as_it_was(self) -> bool:
        """Its modes are those from before."""
        return termios.tcgetattr(self._ours) == self._modes

    def shows(self, pattern: str, timeout: float = 40.0) -> str:
        """Waits until the screen matches; the screen."""
        give_up = time.monotonic() + timeout
        while not re.search(pattern, self.screen):
            assert self._read(give_up - time.monotonic()), f"it has ended, and shows:\n{self.screen}"
        return self.screen

    def types(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def ends(self, timeout: float = 40.0) -> int:
        """Waits for the command's end, and all that it wrote; its exit status."""
        give_up = time.monotonic() + timeout
        while self._read(give_up - time.monotonic()):
            pass
        return self.process.wait(timeout)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def _read(self, timeout: float) -> bool:
        """Reads something; False where nobody writes any more."""
        ready, _, _ = select.select([self._ours], [], [], max(0.0, timeout))
        assert ready, f"status {self.process.poll()}; it shows:\n{self.screen}"
        try:
            self.written += os.read(self._ours, 65536)
        except OSError:  # so Linux says that the other side is closed
            return False
        return True


@contextmanager
def top(receiver: OtlpReceiver, columns: int = 160, *more: str) -> Iterator[Terminal]:
    terminal = Terminal((*TOP, *more), environment(receiver), columns)
    try:
        yield terminal
    finally:
        terminal.close()


def test_it_follows_the_open_streams_until_it_is_interrupted(receiver: OtlpReceiver) -> None:
    with top(receiver) as terminal:
        terminal.shows("0 open streams, 0 stalled")
        assert terminal.written.startswith(ALTERNATE_SCREEN)
        with victim(receiver, "holds", "2", AUTOGEN_STREAMTRACE_STALL_AFTER="1", **LATE) as process:
            line = rf" *[0-9.]+ s +stream +open +2 +[0-9.]+ s +agent open +{process.pid} .* [0-9a-f]{{32}} *\r\n"
            terminal.shows(rf"2 open streams, 2 stalled +\r\n.*\r\n{line}{line}")
            kill(process)
        terminal.shows("0 open streams, 0 stalled")
        terminal.types(INTERRUPT)
        assert terminal.ends() == 0
        assert terminal.written.endswith(SHOW_CURSOR + MAIN_SCREEN) and terminal.as_it_was


def test_a_kill_gives_the_terminal_back(receiver: OtlpReceiver) -> None:
    with top(receiver) as terminal:
        terminal.shows("0 open streams")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.ends() == 0
        assert terminal.written.endswith(SHOW_CURSOR + MAIN_SCREEN) and terminal.as_it_was


def test_a_terminal_of_80_columns_shows_what_stands_where_and_the_whole_trace_id(receiver: OtlpReceiver) -> None:
    with victim(receiver, "holds", "1", **LATE) as process, top(receiver, columns=80) as terminal:
        first, second = r"stream open +[0-9.]+ s +[0-9.]+ s +agent open +", rf"[0-9a-f]{{32}} +{process.pid} unknown_"
        terminal.shows(rf"\r\n{first}\r\n{second}")


def test_a_turn_is_one_row_that_says_what_it_waits_on_and_a_row_for_each_layer_where_that_is_asked_for(
    receiver: OtlpReceiver,
) -> None:
    with ModelServer() as server, victim(receiver, "turns", server.url("stall"), **LATE) as process:
        outermost = json.loads(command(receiver, "top", "--json").stdout)
        every = json.loads(command(receiver, "top", "--layers", "--json").stdout)
        shown = command(receiver, "top", "--layers", COLUMNS="80").stdout.splitlines()
    assert [(each["layer"], each["waiting_on"], each["process"]) for each in outermost] == [
        ("agent", "http 127.0.0.1", process.pid)
    ]
    assert [(each["layer"], each["depth"]) for each in every] == [("agent", 0), ("model", 1), ("http", 2)]
    assert [line[:6] for line in shown[2::2]] == ["agent ", "  mode", "    ht"]


def test_a_turn_is_stalled_where_something_inside_it_is(receiver: OtlpReceiver) -> None:
    with victim(receiver, "pings", AUTOGEN_STREAMTRACE_STALL_AFTER="0.5", **LATE):
        (row,) = json.loads(command(receiver, "top", "--json").stdout)
    assert (row["name"], row["stalled"], row["waiting_on"]) == ("outer", True, "agent inner")


def test_where_there_is_no_terminal_it_prints_once(receiver: OtlpReceiver) -> None:
    run = subprocess.run(TOP, env=environment(receiver), capture_output=True, text=True, timeout=40)
    assert run.returncode == 0
    assert run.stdout.count("0 open streams, 0 stalled") == 1
