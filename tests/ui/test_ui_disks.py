"""Disks that really are full, and files that are damaged: what it says, and that nothing is lost that was there."""

import gzip
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from mounts import OWN_MOUNTS
from synthetic import Turn, lines
from ui_process import FREE, Ui, running

pytestmark = pytest.mark.once

TURNS: Final = "api/cuts?since=all"
AT_ONCE: Final = 60


def request(number: int) -> bytes:
    """Turns that are not there yet, as OTLP JSON; they do not pack well."""
    random_ = random.Random(number)
    turns = [Turn(more={"padding": f"{random_.getrandbits(8000):x}"}) for _ in range(AT_ONCE)]
    return next(lines(turns, first=AT_ONCE * number)).encode()


def sent(ui: Ui, numbers: range) -> list[int]:
    """The status of each request's answer."""
    return [ui.post("traces", request(number))[0] for number in numbers]


@pytest.mark.skipif(not OWN_MOUNTS, reason="no file systems can be mounted here; see also test_ui_receiving.py")
def test_a_disk_that_is_full_is_told_and_goes_on_by_itself_once_it_has_room(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir(0o700)
    mounted = 'mount -t tmpfs -o size=1m,mode=700 tmpfs "$0"; exec "$@"'
    with running(tmp_path, within=[*OWN_MOUNTS, "sh", "-c", mounted, str(store)]) as ui:
        before = sent(ui, range(20))
        assert before[0] == 200 and before[-1] == 503
        assert "Make room" in ui.get("api/now")["trouble"][0]
        assert ui.get(TURNS)["turns"] == AT_ONCE * before.count(200)
        enter = [
            "nsenter",
            f"--target={ui.process.pid}",
            "--mount",
            *(["--user"] if "--map-root-user" in OWN_MOUNTS else []),
        ]
        subprocess.run([*enter, "mount", "-o", "remount,size=64m", str(store)], check=True)
        after = sent(ui, range(20, 25))
        assert after == [200] * 5
        assert ui.get("api/now")["trouble"] == []
        assert ui.get(TURNS)["turns"] == AT_ONCE * (before.count(200) + 5)


TORN: Final = gzip.compress(b'{"resourceSpans": []}\n' * 9999)[:-2000]


@pytest.mark.parametrize("damaged", [TORN, b""], ids=["torn", "empty"])
def test_a_file_without_a_whole_line_is_refused(tmp_path: Path, damaged: bytes) -> None:
    file = tmp_path / "damaged.jsonl"
    file.write_bytes(damaged)
    line = [sys.executable, "-m", "autogen_streamtrace", "ui", *FREE, str(file)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=40)
    assert done.returncode == 2 and "damaged.jsonl" in done.stderr and "Traceback" not in done.stderr


def test_a_file_of_something_else_is_told_as_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "damaged.jsonl"
    file.write_bytes(bytes(range(256)) * 9)
    with running(tmp_path, str(file)) as ui:
        assert ui.process.stderr is not None
        assert ui.process.stderr.readline() == f"Read {file}: 10 lines, of which 10 could not be used\n"


def test_a_store_whose_turns_are_damaged_is_set_aside(tmp_path: Path) -> None:
    damaged = _damaged(tmp_path, "turns")
    with running(tmp_path) as ui:
        assert sent(ui, range(2, 3)) == [200]
        assert ui.get(TURNS)["turns"] == AT_ONCE
    [aside] = (tmp_path / "store").glob("*.aside")
    assert aside.read_bytes() == damaged


def test_a_store_that_is_damaged_elsewhere_is_told_with_what_to_do(tmp_path: Path) -> None:
    _damaged(tmp_path, "span_of")
    with running(tmp_path) as ui:
        status, _, answer = ui.post("traces", request(2))
        assert status == 503 and "move the file away" in answer.decode()
        assert "move the file away" in ui.get("api/now")["trouble"][0]
        assert ui.get(TURNS)["turns"] == AT_ONCE


def _damaged(folder: Path, name: str) -> bytes:
    """Makes a store with some turns, and damages the first page of one of its tables or indexes."""
    with running(folder) as ui:
        assert sent(ui, range(1)) == [200]
        ui.end()
    file = folder / "store" / "streams.sqlite3"
    store = sqlite3.connect(file)
    (size,) = store.execute("PRAGMA page_size").fetchone()
    (page,) = store.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    store.close()
    whole = bytearray(file.read_bytes())
    whole[(page - 1) * size : page * size] = b"\xff" * size
    file.write_bytes(whole)
    return bytes(whole)
