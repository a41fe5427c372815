"""Programs beside the page: it shows them as they start, run, are cut and die, without any configuration."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ui_process import Ui, running

pytestmark = pytest.mark.once

PROGRAM = """
import asyncio, sys
import autogen_streamtrace

async def words(name):
    yield "one"
    yield "two"
    await asyncio.Event().wait()

async def read(name, seconds):
    async with asyncio.timeout(seconds) if hasattr(asyncio, "timeout") else Never():
        async for word in autogen_streamtrace.trace_stream(words(name), name):
            print(name, word, flush=True)

class Never:
    async def __aenter__(self): return self
    async def __aexit__(self, *_): return None

async def main():
    autogen_streamtrace.instrument()
    kept = asyncio.ensure_future(read("kept", None))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    kept.cancel()
    await asyncio.wait([kept])
    print("cut", flush=True)
    await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    with running(tmp_path_factory.mktemp("live")) as started:
        yield started


def program(ui: Ui, service: str) -> "subprocess.Popen[str]":
    """A program of this user's, which sends to the page, with one stream that stays open until it gets a line."""
    variables = {
        "XDG_STATE_HOME": str(ui.folder.parent / "state"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{ui.grpc}",
        "OTEL_SERVICE_NAME": service,
        "OTEL_METRICS_EXPORTER": "none",
    }
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None and started.stdout.readline() == "ready\n"
    return started


def end(started: "subprocess.Popen[str]") -> None:
    started.kill()
    started.communicate(timeout=20)


def named(found: dict[str, Any], service: str) -> list[dict[str, Any]]:
    return [each for each in found["open"] if each["service"] == service]


def test_a_program_appears_as_it_runs_and_its_cut_as_it_happens(ui: Ui) -> None:
    started = program(ui, "desk")
    try:
        [opened] = named(ui.until("api/now", lambda found: named(found, "desk")), "desk")
        assert (opened["layer"], opened["name"], opened["process"]) == ("stream", "kept", started.pid)
        assert opened["source"] == "recorder" and abs(opened["start"] / 1000 - time.time()) < 60
        assert started.stdin is not None and started.stdout is not None
        started.stdin.write("\n")
        started.stdin.flush()
        while (said := started.stdout.readline()) != "cut\n":
            assert said, "it has ended"
        found = ui.until("api/now?service=desk", lambda found: found["ended"] and not named(found, "desk"))
        assert (found["ended"][0]["outcome"], found["ended"][0]["name"]) == ("cancelled", "kept")
        trace = found["ended"][0]["trace"]
        turn = ui.until("api/turns?service=desk", lambda answer: answer["turns"])["turns"][0]
        assert turn["trace"] == trace
        [span] = ui.get(f"api/turn/{trace}")["spans"]
        assert (span["outcome"], span["ended_by"], span["open"]) == ("cancelled", turn["ended_by"], False)
        told = {each["key"]: each["meaning"] for each in span["attributes"]}
        assert "time from the last item" in told["streamtrace.silence"]
    finally:
        end(started)


def test_what_a_killed_process_left_open_is_there_and_comes_once(ui: Ui) -> None:
    started = program(ui, "victim")
    ui.until("api/now", lambda found: named(found, "victim"))
    started.send_signal(signal.SIGKILL)
    end(started)
    [turn] = ui.until("api/turns?service=victim", lambda found: found["turns"])["turns"]
    assert (turn["outcome"], turn["ended_by"]) == ("killed", "process")
    [span] = ui.get(f"api/turn/{turn['trace']}")["spans"]
    assert span["recovered"] and span["outcome"] == "killed"
    again = program(ui, "victim")  # it recovers its own service's dead, and exports them here, too
    try:
        ui.until("api/now", lambda found: named(found, "victim"))
        assert len(ui.get("api/turns?service=victim")["turns"]) == 1
    finally:
        end(again)


def test_two_programs_are_told_apart(ui: Ui) -> None:
    both = [program(ui, service) for service in ("left", "right")]
    try:
        found = ui.until("api/now", lambda found: named(found, "left") and named(found, "right"))
        assert named(found, "left")[0]["process"] != named(found, "right")[0]["process"]
        assert named(ui.get("api/now?service=left"), "right") == []
    finally:
        for each in both:
            end(each)


def test_a_watcher_is_told_of_a_change_without_asking(ui: Ui) -> None:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        f"{ui.page}api/now/events", timeout=30
    ) as live:
        assert live.headers["content-type"].startswith("text/event-stream")
        first = _event(live)
        started = program(ui, "watched")
        try:
            while not named(found := _event(live), "watched"):
                assert found["at"] >= first["at"]
        finally:
            end(started)


def _event(live: Any) -> Any:
    for line in live:
        if line.startswith(b"data: "):
            return json.loads(line[6:])
    raise AssertionError("the connection has ended")


def test_it_ends_in_order_with_a_page_open(tmp_path: Path) -> None:
    with running(tmp_path) as ui:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{ui.page}api/now/events", timeout=30) as live:
            _event(live)
            ui.end()
        assert ui.process.stderr is not None and ui.process.stderr.read() == ""
        assert [each.name for each in ui.folder.glob("streams*")] == ["streams.sqlite3"]


def test_nothing_is_left_of_it_when_it_is_killed(tmp_path: Path) -> None:
    with running(tmp_path) as ui:
        ui.until("api/causes", lambda found: found["as_of"])
        children = Path(f"/proc/{ui.process.pid}/task/{ui.process.pid}/children").read_text(encoding="utf-8").split()
        assert children
        ui.process.send_signal(signal.SIGKILL)
        ui.process.wait(40)
        give_up = time.monotonic() + 40
        while any(_lives(int(each)) for each in children):
            assert time.monotonic() < give_up
            time.sleep(0.05)


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
