"""The recorder's file, and what happens to streams where it cannot be written: they go on, and it is said once."""

import asyncio
import itertools
import json
import logging
import mmap
import os
import shutil
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from opentelemetry.baggage import set_baggage
from opentelemetry.context import attach, detach
from programs.watching import Watching, watching

import autogen_streamtrace
from autogen_streamtrace import trace_stream
from autogen_streamtrace.commands.top.streams import open_streams
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence import causes
from autogen_streamtrace.core.evidence.deadlines import Deadline
from autogen_streamtrace.core.stream.state import Ending, StreamInfo, StreamLabels, StreamState
from autogen_streamtrace.recorder import file as file_module
from autogen_streamtrace.recorder import layout, orphans, recovery
from autogen_streamtrace.recorder.flight import FAILING, RECORDING, FlightRecorder
from autogen_streamtrace.recorder.layout import row_writing

pytestmark = pytest.mark.once


async def words(end: asyncio.Event) -> AsyncGenerator[str, None]:
    yield "one"
    await end.wait()
    yield "two"


def recorder() -> FlightRecorder:
    watch = autogen_streamtrace.Instrumentor().watch
    assert watch is not None and watch._recording is not None
    return watch._recording.recorder


def hold(meanwhile: Callable[[], object], streams: int = 1, **settings: Any) -> tuple[Watching, list[str]]:
    """Holds streams open while something happens; returns how they ended. The watcher does not touch the file."""
    with mock.patch.object(FlightRecorder, "copy", _copy_for_the_test), watching(**settings) as told:

        async def main() -> None:
            end = asyncio.Event()
            held = [trace_stream(words(end), f"stream {index}") for index in range(streams)]
            for each in held:
                assert await each.__aiter__().__anext__() == "one"
            told.tracker.judge.drain()
            meanwhile()
            end.set()
            for each in held:
                assert [word async for word in each] == ["two"]

        asyncio.run(main())
        return told, [str((span.attributes or {})["streamtrace.outcome"]) for span in told.spans()]


def _copy_for_the_test(recorder: FlightRecorder, now: float, copy: Any = FlightRecorder.copy) -> None:
    if threading.current_thread() is threading.main_thread():
        copy(recorder, now)


def copied() -> None:
    """Does the watcher's work, with its look at the file."""
    recorder()._checked_at = recorder()._renewed_at = 0.0
    recorder().copy(10_000.0)


def test_file_and_directory_are_the_users_alone(state: Path) -> None:
    def look() -> None:
        (path,) = state.rglob("*.streams")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    assert hold(look)[1] == ["completed"]
    assert not list(state.rglob("*.streams"))


