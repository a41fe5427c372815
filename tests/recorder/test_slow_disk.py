"""A disk on which each write of the recorder takes long: the event loop goes on, and what was recorded is there."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from programs.watching import watching

from autogen_streamtrace import trace_stream
from autogen_streamtrace.recorder import orphans, writing
from autogen_streamtrace.recorder.file import File
from autogen_streamtrace.recorder.writing import Writer

pytestmark = pytest.mark.once

LONG = 0.2
"""Seconds of one write."""


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the threads that have written."""
    pwrite, threads = os.pwrite, list[str]()

    def long(*args: Any) -> int:
        threads.append(threading.current_thread().name)
        time.sleep(LONG)
        return pwrite(*args)

    monkeypatch.setattr(os, "pwrite", long)
    return threads


async def words(end: asyncio.Event) -> AsyncGenerator[str, None]:
    yield "one"
    await end.wait()
    yield "two"


def test_an_event_loop_does_not_wait_for_a_slow_disk(slow: list[str], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        end = asyncio.Event()
        for index in range(5):
            async for _ in trace_stream(words(end), f"stream {index}"):
                end.set()

    with watching():
        slow.clear()
        asyncio.run(main())
        assert threading.main_thread().name not in slow
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_a_file_whose_writes_wait_is_not_truncated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go_on, pwrite = threading.Event(), os.pwrite
    go_on.set()

    def held(*args: Any) -> int:
        time.sleep(2 * writing.SLOW)
        go_on.wait()
        return pwrite(*args)

    monkeypatch.setattr(os, "pwrite", held)
    header = bytes(64)
    file = File(tmp_path, header)
    go_on.clear()
    file.write(b"row", 4096)
    assert file.trouble(4099) == ""
    go_on.set()
    file.close()
    assert file.path.stat().st_size == 4099


def test_what_was_handed_over_stands_in_the_file(slow: list[str], state: Path) -> None:
    def recorded() -> bool:
        (path,) = state.rglob("*.streams")
        return [row.state.name for row in orphans.read(path).rows] == ["open"]

    async def main() -> None:
        end = asyncio.Event()
        stream = trace_stream(words(end), "open").__aiter__()
        assert await stream.__anext__() == "one"
        await until(recorded)
        end.set()
        assert [word async for word in stream] == ["two"]

    with watching():
        asyncio.run(main())
    assert not list(state.rglob("*.streams"))


async def until(true: Callable[[], bool]) -> None:
    """Returns when it is; what another thread does can only be looked at."""
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never was")


@pytest.fixture
def takes_long(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes a write slow, by a clock that nothing else moves: a pause of the machine makes none slow."""
    now = [0.0]
    monkeypatch.setattr(writing, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def takes_long() -> None:
        now[0] += 2 * writing.SLOW

    return takes_long


def test_writes_keep_their_order_and_go_back_to_whoever_writes_once_the_disk_is_well(
    takes_long: Callable[[], None],
) -> None:
    written: list[int] = []
    gate = threading.Event()

    def write(data: bytes, at: int) -> int:
        written.append(at)
        if at == 0:
            takes_long()
        elif at == 1:
            gate.wait(40)
        return len(data)

    writer = Writer(write)
    for at in range(writing._WELL + 10):
        writer.write(b"", at)
    assert writer.slow
    thread = writer._thread
    assert thread is not None
    gate.set()
    thread.join(40)
    assert not writer.slow
    assert written == list(range(writing._WELL + 10))


def test_one_slow_write_among_quick_ones_hands_nothing_over_and_two_in_a_row_do(takes_long: Callable[[], None]) -> None:
    def write(data: bytes, at: int) -> int:
        if at in (1, 3, 4):
            takes_long()
        return len(data)

    writer = Writer(write)
    handed_over = []
    for at in range(5):
        writer.write(b"", at)
        handed_over.append(writer.slow)
    assert handed_over == [False, False, False, False, True]
    assert writer.end(40)


def test_what_is_written_again_soon_is_left_out_where_others_wait_and_too_much_is_an_error(
    monkeypatch: pytest.MonkeyPatch, takes_long: Callable[[], None]
) -> None:
    monkeypatch.setattr(writing, "MOST", 2)
    gate, begun = threading.Event(), threading.Event()
    written: list[int] = []

    def write(data: bytes, at: int) -> int:
        if at == 0:
            takes_long()
        else:
            begun.set()
            gate.wait(40)
        written.append(at)
        return len(data)

    writer = Writer(write)
    writer.write(b"", 0)
    writer.write(b"", 1)
    assert begun.wait(40)
    writer.write(b"", 2)
    writer.write(b"", 3, again=True)
    writer.write(b"", 4)
    with pytest.raises(OSError, match="too slow"):
        writer.write(b"", 5)
    gate.set()
    assert writer.end(40)
    assert written == [0, 1, 2, 4]


def test_an_error_of_the_thread_is_told_with_the_next_write(takes_long: Callable[[], None]) -> None:
    def write(data: bytes, at: int) -> int:
        if at == 0:
            takes_long()
        if at == 1:
            raise OSError("no space")
        return len(data)

    writer = Writer(write)
    writer.write(b"", 0)
    writer.write(b"", 1)
    assert writer.end(40)
    with pytest.raises(OSError, match="no space"):
        writer.write(b"", 2)
