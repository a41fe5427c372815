"""What is told of a process that was killed: by a later one, or from the command line."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from otlp_receiver import OtlpReceiver
from processes import LATE, PREFIX, command, environment, kill, left_behind, recover, streams, sums, told, victim

from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.commands.top.streams import Open, open_streams
from autogen_streamtrace.core.semconv import MODEL
from autogen_streamtrace.core.stream.state import Ending, StreamInfo, StreamState
from autogen_streamtrace.recorder import layout, orphans
from autogen_streamtrace.recorder.recovery import recover_all
from autogen_streamtrace.recorder.replay import replay

pytestmark = pytest.mark.once


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_fifty_open_streams_of_a_killed_process_are_told_with_all_that_had_ended(
    receiver: OtlpReceiver, state: Path, protocol: str
) -> None:
    with victim(receiver, "holds", "50", **LATE) as process:
        kill(process)
    assert command(receiver, "recover", **receiver.env(protocol)).returncode == 0
    assert Counter(told(receiver)) == {("stream", "open", "killed"): 50, ("stream", "ended", "completed"): 3}
    assert left_behind(state) == []
    for span in streams(receiver):
        if span.attributes[PREFIX + "outcome"] == "killed":
            assert span.attributes[PREFIX + "ended_by"] == "process"
            assert span.attributes[PREFIX + "chunks"] == 2
            assert span.attributes[PREFIX + "last_seen"].endswith("+00:00")
            assert span.attributes["error.type"] == "killed"


def test_counters_are_the_dead_processs_own_series_to_the_unit(receiver: OtlpReceiver) -> None:
    with victim(receiver, "holds", "5", OTEL_BSP_SCHEDULE_DELAY="50", OTEL_METRIC_EXPORT_INTERVAL="50") as process:
        receiver.wait_for(lambda r: sums(r, "open", "name").get(("open",)) == 5)
        receiver.wait_for(lambda r: len(streams(r)) == 3)
        kill(process)
    recover(receiver)
    assert sums(receiver, "started", "name") == {("ended",): 3, ("open",): 5}
    assert sums(receiver, "ended", "name", "outcome") == {("ended", "completed"): 3, ("open", "killed"): 5}
    assert sums(receiver, "cut", "outcome", "ended_by") == {("killed", "process"): 5}
    assert set(sums(receiver, "open", "name").values()) == {0}
    assert len({each.resource["service.instance.id"] for each in receiver.metrics()}) == 1


def test_a_counter_never_goes_back_where_it_is_recovered(receiver: OtlpReceiver) -> None:
    with victim(receiver, "holds", "2", OTEL_BSP_SCHEDULE_DELAY="50", OTEL_METRIC_EXPORT_INTERVAL="50") as process:
        receiver.wait_for(lambda r: sums(r, "started", "name").get(("ended",)) == 3)
        kill(process)
    recover(receiver)
    values: dict[str, list[int]] = {}
    for metric in receiver.metrics():
        if metric.data.name in (PREFIX + "started", PREFIX + "ended", PREFIX + "cut"):
            for point in metric.data.sum.data_points:
                values.setdefault(metric.data.name + str(point.attributes), []).append(int(point.as_int))
    assert values
    for series in values.values():
        assert series == sorted(series)
        assert series[0] == 0


def test_each_layer_keeps_its_ids_its_parent_and_the_resource_of_the_dead(receiver: OtlpReceiver) -> None:
    with ModelServer() as model:
        names = {"OTEL_SERVICE_NAME": "the dead", "OTEL_BLRP_SCHEDULE_DELAY": "50"}
        with victim(receiver, "turns", model.url("stall"), **names) as process:
            receiver.wait_for(lambda r: r.logs())
            (start,) = [each for each in receiver.logs() if each.data.event_name == PREFIX + "start"]
            kill(process)
        recover(receiver)
    by_layer = {span.attributes[PREFIX + "layer"]: span for span in streams(receiver)}
    agent, model_stream, exchange = (by_layer[layer].data for layer in ("agent", "model", "http"))
    assert (agent.trace_id, agent.span_id) == (start.data.trace_id, start.data.span_id)
    assert model_stream.parent_span_id == agent.span_id
    assert exchange.trace_id == agent.trace_id
    assert {span.resource["service.name"] for span in streams(receiver)} == {"the dead"}
    assert {span.attributes[PREFIX + "waiting_on.type"] for span in streams(receiver)} == {"http"}
    assert [s.attributes[PREFIX + "origin"] for s in streams(receiver)] == [True, False, False]


def test_two_recoveries_tell_the_same_spans(receiver: OtlpReceiver, state: Path) -> None:
    """The first one's metrics do not arrive, so the second one tells all of it again."""
    with ModelServer() as model, victim(receiver, "turns", model.url("stall"), **LATE) as process:
        kill(process)
    assert recover(receiver, refuses="metrics") == [None]
    assert left_behind(state) == [".counts", ".streams"]
    first = [span.data.span_id for span in receiver.spans()]
    recover(receiver)
    again = [span.data.span_id for span in receiver.spans()][len(first) :]
    assert sorted(again) == sorted(first) != []


