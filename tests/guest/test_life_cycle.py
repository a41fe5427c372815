"""The life of the instrument: it begins whole or not at all, ends once, and leaves nothing."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.metrics import MeterProvider as ApiMeterProvider
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from otlp_receiver import OtlpReceiver
from processes import LATE, PROGRAMS, environment, kill, left_behind, recover, streams, victim
from programs.patched import attributes, changed
from programs.watching import Watching, watching

import autogen_streamtrace
from autogen_streamtrace import SettingError, trace_stream, watch
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.limits import CatalogueError
from autogen_streamtrace.recorder import orphans

pytestmark = pytest.mark.once


async def words() -> AsyncGenerator[str, None]:
    yield "one"
    yield "two"


def turn(name: str = "s") -> list[str]:
    async def read() -> list[str]:
        return [word async for word in trace_stream(words(), name)]

    return asyncio.run(read())


def test_whatever_happens_in_its_life_nothing_is_lost_told_twice_or_left_behind(tmp_path: Path) -> None:
    program = [sys.executable, str(PROGRAMS / "life_cycle.py")]
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    run = subprocess.run(program, env=env, capture_output=True, text=True, timeout=110)
    assert run.returncode == 0, run.stderr


class RaisingMeters(ApiMeterProvider):
    """A provider that cannot make a meter."""

    def get_meter(self, *args: Any, **keywords: Any) -> Any:
        raise OSError("no meter today")


def files(state: Path) -> list[Path]:
    """What a recorder has left below its directory."""
    return list(state.rglob("*.*"))


def left() -> set[Any]:
    """What an application adds to this process. A watch of an earlier test may be ending still, and take its own."""
    return {*watch._live, *_finalizers()}


def _finalizers() -> dict[Any, Any]:
    from multiprocessing import util

    return util._finalizer_registry  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        ({"limits_file": Path("nowhere.toml")}, CatalogueError),
        ({"stall_after": float("inf")}, SettingError),
        ({"tracer_provider": "x"}, SettingError),
        ({"meter_provider": TracerProvider(shutdown_on_exit=False)}, SettingError),
        ({"meter_provider": RaisingMeters()}, OSError),
    ],
    ids=[
        "no file of limits",
        "no finite number",
        "no provider",
        "a provider of another kind",
        "a provider that raises",
    ],
)
def test_an_instrument_that_raises_leaves_all_as_it_was(
    keywords: dict[str, Any], error: type[Exception], state: Path
) -> None:
    before, patches, threads = left(), attributes(), threading.enumerate()
    with pytest.raises(error):
        autogen_streamtrace.instrument(**{**Watching().providers, **keywords})
    assert left() <= before
    assert set(threading.enumerate()) <= set(threads)
    assert changed(patches) == set()
    assert not files(state)
    with watching() as told:
        turn()
        assert told.outcome("stream s") == "completed"


def test_a_thread_that_cannot_be_started_leaves_all_as_it_was(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*args: Any) -> None:
        raise RuntimeError("can't start new thread")

    before, patches = left(), attributes()
    with monkeypatch.context() as patched:
        patched.setattr(StreamTracker, "start", refuses)
        with pytest.raises(RuntimeError, match="new thread"):
            autogen_streamtrace.instrument(**Watching().providers)
    assert left() <= before
    assert changed(patches) == set()
    assert not files(state)


def test_what_is_no_provider_is_named_with_what_is_allowed() -> None:
    with pytest.raises(SettingError, match=r"'logger_provider': 1 is not allowed; .*LoggerProvider"):
        autogen_streamtrace.instrument(logger_provider=1)  # type: ignore[arg-type]


def test_counters_go_on_where_the_instrument_ends_and_begins_again() -> None:
    told = Watching()
    for round_ in (1, 2, 3):
        autogen_streamtrace.instrument(**told.providers)
        turn()
        assert autogen_streamtrace.flush()
        assert told.points("streamtrace.started") == told.points("streamtrace.ended") == {"s": round_}
        autogen_streamtrace.uninstrument()
        assert told.points("streamtrace.ended") == {"s": round_}
    assert len(told.spans()) == 3


def test_a_stream_that_is_open_at_the_end_ends_under_its_watch_and_then_nothing_is_left(state: Path) -> None:
    told, before = Watching(), left()

    async def main() -> None:
        stream = trace_stream(words(), "s").__aiter__()
        assert await stream.__anext__() == "one"
        autogen_streamtrace.uninstrument()
        assert files(state)
        assert [word async for word in stream] == ["two"]

    autogen_streamtrace.instrument(**told.providers)
    (applied,) = watch._live
    asyncio.run(main())
    assert applied._ended.wait(40)
    assert told.outcome("stream s") == "completed"
    assert not files(state)
    assert left() <= before


class Kept(MetricExporter):
    """Keeps how often a stream was said to have ended, at each export."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[Any] = []

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **keywords: Any) -> MetricExportResult:
        for resource in metrics_data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == "streamtrace.ended":
                        self.ended += [getattr(point, "value", None) for point in metric.data.data_points]
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **keywords: Any) -> None:
        pass


