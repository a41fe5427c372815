"""A worker of a real server dies with streams open: what the next one tells of them, and of whom it tells nothing."""

import os
import signal
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from otlp_receiver import OtlpReceiver
from processes import LATE, PREFIX, streams, sums
from servers import APP, LAYERS, Server, Verdicts, gunicorn, turn, uvicorn, variables

from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.commands.top.streams import open_streams
from autogen_streamtrace.recorder import orphans

pytestmark = pytest.mark.once

STREAMS = 50
KILLED = turn("killed", "process", None)
SOON = ("--graceful-timeout", "1")
UVICORNS, OWN = "uvicorn_worker.UvicornWorker", "asgi"


@pytest.fixture
def model(model: ModelServer) -> ModelServer:
    """Its silence lasts longer than any of these tests."""
    model.service.hold_limit = 300
    return model


class Users:
    """Those who read a stream each, of which the first words have come, by the worker that serves them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._responses: list[HTTPResponse] = []
        self.of: dict[int, list[str]] = {}
        """The names of their agents."""

    def ask(self) -> int:
        """One more; the process id of the worker that serves it."""
        name = f"a{uuid.uuid4().hex}"
        response = urllib.request.urlopen(f"{self._server.url}/response/{name}/stall", timeout=40)
        assert response.read(10)
        self._responses.append(response)
        worker = int(response.headers["x-process"])
        self.of.setdefault(worker, []).append(name)
        return worker

    def ask_until_one_serves(self, count: int) -> int:
        """Which worker is the first to serve so many."""
        while len(self.of[worker := self.ask()]) < count:
            pass
        return worker

    def leave(self) -> None:
        for response in self._responses:
            response.close()


@contextmanager
def users(server: Server) -> Iterator[Users]:
    them = Users(server)
    yield them
    them.leave()


def told_of(receiver: OtlpReceiver) -> dict[str, dict[str, tuple[Any, ...]]]:
    """As ``Verdicts.of``, of all streams that have been told, by the name of their agent."""
    by_trace: dict[bytes, dict[str, dict[str, Any]]] = {}
    for each in streams(receiver):
        by_trace.setdefault(each.data.trace_id, {})[each.attributes[PREFIX + "layer"]] = each.attributes
    keys = [PREFIX + key for key in ("outcome", "ended_by", "cancelled_by", "origin")]
    found = {}
    for layers in by_trace.values():
        name = layers.get("agent", {}).get(PREFIX + "name", "")
        found[name] = {layer: tuple(map(said.get, keys)) for layer, said in layers.items()}
    return found


def killed(receiver: OtlpReceiver) -> dict[str, int]:
    """How many were, by layer, as the counters have it."""
    ended = sums(receiver, "ended", "layer", "outcome")
    return {labels[0]: count for labels, count in ended.items() if labels[1] == "killed"}


def arrive(receiver: OtlpReceiver, count: int) -> None:
    """Waits until the counters have so many streams of each layer as killed, which is told last."""
    receiver.wait_for(lambda r: killed(r) == dict.fromkeys(LAYERS, count), 40)


@pytest.mark.parametrize("worker", [UVICORNS, OWN])
def test_fifty_open_streams_of_a_worker_of_gunicorns_are_told_by_the_next(
    receiver: OtlpReceiver, model: ModelServer, worker: str
) -> None:
    with (
        gunicorn(APP, worker, variables(receiver, model, **LATE), *SOON) as server,
        users(server) as them,
    ):
        victim = them.ask_until_one_serves(STREAMS)
        os.kill(victim, signal.SIGKILL)
        arrive(receiver, STREAMS)
        assert told_of(receiver) == dict.fromkeys(them.of[victim], KILLED)
        assert server.complaints() == []


def test_fifty_open_streams_of_a_worker_of_uvicorns_are_told_by_the_next(
    receiver: OtlpReceiver, model: ModelServer
) -> None:
    options = ("--workers", "2", "--timeout-graceful-shutdown", "1")
    with (
        uvicorn(APP, variables(receiver, model, **LATE), *options) as server,
        users(server) as them,
    ):
        victim = them.ask_until_one_serves(STREAMS)
        os.kill(victim, signal.SIGKILL)
        arrive(receiver, STREAMS)
        assert told_of(receiver) == dict.fromkeys(them.of[victim], KILLED)


@pytest.mark.parametrize("worker", [UVICORNS, OWN])
def test_of_two_workers_forked_after_instrument_only_the_killed_ones_streams_are_recovered(
    receiver: OtlpReceiver, model: ModelServer, state: Path, worker: str
) -> None:
    options = ("--preload", "--workers", "2", "--graceful-timeout", "20")  # in which their metrics are sent
    with gunicorn(APP, worker, variables(receiver, model), *options) as server, users(server) as them:
        one, other = server.workers(2)
        for served_by, stopped in ((one, other), (other, one)):
            with standing_still(stopped):
                assert {them.ask() for _ in range(3)} == {served_by}
        assert {pid_of(path) for path in state.rglob("*.streams") if orphans.alive(path)} == {server.pid, one, other}
        assert Counter(each.process for each in open_streams(layers=True)) == {one: 12, other: 12}

        os.kill(one, signal.SIGKILL)
        arrive(receiver, 3)
        assert told_of(receiver) == dict.fromkeys(them.of[one], KILLED)
        assert Counter(each.process for each in open_streams(layers=True)) == {other: 12}

        model.stop()
        own = {layer: ("disconnected", "upstream", None, layer == "http") for layer in LAYERS}
        both = {**dict.fromkeys(them.of[one], KILLED), **dict.fromkeys(them.of[other], own)}
        receiver.wait_for(lambda r: told_of(r) == both, 40)
    assert len({each.resource["service.instance.id"] for each in streams(receiver)}) == 2
    assert sums(receiver, "started", "layer") == sums(receiver, "ended", "layer") == {(layer,): 6 for layer in LAYERS}


@contextmanager
def standing_still(process: int) -> Iterator[None]:
    """It takes no requests meanwhile."""
    os.kill(process, signal.SIGSTOP)
    status = Path(f"/proc/{process}/stat")
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.005)
    yield
    os.kill(process, signal.SIGCONT)


def pid_of(path: Path) -> int:
    return int(path.name.partition("-")[0])


@pytest.mark.parametrize("worker", [UVICORNS, OWN])
def test_a_tool_that_blocks_the_loop_is_named_before_gunicorns_timeout_kills_its_worker(
    receiver: OtlpReceiver, model: ModelServer, worker: str
) -> None:
    told = Verdicts(receiver)
    environment = variables(receiver, model, AUTOGEN_STREAMTRACE_STALL_AFTER="0.5")
    options = ("--timeout", "4", "--preload", *SOON)  # a worker that imports for longer would be killed for that
    with gunicorn(APP, worker, environment, *options) as server:
        victim = server.workers()[0]
        with urllib.request.urlopen(f"{server.url}/blocked/{told.agent}", timeout=40) as response:
            assert response.read(10)
            receiver.wait_for(stacks, 40)  # which only a living process sends
            assert server.says(r"WORKER TIMEOUT \(pid:(\d+)\)")[1] == str(victim)
            assert told.of("server", "agent", "tool") == {
                "server": ("killed", "process", None, True),
                "agent": ("killed", "process", None, False),
                "tool": ("killed", "process", None, False),
            }
    blocked, *_ = stacks(receiver)
    assert blocked["code.stacktrace"].splitlines()[0] == f"{blocking_line()} in block"
    assert blocked[PREFIX + "stall.loop_blocked"] is True
    assert (blocked[PREFIX + "waiting_on.type"], blocked[PREFIX + "waiting_on.name"]) == ("tool", "block")
    assert told["server"]["waiting_on.name"] == "block"
    assert told["model"]["outcome"] == "completed"


def stacks(receiver: OtlpReceiver) -> list[dict[str, Any]]:
    """The attributes of the events that say what blocks an event loop."""
    return [each.attributes for each in receiver.logs() if "code.stacktrace" in each.attributes]


def blocking_line() -> str:
    """Where the application's tool blocks: file and line."""
    path = Path(__file__).parents[1] / "programs" / "chats.py"
    (line,) = [number for number, text in enumerate(path.read_text().splitlines(), 1) if "time.sleep(60)" in text]
    return f"{path}:{line}"


PATIENT = "def post_worker_init(worker):\n    worker.cfg.set('graceful_timeout', 60)\n"
"""A worker that does not give its streams up by itself, at the very time at which the arbiter kills it."""


def test_what_outlasts_gunicorns_graceful_timeout_is_told_by_the_next_server(
    receiver: OtlpReceiver, model: ModelServer, tmp_path: Path
) -> None:
    names: list[str] = []
    (patient := tmp_path / "patient.py").write_text(PATIENT)
    options = (*SOON, "--config", str(patient))
    for worker in (UVICORNS, OWN, OWN):
        with gunicorn(APP, worker, variables(receiver, model, **LATE), *options) as server, users(server) as them:
            receiver.wait_for(lambda r: told_of(r) == dict.fromkeys(names, KILLED), 40)
            names.extend(them.of[them.ask()])
            assert server.ends(signal.SIGTERM) == 0
