"""A game day on the real stack: each step is counted under its labels and on the page, seen, and its alert fires."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from ui_process import Ui, running

from autogen_streamtrace.commands.chaos.rehearsal.plan import Step, read
from autogen_streamtrace.core import semconv as sc

from .collector import CONFIG, FILES, STORED, Collector
from .prometheus import Prometheus
from .rules_now import sped_up
from .runs import PROGRAMS
from .server import eventually

pytestmark = pytest.mark.timeout(200)

PLAN: Final = PROGRAMS.parents[1] / "examples" / "game-day.toml"
STEPS: Final = read(PLAN).steps
OF_LOKI: Final = {"EventLoopBlocked", "EventLoopLate"}
EVERY_TRACE: Final = {f"SAMPLING_{share}_PERCENT": "100" for share in ("EARLY", "SLOW", "REST")}


def service(step: Step) -> str:
    """The service that is to show what this step does."""
    found = re.search(r"OTEL_SERVICE_NAME=(\S+)", step.run[0])
    assert found
    return found[1]


def turns(step: Step) -> int:
    """How many the program makes at once."""
    found = re.search(r"--turns (\d+)", step.run[0])
    return int(found[1]) if found else 12


class Day:
    """`chaos --plan` in a process of its own, with a terminal on which a test presses Enter."""

    def __init__(self, store: Path) -> None:
        self._keys, terminal = pty.openpty()
        command = [sys.executable, "-m", "autogen_streamtrace.cli", "chaos", "--plan", str(PLAN), "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--verdicts", "ui", "--json"],
            env={**os.environ, "AUTOGEN_STREAMTRACE_UI_STORE": str(store)},
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(terminal)
        self.url = self.said("answers with").split()[0]

    def said(self, words: str) -> str:
        """The next line with these words."""
        assert self.process.stderr is not None
        line = next((each for each in self.process.stderr if words in each), None)
        assert line is not None, f"it ended, and never said {words!r}"
        return line

    def enter(self) -> None:
        os.write(self._keys, b"\n")

    def report(self) -> tuple[int, Any]:
        """Its exit status, and what it printed."""
        printed, _ = self.process.communicate(timeout=60)
        os.close(self._keys)
        return self.process.returncode, json.loads(printed)


@contextmanager
def day(store: Path) -> Iterator[Day]:
    running = Day(store)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


class People:
    """Who does what the plan says, with each minute of patience a second."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = {**os.environ, **env}
        self._program = subprocess.Popen(
            [sys.executable, str(PROGRAMS / "rehearsed.py")],
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, command: str) -> None:
        """Starts a program, and awaits its end, unless it is one of great patience."""
        if "python" not in command.split():
            subprocess.run([sys.executable, "-m", *_module(command)], env=self._env, check=True, timeout=60)
            return
        quick = re.sub(r"--timeout (\d+)", lambda found: f"--timeout {int(found[1]) / 60:g} &", command)
        assert self._program.stdin is not None and self._program.stdout is not None
        print(quick, file=self._program.stdin, flush=True)
        while self._program.stdout.readline() != "done\n":
            assert self._program.poll() is None

    def stop(self) -> None:
        self._program.kill()
        self._program.communicate()


@contextmanager
def people(env: Mapping[str, str]) -> Iterator[People]:
    doing = People(env)
    try:
        yield doing
    finally:
        doing.stop()


def test_each_step_of_the_game_day_is_counted_and_seen_and_its_alert_fires(tmp_path: Path) -> None:
    with (
        Prometheus(tmp_path / "prometheus", *sped_up(tmp_path)) as prometheus,
        running(tmp_path / "ui") as page,
        Collector(
            tmp_path / "collector",
            *(CONFIG, FILES, STORED),
            PROMETHEUS_OTLP_ENDPOINT=prometheus.otlp,
            TEMPO_OTLP_ENDPOINT=page.grpc,
            **EVERY_TRACE,
        ) as collector,
        day(page.folder) as playing,
    ):
        settings = {
            "OPENAI_BASE_URL": f"{playing.url}/v1",
            "OPENAI_API_KEY": "none",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "AUTOGEN_STREAMTRACE_STALL_AFTER": "0.5",
            "AUTOGEN_STREAMTRACE_RECORDER_DIR": str(tmp_path / "recorders"),
        }
        with people({**collector.sdk("http/protobuf"), **settings}) as doing:
            for number, step in enumerate(STEPS, 1):
                playing.said(f"Step {number} of {len(STEPS)}")
                for command in step.run:
                    doing.do(command)
                if "--timeout" in step.run[0]:
                    counted(prometheus, open_now(step), turns(step))
                if number < len(STEPS):
                    playing.enter()
            check(prometheus, collector, page)
            playing.enter()
            status, report = playing.report()
    assert [each["step"] for each in report["steps"] if not each["seen"]] == [] and status == 0


