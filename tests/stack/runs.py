"""Programs that send, and what they sent."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PROGRAMS: Final = Path(__file__).resolve().parents[1] / "programs"
LIMIT: Final = 150.0
"""Seconds for one program; the demo takes twenty on an idle machine."""


@dataclass(frozen=True)
class Given:
    """What the SDK of one run was given to send: span ids, and how many of each kind."""

    spans: frozenset[str]
    streams: Counter[tuple[str, str]]
    """By layer and outcome."""
    events: Counter[tuple[str, str]]
    """By trace and name."""


def demo(env: Mapping[str, str], *arguments: str) -> Given:
    """Run the demo to its end against the endpoint that ``env`` names.

    Whether it tells every ending right, which a busy machine may keep it from, is another test's concern.
    """
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / "counted.py"), *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode in (0, 1) and not done.stderr, done.stdout + done.stderr
    return given(json.loads(done.stdout.splitlines()[-1]))


def given(entries: Sequence[Sequence[Any]]) -> Given:
    spans = [entry[1:] for entry in entries if entry[0] == "span"]
    return Given(
        frozenset(span_id for _, span_id, _, _ in spans),
        Counter((layer, outcome) for _, _, layer, outcome in spans if layer),
        Counter((trace_id, name) for kind, trace_id, name, *_ in entries if kind == "log"),
    )


@contextmanager
def holding(streams: int, env: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """A process with so many streams open, until it is killed, at the latest in the end."""
    process = subprocess.Popen(
        [sys.executable, str(PROGRAMS / "victim.py"), "holds", str(streams)],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate(timeout=20)


def recover(env: Mapping[str, str]) -> None:
    """Tell of the processes that died, on the command line."""
    command = [sys.executable, "-m", "autogen_streamtrace.cli", "recover"]
    subprocess.run(command, env={**os.environ, **env}, check=True, timeout=60)