@pytest.mark.parametrize("how", ["force_flush", "shutdown"])
def test_a_program_that_flushes_its_own_meter_provider_exports_what_it_counted(how: str) -> None:
    kept = Kept()
    meters = MeterProvider([PeriodicExportingMetricReader(kept, 60_000)], shutdown_on_exit=False)
    autogen_streamtrace.instrument(**{**Watching().providers, "meter_provider": meters})
    turn()
    getattr(meters, how)()
    assert kept.ended == [0, 1]
    autogen_streamtrace.uninstrument()
    assert how not in vars(meters)


def test_a_provider_that_flushes_within_a_span_processor_does_not_wait_for_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("autogen_streamtrace.flushing._TIMEOUT", 40.0)  # a wait for itself takes as long
    told = Watching()

    class Flushes(SpanProcessor):
        def on_end(self, span: Any) -> None:
            told.tracer_provider.force_flush()

    told.tracer_provider.add_span_processor(Flushes())
    with_flush = {**told.providers, "meter_provider": NoOpMeterProvider()}
    autogen_streamtrace.instrument(**with_flush)
    began = time.monotonic()
    turn()
    assert autogen_streamtrace.flush()
    autogen_streamtrace.uninstrument()
    assert time.monotonic() - began < 20
    assert told.outcome("stream s") == "completed"


def test_a_child_that_executes_another_program_gets_no_file_and_no_thread(state: Path) -> None:
    with watching():
        turn()
        before = sorted(state.rglob("*"))
        count = "import os, threading; print(len(os.listdir('/proc/self/task')))"
        child = subprocess.run([sys.executable, "-c", count], preexec_fn=lambda: None, capture_output=True, text=True)
        assert child.stdout == "1\n"
        assert sorted(state.rglob("*")) == before


def test_no_home_and_no_locks_switch_the_recorder_off_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", nobody)
    with watching() as told:
        turn()
        assert told.outcome("stream s") == "completed"
    (warning,) = [each.getMessage() for each in caplog.records if "recorder is off" in each.getMessage()]
    assert "AUTOGEN_STREAMTRACE_RECORDER_DIR" in warning


@pytest.mark.parametrize("lacks", ["geteuid", "locks"])
def test_on_another_platform_the_recorder_is_off(
    lacks: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, state: Path
) -> None:
    if lacks == "geteuid":
        monkeypatch.delattr(os, "geteuid")
    else:
        monkeypatch.setattr("autogen_streamtrace.recorder.file.fcntl", None)
    with watching() as told:
        turn()
        assert told.outcome("stream s") == "completed"
    assert sum("recorder is off" in each.getMessage() for each in caplog.records) == 1
    assert not files(state)


