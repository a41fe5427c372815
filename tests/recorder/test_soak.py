"""Processes that are killed at random moments under load: nothing that had started is missing, counters are exact.

``STREAMTRACE_SOAK_ROUNDS`` is how many; ``nox -s soak`` takes 200.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from otlp_receiver import OtlpReceiver, attributes
from processes import PREFIX, PROGRAMS, Sender, environment, left_behind, streams

from autogen_streamtrace.recorder.recovery import recover_all

ROUNDS = int(os.environ.get("STREAMTRACE_SOAK_ROUNDS", "12"))
AT_ONCE = 3
RECOVERERS = 20
LIFE = 1.2
"""Seconds that a process lives at most."""

Truth = dict[str, dict[str, str]]
"""Of each kind of line, what it says of each stream of a process."""


@pytest.mark.once
@pytest.mark.timeout(60 + 15 * ROUNDS)
def test_every_stream_of_every_killed_process_is_told_and_counted_once(tmp_path: Path, state: Path) -> None:
    paths = [tmp_path / f"truth-{index}" for index in range(ROUNDS)]
    with OtlpReceiver() as receiver:
        _play(receiver, paths)
        with ThreadPoolExecutor(RECOVERERS) as recoverers:
            list(recoverers.map(lambda _: list(recover_all(Sender(receiver))), range(RECOVERERS)))
        assert left_behind(state) == []
        told = _told(receiver)
        counted = {metric: _counted(receiver, metric) for metric in ("started", "ended", "cut", "open")}
    truths = {path.name: _truth(path) for path in paths}
    begun = {path for path, truth in truths.items() if truth["S"]}
    assert len(begun) > ROUNDS / 2, "most were killed before they could do anything"
    assert begun <= told.keys() <= truths.keys(), f"nobody tells of {begun - told.keys()}"
    for path, found in told.items():
        _agree(found, truths[path])
        started = Counter(dict.fromkeys(found, 1))
        assert counted["started"][path] == started
        assert counted["ended"][path] == started
        assert set(counted["open"][path].values()) <= {0}


def _play(receiver: OtlpReceiver, paths: list[Path]) -> None:
    often = {"OTEL_BSP_SCHEDULE_DELAY": "150", "OTEL_METRIC_EXPORT_INTERVAL": "200"}
    nursery = subprocess.Popen(
        [sys.executable, str(PROGRAMS / "soak.py")],
        env=environment(receiver, **often),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert nursery.stdin is not None and nursery.stdout is not None
    dice = random.Random(len(paths))
    try:
        for first in range(0, len(paths), AT_ONCE):
            ends = []
            for path in paths[first : first + AT_ONCE]:
                print(path, file=nursery.stdin, flush=True)
                pid = int(nursery.stdout.readline())
                while not path.exists() or not path.stat().st_size:
                    time.sleep(0.01)
                ends.append((time.monotonic() + dice.random() * LIFE, pid))
            for end, pid in sorted(ends):
                time.sleep(max(0.0, end - time.monotonic()))
                os.kill(pid, signal.SIGKILL)
                _gone(pid)
    finally:
        nursery.kill()
        nursery.communicate()


def _gone(pid: int) -> None:
    """Returns when the process has died: until then it holds its lock."""
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.kill(pid, 0)
            time.sleep(0.001)


def _truth(path: Path) -> Truth:
    truth: Truth = {"I": {}, "S": {}, "E": {}}
    if path.exists():
        for line in path.read_text().splitlines():
            kind, name, *how = line.split()
            truth[kind][name] = how[0] if how else ""
    return truth


def _told(receiver: OtlpReceiver) -> dict[str, dict[str, str]]:
    """By process, how each stream ended."""
    found: dict[str, dict[str, str]] = {}
    for span in streams(receiver):
        process = found.setdefault(str(span.resource["truth"]), {})
        name = str(span.attributes[PREFIX + "name"])
        assert name not in process, f"{name} has two spans"
        process[name] = str(span.attributes[PREFIX + "outcome"])
    return found


def _counted(receiver: OtlpReceiver, metric: str) -> dict[str, Counter[str]]:
    """By process, the last values of a counter by name."""
    series: dict[tuple[str, Any], int] = {}
    for each in receiver.metrics():
        if each.data.name == PREFIX + metric:
            for point in each.data.sum.data_points:
                key = str(each.resource["truth"]), frozenset(attributes(point.attributes).items())
                value = int(point.as_int)
                assert metric == "open" or value >= series.get(key, 0), f"{metric} goes back"
                series[key] = value
    found: dict[str, Counter[str]] = {}
    for (process, labels), value in series.items():
        found.setdefault(process, Counter())[str(dict(labels)[PREFIX + "name"])] += value
    return found


def _agree(found: dict[str, str], truth: Truth) -> None:
    """What had ended has its own verdict; what had not is told as killed, or has ended since its last line."""
    assert truth["S"].keys() - found.keys() == set(), "these had started and are missing"
    assert found.keys() - truth["I"].keys() == set(), "these never were"
    assert {name: found[name] for name in truth["E"]} == truth["E"]
    for name in found.keys() - truth["E"].keys():
        assert found[name] in ("killed", "completed", "failed", "abandoned")
    assert found.get("hanging") in (None, "killed")