def check(prometheus: Prometheus, collector: Collector, page: Ui) -> None:
    """Every step is counted and on the page, its alerts fire, and where there is to be none, none does."""
    for step in STEPS:
        counted(prometheus, ended(step), turns(step))
    expected = {(service(step), alert) for step in STEPS for alert in step.alerts if alert not in OF_LOKI}

    def missing() -> set[tuple[str, str]]:
        return expected - firing(prometheus)

    eventually(lambda: not missing(), limit=60, what=f"{expected} to fire")
    quiet = {service(step) for step in STEPS if not step.alerts}
    assert {each for each in firing(prometheus) if each[0] in quiet} == set()
    blocked = {service(step) for step in STEPS if "EventLoopBlocked" in step.alerts}
    eventually(lambda: blocked <= told_of_a_blocked_loop(collector), what="the event of a blocked loop")
    for step in STEPS:
        shown(page, step)
    streams = {(service(step), step.layer, step.outcome) for step in STEPS}
    eventually(lambda: streams <= written(collector), what="the streams of each step in the file")


def counted(prometheus: Prometheus, expression: str, count: int) -> None:
    """Waits until Prometheus has counted so many."""
    eventually(lambda: prometheus.total(expression) == count, what=f"{expression} to be {count}")


def ended(step: Step) -> str:
    labels = {"job": service(step), "layer": step.layer, "outcome": step.outcome, "ended_by": step.ended_by}
    told = ",".join(f'{key if key == "job" else f"streamtrace_{key}"}="{value}"' for key, value in labels.items())
    return f"sum(streamtrace_ended_total{{{told}}})"


def open_now(step: Step) -> str:
    return f'sum(streamtrace_open{{job="{service(step)}",streamtrace_layer="http"}})'


def firing(prometheus: Prometheus) -> set[tuple[str, str]]:
    alerts = [each for each in prometheus.api("alerts")["alerts"] if each["state"] == "firing"]
    return {(each["labels"]["job"], each["labels"]["alertname"]) for each in alerts}


def told_of_a_blocked_loop(collector: Collector) -> set[str]:
    return {each.resource["service.name"] for each in collector.logs() if each.attributes.get(sc.A_LOOP_BLOCKED)}


def shown(page: Ui, step: Step) -> None:
    """Waits until the page has all turns of the step, ended as planned. A tool's end is not its turn's."""
    outcome = sc.COMPLETED if step.layer == sc.TOOL else step.outcome
    page.until(f"api/cuts?since=all&service={service(step)}", lambda found: ends(found) == {outcome: turns(step)})


def ends(cuts: Mapping[str, Any]) -> dict[str, int]:
    """How many turns ended how."""
    counted = {outcome: sum(counts) for outcome, counts in cuts["over_time"]["outcomes"].items()}
    return {outcome: count for outcome, count in counted.items() if count}


def written(collector: Collector) -> set[tuple[str, str, str]]:
    """Service, layer and outcome of each stream in the file that the report reads."""
    streams = [each for each in collector.spans() if sc.A_OUTCOME in each.attributes]
    told = [(each.resource["service.name"], each.attributes) for each in streams]
    return {(name, attributes[sc.A_LAYER], attributes[sc.A_OUTCOME]) for name, attributes in told}


def _module(command: str) -> list[str]:
    """A command of ours as a module, so that it needs no PATH."""
    return ["autogen_streamtrace.cli", *command.split()[1:]]