@pytest.mark.parametrize("signals", [("TRACES",), ("TRACES", "METRICS", "LOGS")], ids=["spans", "all"])
def test_a_clean_end_leaves_no_file_where_nothing_exports(
    signals: tuple[str, ...], receiver: OtlpReceiver, state: Path
) -> None:
    env = {**environment(receiver), **{f"OTEL_{signal}_EXPORTER": "none" for signal in signals}}
    subprocess.run([sys.executable, "-c", ONE_TURN], env=env, check=True, timeout=30)
    assert not files(state)


def test_a_python_without_fcntl_runs_on_without_a_recorder(receiver: OtlpReceiver, state: Path) -> None:
    program = "import sys; sys.modules['fcntl'] = None\n" + ONE_TURN
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment(receiver), capture_output=True, text=True, timeout=30
    )
    assert (run.returncode, run.stderr.count("recorder is off")) == (0, 1)
    assert not files(state)


ONE_TURN = """
import asyncio
import autogen_streamtrace
autogen_streamtrace.instrument()
async def words():
    yield "one"
async def turn():
    async for _ in autogen_streamtrace.trace_stream(words(), "s"):
        pass
asyncio.run(turn())
"""

NEXT = """
import threading
import autogen_streamtrace
from autogen_streamtrace import watch
autogen_streamtrace.instrument()
service = watch._live[0]._recording
service._stopped.set()
for each in threading.enumerate():
    if each.name == "autogen-streamtrace-recovery":
        each.join(30)
print(service._recovered)
"""


def test_a_process_recovers_the_dead_of_its_own_service_and_endpoint_only(
    receiver: OtlpReceiver, refusing: str, state: Path
) -> None:
    own = {"OTEL_SERVICE_NAME": "a", "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=n", **LATE}
    with victim(receiver, "holds", "3", **own) as process:
        kill(process)
    strangers = [
        {**own, "OTEL_SERVICE_NAME": "b"},
        {**own, "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=m"},
        {**own, "OTEL_EXPORTER_OTLP_ENDPOINT": refusing},
    ]
    for stranger in strangers:
        assert lived(receiver, stranger) == "0\n"
        assert len([each for each in left_behind(state) if each.endswith(".streams")]) == 1
    assert streams(receiver) == []
    lived(receiver, own)
    receiver.wait_for(lambda r: len(streams(r)) == 6)  # three that had ended, three that were open
    assert left_behind(state) == []


def lived(receiver: OtlpReceiver, variables: dict[str, str]) -> str:
    """What a process recovered, in words."""
    env = {**environment(receiver), **variables}
    run = subprocess.run([sys.executable, "-c", NEXT], env=env, capture_output=True, text=True, timeout=50)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_an_event_that_has_arrived_is_not_sent_again_by_recovery(receiver: OtlpReceiver, state: Path) -> None:
    late = {**LATE, "OTEL_BLRP_SCHEDULE_DELAY": "50", "AUTOGEN_STREAMTRACE_EVENTS": "turns"}
    with victim(receiver, "holds", "1", **late) as process:
        receiver.wait_for(lambda r: ended(r) == ["ended"] * 3)
        (path,) = state.rglob("*.streams")
        noted(path, 3)
        kill(process)
    assert streams(receiver) == []
    recover(receiver)
    assert sorted(str(span.attributes["streamtrace.name"]) for span in streams(receiver)) == ["ended"] * 3 + ["open"]
    assert sorted(ended(receiver)) == ["ended"] * 3 + ["open"]


def noted(path: Path, count: int) -> None:
    """Returns when a recorder has noted of so many streams that their events have arrived. Nothing announces that."""
    give_up = time.monotonic() + 40
    while sum(row.told for row in orphans.read(path).rows) != count:
        assert time.monotonic() < give_up, "not within time"
        time.sleep(0.02)


def ended(receiver: OtlpReceiver) -> list[str]:
    """The names of the streams of which an event says that they ended."""
    logs = receiver.logs()
    return [str(each.attributes["streamtrace.name"]) for each in logs if each.data.event_name == "streamtrace.end"]