def test_a_directory_that_is_open_to_others_is_refused_by_name(state: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = state / f"recorders-{os.geteuid()}"
    directory.mkdir(parents=True)
    directory.chmod(0o755)

    def look() -> None:
        assert recorder().state == FAILING and recorder().dropped == 1

    assert hold(look)[1] == ["completed"]
    assert f"{directory} is open to other users (mode 755); chmod it to 700" in caplog.text
    assert not list(directory.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(state: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = state / "recorders-0"
    directory.mkdir(parents=True, mode=0o700)
    os.chown(directory, 12345, 12345)
    assert hold(lambda: None)[1] == ["completed"]
    assert "belongs to user 12345, not to 0" in caplog.text


def test_a_directory_that_cannot_be_made_is_said_once_and_streams_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def look() -> None:
        assert (recorder().state, recorder().dropped) == (FAILING, 3)
        copied()

    assert hold(look, 3, recorder_dir="/proc/none")[1] == ["completed"] * 3
    lines = [each for each in caplog.records if each.levelno >= logging.WARNING and "flight recorder" in each.message]
    assert len(lines) == 1 and "/proc/none" in lines[0].message


def test_a_platform_without_file_locks_records_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, state: Path
) -> None:
    monkeypatch.setattr(file_module, "fcntl", None)
    assert hold(lambda: None)[1] == ["completed"]
    assert "no file locks" in caplog.text
    assert not [path for path in state.rglob("*") if path.is_file()]


def test_more_streams_than_rows_are_counted(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(layout, "ROWS", 2)

    def look() -> None:
        assert (recorder().state, recorder().dropped) == (FAILING, 3)
        assert len(open_streams()) == 2

    assert hold(look, 5)[1] == ["completed"] * 5
    assert "more streams are open than have room" in caplog.text


def test_after_a_vanished_directory_open_streams_stand_in_a_new_file(
    state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def vanish() -> None:
        shutil.rmtree(state)
        copied()
        assert recorder().state == RECORDING
        assert sorted(each.name for each in open_streams()) == ["stream 0", "stream 1"]

    assert hold(vanish, 2)[1] == ["completed"] * 2
    assert "it was removed" in caplog.text


def test_after_a_truncation_open_streams_stand_in_a_new_file(state: Path, caplog: pytest.LogCaptureFixture) -> None:
    def truncate() -> None:
        (path,) = state.rglob("*.streams")
        os.truncate(path, 0)
        copied()
        assert {(each.name, each.chunks) for each in open_streams()} == {("stream 0", 1), ("stream 1", 1)}

    assert hold(truncate, 2)[1] == ["completed"] * 2
    assert "it was truncated" in caplog.text


def test_a_program_that_closes_all_its_files_keeps_the_ones_it_opens_then(state: Path, tmp_path: Path) -> None:
    """A descriptor of ours that is somebody else's now is neither written to nor closed."""
    theirs: list[int] = []

    def close_and_open() -> None:
        file = recorder()._file._file
        assert file is not None
        os.close(file._descriptor)
        other = os.open(tmp_path / "theirs", os.O_RDWR | os.O_CREAT)
        os.dup2(other, file._descriptor)
        theirs.extend((other, file._descriptor))
        copied()

    assert hold(close_and_open)[1] == ["completed"]
    for descriptor in theirs:
        os.close(descriptor)
    assert (tmp_path / "theirs").read_bytes() == b""


def test_a_busy_event_loop_lets_its_progress_be_copied(state: Path) -> None:
    """It writes to a socket now and then, which takes less time than another thread needs to wake up."""

    async def numbers() -> AsyncGenerator[int, None]:
        for number in itertools.count(1):
            yield number

    async def read() -> set[int]:
        """The numbers of items that its file has shown, once these are six. Looking at it gives nobody a moment."""
        shown, give_up = set[int](), time.monotonic() + 30
        async for number in trace_stream(numbers(), "flowing"):
            if number == 1:
                (path,) = state.rglob("*.streams")  # noqa: ASYNC240
                with path.open("rb") as file:
                    content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            if number % 1_000 == 0:
                os.write(nowhere, b"x")
                row = layout.read_row(content[:], 0)
                shown.add(row.state.chunks if row is not None else 0)
                if len(shown) == 6 or time.monotonic() > give_up:
                    break
        return shown

    nowhere = os.open(os.devnull, os.O_WRONLY)
    with watching():
        shown = asyncio.run(read())
    os.close(nowhere)
    assert len(shown) == 6


def test_with_recorder_false_there_is_no_file(state: Path) -> None:
    assert hold(lambda: None, recorder=False)[1] == ["completed"]
    assert not state.exists()


def test_a_verdict_that_is_too_long_stays_within_its_row() -> None:
    said = {sc.A_OUTCOME: sc.FAILED, sc.A_CAUSE_CHAIN: ["m.Error"] * 500, "gen_ai.output.messages": "long " * 2000}
    written = layout.judged(7, layout.Judged(1, 2, said, {}, {}))
    assert len(written) < layout.finished_at(0) - layout.end_at(0)
    assert b"failed" in written


def test_a_row_holds_no_word_of_a_message(state: Path) -> None:
    def look() -> None:
        (path,) = state.rglob("*.streams")
        content = path.read_bytes()
        assert b"stream 0" in content and b'"one"' not in content

    hold(look)


def test_a_full_disk_is_said_once_and_streams_go_on(tmp_path: Path) -> None:
    """The file may not grow beyond where the rows begin: the kernel refuses each of them."""
    program = f"""
        import asyncio, resource
        import autogen_streamtrace
        from autogen_streamtrace.recorder import layout

        async def words():
            yield "one"

        async def main():
            for _ in range(3):
                assert [word async for word in autogen_streamtrace.trace_stream(words(), "s")] == ["one"]

        autogen_streamtrace.instrument(recorder_dir={str(tmp_path)!r})
        resource.setrlimit(resource.RLIMIT_FSIZE, (layout.ROWS_AT, resource.RLIM_INFINITY))
        asyncio.run(main())
        recorder = autogen_streamtrace.Instrumentor().watch._recording.recorder
        assert recorder.dropped == 3, recorder.dropped
        recorder._look_after(0.0)
        assert recorder.state == 2  # for as long as a row has no room
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        recorder._look_after(0.0)
        assert recorder.state == 1
    """
    exporters = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, **exporters},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("cannot record all streams: [Errno 27] File too large") == 1, run.stderr


def test_a_child_of_a_fork_does_not_hold_its_parents_lock(state: Path) -> None:
    def fork() -> None:
        (parent,) = state.rglob("*.streams")
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            assert recorder()._file.path is None  # it may be about to execute another program
            watch = autogen_streamtrace.Instrumentor().watch
            assert watch is not None and watch.tracker.begin(StreamInfo("stream", "of the child")) is not None
            os.write(writes, f"{recorder()._file.path or ''}\n".encode())
            os.read(reads, 0)
            os._exit(0)
        own = Path(os.read(reads, 1000).decode().strip())
        assert own != parent and own.suffix == ".streams"
        os.waitpid(child, 0)
        os.close(writes)
        os.close(reads)
        assert orphans.alive(parent) and not orphans.alive(own)
        own.unlink()

    assert hold(fork)[1] == ["completed"]


def written_and_read(ending: Ending, **labels: Any) -> layout.Row:
    """A stream as its row has it."""
    state = StreamState(StreamInfo(sc.MODEL, "m", span_name="chat m", streamed=False), None, 0)
    state.labels = StreamLabels({sc.A_LAYER: "model", sc.A_NAME: "m", sc.GEN_AI_REQUEST_STREAM: False, **labels})
    file = bytearray(layout.row_at(1))
    for data, at in (
        (layout.birth(state, 7, 0, layout.Ids(1, 2, 3, True)), layout.row_at(0)),
        (layout.ended(7, state, ending), layout.end_at(0)),
    ):
        file[at : at + len(data)] = data
    row = layout.read_row(bytes(file), 0)
    assert row is not None
    return row


def test_an_ending_is_read_back_as_it_was_written() -> None:
    try:
        raise TimeoutError from ConnectionResetError("gone")
    except TimeoutError as error:
        cause = causes.read(error)
    ending = Ending(
        "raised",
        12.5,
        cause=cause,
        by_token=True,
        shutdown=True,
        parent_chunks=3,
        deadline=Deadline("asyncio.timeout", 30.0),
        grace=Deadline("uvicorn.timeout_graceful_shutdown", None),
    )
    assert written_and_read(ending).ending == ending


def test_a_cause_is_stored_by_the_names_of_its_fields() -> None:
    said = row_writing._ending_text(
        StreamState(StreamInfo(sc.TOOL, "t"), None, 0), Ending("raised", 1.0, cause=causes.CLOSED)
    )
    assert set(json.loads(said)["cause"]) == {field.name for field in fields(causes.Cause)}


def test_the_labels_of_a_stream_are_read_back_in_their_order() -> None:
    labels = written_and_read(Ending("returned", 1.0), tenant="blue").state.labels
    assert list(labels.started.items()) == [
        (sc.A_LAYER, "model"),
        (sc.A_NAME, "m"),
        (sc.GEN_AI_REQUEST_STREAM, False),
        ("tenant", "blue"),
    ]
    assert list(labels.open) == [sc.A_LAYER, sc.A_NAME, "tenant"]


def test_labels_are_never_cut_though_attributes_are() -> None:
    state = StreamState(StreamInfo(sc.TOOL, "n" * 400, attributes=(("long", "x" * 900),)), None, 0)
    state.labels = StreamLabels({sc.A_LAYER: "tool", sc.A_NAME: "_OTHER", "tenant": "t" * 300})
    file = bytearray(layout.row_at(1))
    birth = layout.birth(state, 7, 0, layout.Ids(1, 2, 3, True))
    file[layout.row_at(0) : layout.row_at(0) + len(birth)] = birth
    row = layout.read_row(bytes(file), 0)
    assert row is not None and row.state.labels.started == state.labels.started
    state.labels = StreamLabels({"tenant": "t" * 900})
    with pytest.raises(ValueError, match="do not fit"):
        layout.birth(state, 7, 0, layout.Ids(1, 2, 3, True))


@pytest.mark.parametrize("version", [layout.VERSION - 1, layout.VERSION + 1])
def test_a_file_of_another_version_is_not_read(version: int) -> None:
    data = bytearray(layout.header({"resource": {}}))
    data[8:10] = version.to_bytes(2, "little")
    with pytest.raises(layout.Unreadable, match=f"version {version}.*version {layout.VERSION}"):
        layout.read_header(bytes(data))


def test_what_is_recovered_goes_on_by_the_labels_of_the_dead_process(state: Path) -> None:
    def by_tenant(metrics: Any, name: str) -> dict[Any, int]:
        data = metrics[-1].resource_metrics[0].scope_metrics[0].metrics
        (points,) = [each.data.data_points for each in data if each.name == name]
        return {point.attributes.get("tenant"): point.value for point in points}

    def look() -> None:
        (path,) = state.rglob("*.streams")
        found = recovery.recover(orphans.read(path))
        assert (
            by_tenant(found.metrics, sc.M_STARTED) == by_tenant(found.metrics, sc.M_ENDED) == {"blue": 1, "_OTHER": 1}
        )
        assert by_tenant(found.metrics, sc.M_OPEN) == {"blue": 0, "_OTHER": 0}
        ends = [event.log_record for event in found.events if event.log_record.event_name == sc.E_END]
        assert {str((each.attributes or {})["tenant"]) for each in ends} == {"blue", "green"}

    with watching(baggage={"tenant": ["blue"]}) as told:
        states = []
        for tenant in ("blue", "green"):
            token = attach(set_baggage("tenant", tenant))
            states.append(told.tracker.begin(StreamInfo("stream", "s", span_name="stream s")))
            detach(token)
        assert told.tracker.settle(10)
        look()
        for each in states:
            assert each is not None
            told.tracker.end(each, "returned")
