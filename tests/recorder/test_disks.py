"""Disks that really fail under the recorder: the kernel refuses its writes, and the streams go on."""

import subprocess
import sys
from pathlib import Path

import pytest
from mounts import OWN_MOUNTS
from otlp_receiver import OtlpReceiver, points
from processes import LATE, PROGRAMS, environment, sums

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.recorder.flight import FAILING, RECORDING

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not OWN_MOUNTS, reason="no file systems can be mounted here; see also test_flight.py"),
]


def value(receiver: OtlpReceiver, metric: str) -> int:
    """Its last one; -1 if none has come."""
    return next((int(point.as_int) for point in reversed(points(receiver.metrics(), metric))), -1)


@pytest.mark.parametrize("what", ["full", "too_small", "read_only", "vanished"])
def test_a_disk_that_fails_is_said_once_what_is_lost_is_counted_and_streams_go_on(
    receiver: OtlpReceiver, tmp_path: Path, what: str
) -> None:
    process = subprocess.Popen(
        [*OWN_MOUNTS, sys.executable, str(PROGRAMS / "disks.py"), what, str(tmp_path)],
        env=environment(receiver, OTEL_METRIC_EXPORT_INTERVAL="100"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "3\n", process.communicate()[1]
        receiver.wait_for(lambda r: (value(r, sc.M_DROPPED), value(r, sc.M_RECORDER)) == (3, FAILING))
        process.stdin.write("repair\n")
        process.stdin.flush()
        assert process.stdout.readline() == "2\n", process.communicate()[1]
        receiver.wait_for(lambda r: value(r, sc.M_RECORDER) == RECORDING)
        _, told = process.communicate("end\n", timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0, told
    assert told.count("cannot record all streams") == 1, told
    assert value(receiver, sc.M_DROPPED) == 3
    assert sums(receiver, "ended", "outcome") == {("completed",): 5}


def test_on_a_full_disk_a_killed_process_is_recovered_and_its_room_is_free_again(
    receiver: OtlpReceiver, tmp_path: Path
) -> None:
    run = subprocess.run(
        [*OWN_MOUNTS, sys.executable, str(PROGRAMS / "disks.py"), "recovery", str(tmp_path)],
        env=environment(receiver, **LATE),
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "['filler']"
    assert sums(receiver, "ended", "outcome") == {("completed",): 3, ("killed",): 2}