def test_of_twenty_recoverers_one_tells(receiver: OtlpReceiver, state: Path) -> None:
    with victim(receiver, "holds", "4", **LATE) as process:
        kill(process)
    with ThreadPoolExecutor(20) as recoverers:  # a lock belongs to the open file, not to the process
        found = [each for some in recoverers.map(lambda _: recover(receiver), range(20)) for each in some]
    assert len(found) == 1
    assert len(receiver.spans()) == 7
    assert sums(receiver, "ended", "outcome") == {("completed",): 3, ("killed",): 4}
    assert left_behind(state) == []


def test_who_only_looks_keeps_nobody_from_recovering(receiver: OtlpReceiver, state: Path) -> None:
    with victim(receiver, "holds", "2", **LATE) as process:
        kill(process)
    (path,) = state.rglob("*.streams")
    with orphans.orphaned(path), orphans.orphaned(path) as looking:
        assert looking is not None and not orphans.alive(path)
        assert [found.killed for found in recover(receiver) if found] == [2]


def test_nothing_of_a_process_that_is_being_recovered_is_open(receiver: OtlpReceiver) -> None:
    with victim(receiver, "holds", "2", **LATE) as process:
        kill(process)
    meanwhile: list[list[Open]] = []

    def send(what: str, batch: object) -> bool:
        meanwhile.append(open_streams())
        return True

    assert len(list(recover_all(send))) == 1
    assert meanwhile and not any(meanwhile)


