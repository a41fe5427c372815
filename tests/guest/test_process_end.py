"""Real processes that end, and what has arrived at a real OTLP receiver by then."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from otlp_receiver import OtlpReceiver, attributes

from autogen_streamtrace.commands.chaos.model_server import ModelServer

PROGRAMS = Path(__file__).parents[1] / "programs"
OUTCOME, NAME = "streamtrace.outcome", "streamtrace.name"
PROTOCOLS = ["grpc", "http/protobuf"]


def environment(receiver: OtlpReceiver, protocol: str) -> dict[str, str]:
    # Nothing arrives on a timer: what is there was sent at the end.
    later = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_BLRP_SCHEDULE_DELAY": "60000"}
    return {**os.environ, **later, "PYTHONPATH": path(), **receiver.env(protocol)}


def path() -> str:
    return os.pathsep.join(each for each in [str(PROGRAMS.parent), os.environ.get("PYTHONPATH", "")] if each)


def script(how: str, variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    # The child of a fork leaves the parent's connections to the parent: it does not close them.
    warnings = ["-W", "error", "-W", "ignore::ResourceWarning"] if "fork" in how else ["-W", "error"]
    command = [sys.executable, *warnings, str(PROGRAMS / "script.py"), how]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=40)


def outcomes(receiver: OtlpReceiver) -> list[tuple[str, str]]:
    """The name and outcome of each span of a stream."""
    return sorted(
        (each.attributes[NAME], each.attributes[OUTCOME]) for each in receiver.spans() if OUTCOME in each.attributes
    )


def counts(receiver: OtlpReceiver, metric: str) -> dict[str, dict[str, int]]:
    """The last values of a counter by process and stream name."""
    last: dict[str, dict[str, int]] = {}
    for each in receiver.metrics():
        if each.data.name == metric:
            rows: dict[str, int] = {}
            for point in each.data.sum.data_points:
                name = attributes(point.attributes)[NAME]
                rows[name] = rows.get(name, 0) + point.as_int
            last[each.resource["service.instance.id"]] = rows
    return last


@contextmanager
def serving(receiver: OtlpReceiver, protocol: str, model: ModelServer) -> Iterator[tuple[Any, str]]:
    """The application in a process of its own, and its address."""
    url = model.url("ok").replace("/ok/", "/FAULT/")
    process = subprocess.Popen(
        [sys.executable, str(PROGRAMS / "served.py"), url],
        env=environment(receiver, protocol),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_sigterm_cut_under_uvicorn_and_every_span_ended_before_it_arrive(
    receiver: OtlpReceiver, protocol: str
) -> None:
    with ModelServer() as model, serving(receiver, protocol, model) as (process, url):
        assert urllib.request.urlopen(f"{url}/early/ok").read().startswith(b"Your claim")
        cut = urllib.request.urlopen(f"{url}/late/stall")
        assert cut.read(4) == b"Your"
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == -signal.SIGTERM
    found = [(each.attributes.get("streamtrace.layer"), each.attributes.get(OUTCOME)) for each in receiver.spans()]
    for layer in ("agent", "model", "http"):
        assert found.count((layer, "completed")) == 1
        assert found.count((layer, "cancelled")) == 1
    ended = counts(receiver, "streamtrace.ended")
    assert [(rows["early"], rows["late"]) for rows in ended.values()] == [(1, 1)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_spans_of_a_plain_script_arrive(receiver: OtlpReceiver, protocol: str) -> None:
    run = script("ends", environment(receiver, protocol))
    assert (run.returncode, run.stderr) == (0, "")
    assert outcomes(receiver) == [("ended", "completed")]
    (ended,) = counts(receiver, "streamtrace.ended").values()
    assert ended == {"ended": 1}
    assert [each.data.event_name for each in receiver.logs()] == ["streamtrace.start", "streamtrace.end"]


def test_a_script_that_exits_in_mid_stream_keeps_its_status_and_tells(receiver: OtlpReceiver) -> None:
    run = script("exits", environment(receiver, "http/protobuf"))
    assert (run.returncode, run.stderr) == (3, "")
    assert outcomes(receiver) == [("exited", "abandoned")]


def test_a_stream_that_is_open_when_the_interpreter_ends_was_killed(receiver: OtlpReceiver) -> None:
    run = script("leaves_open", environment(receiver, "http/protobuf"))
    assert (run.returncode, run.stderr) == (0, "")
    assert outcomes(receiver) == [("open", "killed")]
    assert counts(receiver, "streamtrace.ended") == counts(receiver, "streamtrace.started")
    assert [set(rows.values()) for rows in counts(receiver, "streamtrace.open").values()] == [{0}]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_without_a_collector_the_process_ends_within_six_seconds(receiver: OtlpReceiver, protocol: str) -> None:
    variables = environment(receiver, protocol)
    receiver.stop()
    run = script("says_when", variables)
    assert time.monotonic() - float(run.stdout) < 6
    assert run.returncode == 0
    assert len(run.stderr.splitlines()) <= 3, run.stderr  # one for each endpoint


@pytest.mark.parametrize(
    ("how", "protocol"),
    [("forks", "http/protobuf"), ("forks_after_flush", "grpc"), ("forks_after_flush", "http/protobuf")],
)
def test_after_a_fork_parent_and_child_tell_their_own_streams_once(
    receiver: OtlpReceiver, how: str, protocol: str
) -> None:
    run = script(how, environment(receiver, protocol))
    assert (run.returncode, run.stderr) == (0, "")
    names = ["before", "child", "over", "parent"]
    assert outcomes(receiver) == [(name, "completed") for name in names]
    for metric in ("streamtrace.started", "streamtrace.ended"):
        by_process = sorted(counts(receiver, metric).values(), key=len)
        assert by_process == [{"child": 1}, {"before": 1, "over": 1, "parent": 1}], metric


def test_a_fork_inside_an_event_loop_leaves_the_parents_streams_to_the_parent(receiver: OtlpReceiver) -> None:
    run = script("forks_inside", environment(receiver, "http/protobuf"))
    assert (run.returncode, run.stderr) == (0, "")
    assert outcomes(receiver) == [("forked", "completed")]