def test_a_child_that_is_forked_meanwhile_does_not_hold_what_its_parent_recovers(
    receiver: OtlpReceiver, state: Path
) -> None:
    with victim(receiver, "holds", "2", **LATE) as process:
        kill(process)
    (path,) = state.rglob("*.streams")
    with orphans.claimed(path) as descriptor:
        assert descriptor is not None
        child = os.fork()
        if child == 0:
            os._exit(0 if orphans._descriptors == set() and not _is_open(descriptor) else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert _is_open(descriptor)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_recoverer_that_dies_leaves_its_claim_to_the_next(receiver: OtlpReceiver, state: Path) -> None:
    with victim(receiver, "holds", "2", **LATE) as process:
        kill(process)
    (path,) = state.rglob("*.streams")
    path.with_suffix(".claim").touch()
    for half_removed in ("1-recovered.claim", "1-recovered.counts"):
        path.with_name(half_removed).touch()
    assert [found.killed for found in recover(receiver) if found] == [2]
    assert left_behind(state) == []


def test_a_process_that_starts_recovers_what_died_before(receiver: OtlpReceiver, state: Path) -> None:
    with victim(receiver, "holds", "2", **LATE) as process:
        kill(process)
    with victim(receiver, "holds", "1", **LATE):
        receiver.wait_for(lambda r: sums(r, "ended", "outcome").get(("killed",)) == 2)


def test_the_event_of_a_killed_stream_carries_the_time_of_recovery(receiver: OtlpReceiver) -> None:
    with victim(receiver, "holds", "1", **LATE) as process:
        kill(process)
    recover(receiver)
    (event,) = [
        each
        for each in receiver.logs()
        if each.data.event_name == PREFIX + "end" and each.attributes[PREFIX + "outcome"] == "killed"
    ]
    (span,) = [each for each in streams(receiver) if each.attributes[PREFIX + "outcome"] == "killed"]
    assert event.data.time_unix_nano > span.data.end_time_unix_nano
    assert event.attributes[PREFIX + "last_seen"] == span.attributes[PREFIX + "last_seen"]
    assert (event.data.trace_id, event.data.span_id) == (span.data.trace_id, span.data.span_id)
    assert event.data.severity_text == "ERROR"


@pytest.mark.parametrize("pulse", ["none", "before the stream"])
def test_a_process_that_died_before_the_next_pulse_was_last_seen_by_its_stream(
    receiver: OtlpReceiver, state: Path, pulse: str
) -> None:
    with victim(receiver, "holds", "1", **LATE) as process:
        kill(process)
    (path,) = state.rglob("*.streams")
    with path.open("r+b") as file:
        file.seek(layout.PULSE_AT)
        file.write(layout.pulse(*{"none": (0.0, 0), "before the stream": (0.5, 500_000_000)}[pulse]))
    recover(receiver)
    (span,) = [each for each in streams(receiver) if each.attributes[PREFIX + "outcome"] == "killed"]
    seen = datetime.fromisoformat(span.attributes[PREFIX + "last_seen"]).timestamp()
    assert seen == pytest.approx(span.data.end_time_unix_nano / 1e9, abs=0.001)


def test_an_unsampled_stream_is_counted_and_has_no_span(receiver: OtlpReceiver) -> None:
    with victim(receiver, "holds", "2", OTEL_TRACES_SAMPLER="always_off", **LATE) as process:
        kill(process)
    recover(receiver)
    assert streams(receiver) == []
    assert sums(receiver, "ended", "outcome") == {("completed",): 3, ("killed",): 2}


def test_a_dry_run_prints_and_leaves_all_as_it_was(receiver: OtlpReceiver, state: Path) -> None:
    with victim(receiver, "holds", "2", **LATE) as process:
        kill(process)
    run = command(receiver, "recover", "--dry-run")
    assert run.returncode == 1
    assert run.stdout.count("stream open: killed, 2 chunks") == 2
    assert receiver.requests("traces") == []
    assert left_behind(state) == [".counts", ".streams"]
    recover(receiver)
    assert command(receiver, "recover", "--dry-run").returncode == 0


def test_watching_recovers_a_process_that_dies_meanwhile(receiver: OtlpReceiver, state: Path) -> None:
    line = [sys.executable, "-m", "autogen_streamtrace.cli", "recover", "--watch"]
    with victim(receiver, "holds", "2", **LATE) as process:
        sidecar = subprocess.Popen(line, env=environment(receiver), stdout=subprocess.PIPE, text=True)
        kill(process)
        receiver.wait_for(lambda r: sums(r, "ended", "outcome").get(("killed",)) == 2, 50)
        sidecar.terminate()
        assert sidecar.wait(20) == 0
        sidecar.communicate()
    assert left_behind(state) == []


def test_the_living_are_left_alone(receiver: OtlpReceiver, state: Path) -> None:
    with victim(receiver, "holds", "1", **LATE):
        assert recover(receiver) == []
        assert left_behind(state) == [".counts", ".streams"]
        assert receiver.spans() == []


@pytest.mark.parametrize("damage", ["not ours", "newer version", "torn header", "empty"])
def test_an_unreadable_file_is_set_aside_and_named_beside_readable_ones(
    receiver: OtlpReceiver, state: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    with victim(receiver, "holds", "2", **LATE) as one, victim(receiver, "holds", "2", **LATE) as other:
        kill(one)
        kill(other)
    bad, _ = sorted(state.rglob("*.streams"))
    content = bytearray(bad.read_bytes())
    content[: 64 if damage == "torn header" else 10] = {
        "not ours": b"somebody's",
        "newer version": content[:8] + b"\x63\x00",
        "torn header": content[:40] + bytes(24),
        "empty": b"",
    }[damage]
    bad.write_bytes(b"" if damage == "empty" else content)
    assert recover(receiver).count(None) == 1
    assert f"{bad}" in caplog.text and bad.with_name(bad.name + ".aside").exists()
    assert Counter(told(receiver)) == {("stream", "open", "killed"): 2, ("stream", "ended", "completed"): 3}


def test_of_a_file_with_a_damaged_row_the_others_are_told(
    receiver: OtlpReceiver, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with victim(receiver, "holds", "3", **LATE) as process:
        kill(process)
    (path,) = state.rglob("*.streams")
    with path.open("r+b") as file:
        file.seek(layout.row_at(4) + 40)
        file.write(b"damage")
    recover(receiver)
    assert "row 4" in caplog.text and path.with_name(path.name + ".aside").exists()
    assert Counter(told(receiver)) == {("stream", "open", "killed"): 2, ("stream", "ended", "completed"): 3}


def test_a_file_cut_short_tells_the_rows_that_are_whole(receiver: OtlpReceiver, state: Path) -> None:
    with victim(receiver, "holds", "3", **LATE) as process:
        kill(process)
    (path,) = state.rglob("*.streams")
    os.truncate(path, layout.row_at(4) + 20)
    recover(receiver)
    assert Counter(told(receiver)) == {("stream", "open", "killed"): 1, ("stream", "ended", "completed"): 3}


def test_streams_whose_spans_never_arrived_are_told_though_the_process_ended_in_order(
    receiver: OtlpReceiver, state: Path
) -> None:
    """Its Collector was away when it ended."""
    gone = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    program = str(Path(__file__).parents[1] / "programs" / "script.py")
    run = subprocess.run(
        [sys.executable, program, "ends"], env={**environment(receiver), **gone}, capture_output=True, timeout=40
    )
    assert run.returncode == 0
    recover(receiver)
    assert told(receiver) == [("stream", "ended", "completed")]
    assert sums(receiver, "ended", "outcome") == {("completed",): 1}
    assert left_behind(state) == []


def test_an_orderly_end_leaves_nothing_behind(receiver: OtlpReceiver, state: Path) -> None:
    program = str(Path(__file__).parents[1] / "programs" / "script.py")
    subprocess.run([sys.executable, program, "ends"], env=environment(receiver), check=True, timeout=40)
    assert left_behind(state) == []


def test_top_shows_the_open_streams_of_a_living_process_and_none_of_a_dead_one(receiver: OtlpReceiver) -> None:
    with victim(receiver, "holds", "1", **LATE) as dead:
        kill(dead)
    named = {"OTEL_SERVICE_NAME": "shop", "AUTOGEN_STREAMTRACE_STALL_AFTER": "0.2", **LATE}
    with victim(receiver, "holds", "2", **named) as process:
        threading.Event().wait(0.5)  # seconds pass: that is what makes it stalled
        run = command(receiver, "top", "--json")
        found = json.loads(run.stdout)
        assert run.returncode == 1
        assert [(each["layer"], each["name"], each["process"], each["service"]) for each in found] == [
            ("stream", "open", process.pid, "shop")
        ] * 2
        assert all(each["stalled"] and each["chunks"] == 2 and len(each["trace_id"]) == 32 for each in found)
        once = command(receiver, "top", "--once", COLUMNS="200")
        assert found[0]["trace_id"] in once.stdout and "2 open streams, 2 stalled" in once.stdout


def test_what_finish_reasons_meant_to_the_dead_process_is_what_they_mean_in_its_recovery(
    receiver: OtlpReceiver, state: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.toml"
    own.write_text('failed = ["gave_up"]\ndone = [' + ", ".join(f'"word{number}"' for number in range(5000)) + "]")
    with victim(receiver, "holds", "1", AUTOGEN_STREAMTRACE_FINISH_REASONS_FILE=str(own), **LATE) as process:
        kill(process)
    (path,) = state.rglob("*.streams")
    orphan = orphans.read(path)
    recorded = orphan.settings["finish_reasons"]
    assert recorded["gave_up"] == "failed"
    assert 100 < len(recorded) < 5000  # as many as there is room for
    ended = StreamState(StreamInfo(MODEL, "m"), None, 0)
    ended.finish, ended.closed = "gave_up", True
    row = orphan.rows[0]._replace(serial=1000, parent=0, state=ended, ending=Ending("returned", 1.0), judged=None)
    (node,) = [node for node in replay(replace(orphan, rows=[row])).settled if node.state is ended]
    assert node.verdict is not None
    assert (node.verdict.outcome, node.verdict.rule) == ("rejected", "failed finish reason")
