"""``instrument()`` itself: wrong use, the loader's way in, what is open now, and defects of our own."""

import asyncio
import logging
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest
from programs.agents import model_agent
from programs.watching import Watching, watching

import autogen_streamtrace
from autogen_streamtrace import SettingError, trace_stream
from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.core import errors
from autogen_streamtrace.core.telemetry.emitter import Telemetry
from autogen_streamtrace.core.verdict import attribution
from autogen_streamtrace.limits import CatalogueError

AUTO = Path(sys.executable).with_name("opentelemetry-instrument")
SPAN = "stream s"


async def words() -> AsyncGenerator[str, None]:
    yield "one"
    yield "two"


async def read(stream: Any) -> list[Any]:
    return [item async for item in stream]


def traced_words() -> list[Any]:
    return asyncio.run(read(trace_stream(words(), "s")))


@pytest.fixture
def told() -> Iterator[Watching]:
    with watching() as told:
        yield told


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"evnets": "all"}, ["'evnets'", "'events'"]),
        ({"events": "some"}, ["'events'", "'some'", "'turns'", "'all'", "'none'"]),
        ({"max_names": 0}, ["'max_names'", "0", "1 to 1000"]),
        ({"_official": 1, "tracer": None}, ["'tracer'"]),
    ],
    ids=["unknown", "wrong word", "wrong number", "wrong provider name"],
)
def test_a_wrong_setting_is_an_error_that_names_it_and_what_is_allowed(
    keywords: dict[str, Any], said: list[str]
) -> None:
    with pytest.raises(SettingError) as error:
        autogen_streamtrace.instrument(**Watching().providers, **keywords)
    assert all(each in str(error.value) for each in said)
    assert autogen_streamtrace.Instrumentor().watch is None
    assert traced_words() == ["one", "two"]


def test_a_wrong_variable_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGEN_STREAMTRACE_EVENTS", "some")
    with pytest.raises(SettingError, match=r"AUTOGEN_STREAMTRACE_EVENTS.*'some'.*'turns', 'all', 'none'"):
        autogen_streamtrace.instrument(**Watching().providers)


def test_a_disabled_sdk_patches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    stream = words()
    with watching() as told:
        assert autogen_streamtrace.Instrumentor().watch is None
        assert trace_stream(stream, "s") is stream
        asyncio.run(read(stream))
    assert told.spans() == []


def test_without_instrument_a_traced_stream_is_the_source_itself() -> None:
    source = words()
    assert trace_stream(source, "s") is source
    assert autogen_streamtrace.open_streams() == []
    asyncio.run(source.aclose())


def test_open_streams_lists_what_is_open_from_the_outside_in(told: Watching) -> None:
    async def main() -> list[Any]:
        with ModelServer() as server:
            agent, close = model_agent(server.url("stall"))
            stream = agent.run_stream(task="hello")
            while getattr(await stream.__anext__(), "content", "") != "has ":
                pass
            between = autogen_streamtrace.open_streams()
            waiting = asyncio.ensure_future(read(stream))
            while not autogen_streamtrace.open_streams()[-1].waiting_on.startswith("http"):  # noqa: ASYNC110
                await asyncio.sleep(0)
            listed = autogen_streamtrace.open_streams()
            waiting.cancel()
            await asyncio.wait({waiting})
            await close()
        assert [each.layer for each in between] == ["agent", "model", "http"]
        assert between[0].waiting_on == "caller"
        return listed

    listed = asyncio.run(main())
    assert [(each.layer, each.name, each.waiting_on) for each in listed] == [
        ("agent", "writer", "http 127.0.0.1"),
        ("model", "gpt-4o", "http 127.0.0.1"),
        ("http", "127.0.0.1", "http 127.0.0.1"),
    ]
    assert all(0 <= each.silent_for <= each.age < 30 for each in listed)
    assert all(each.chunks >= 3 for each in listed)
    ids = {format(span.context.span_id, "016x") for span in told.spans()}
    assert {each.span_id for each in listed} <= ids
    assert len({each.trace_id for each in listed}) == 1
    assert autogen_streamtrace.open_streams() == []


def own_defect(*args: Any, **kwargs: Any) -> Any:
    raise ArithmeticError("a defect of ours")


def own_errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [state for state in caplog.records if state.levelno >= logging.ERROR]


@pytest.mark.own_errors
@pytest.mark.parametrize("where", ["span", "started", "_end_span", "_tell_end", "never_started"])
def test_a_defect_of_ours_is_logged_once_with_its_traceback_and_the_stream_goes_on(
    where: str, told: Watching, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(errors, "_seen", set())
    monkeypatch.setattr(Telemetry, where, own_defect)
    count = errors.contained_errors()
    for _ in range(3):
        assert traced_words() == ["one", "two"]
        trace_stream(words(), "s")
    assert autogen_streamtrace.open_streams() == []
    told.tracker.judge.drain()
    told.spans()
    logged = own_errors(caplog)
    assert len(logged) == len({each.getMessage() for each in logged}) >= 1
    assert all(each.exc_info is not None and each.exc_info[0] is ArithmeticError for each in logged)
    assert errors.contained_errors() == count + 3 * len(logged)
    monkeypatch.undo()
    assert traced_words() == ["one", "two"]
    assert told.spans()[-1].name == SPAN


@pytest.mark.own_errors
def test_a_defect_in_judging_a_stream_that_waited_reaches_nobody(
    told: Watching, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(errors, "_seen", set())
    monkeypatch.setattr(Telemetry, "ended", own_defect)

    async def leaves_its_child() -> AsyncGenerator[str, None]:
        child = trace_stream(words(), "child")
        async for _ in child:
            break
        del child
        yield "one"
        yield "two"

    async def main() -> None:
        stream = trace_stream(leaves_its_child(), "s")
        assert await stream.__anext__() == "one"  # type: ignore[attr-defined]
        told.tracker.judge.drain()
        assert await read(stream) == ["two"]

    asyncio.run(main())
    told.tracker.judge.drain()
    monkeypatch.undo()
    assert len(own_errors(caplog)) == 1
    assert any(thread.name == "autogen-streamtrace" for thread in threading.enumerate())


@pytest.mark.own_errors
def test_a_defect_in_the_judges_thread_does_not_end_it(told: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    hit = threading.Event()

    def defect(*args: Any) -> None:
        hit.set()
        raise ArithmeticError("a defect of ours")

    judge = told.tracker.judge.thread
    assert judge is not None
    with monkeypatch.context() as patched:
        patched.setattr(attribution.Attribution, "tick", defect)
        traced_words()
        assert hit.wait(40)
    asyncio.run(asyncio.sleep(0.1))  # whether it goes on can only be waited for
    assert judge.is_alive()


@pytest.mark.own_errors
def test_a_defect_at_the_end_keeps_nothing_from_being_sent(told: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[bool] = []
    monkeypatch.setattr(told.tracer_provider, "force_flush", lambda *args: flushed.append(True))
    monkeypatch.setattr(attribution.Attribution, "killed", own_defect)
    watch = autogen_streamtrace.Instrumentor().watch
    assert watch is not None
    watch._exit()
    assert flushed


def test_an_instrument_that_fails_leaves_nothing_patched() -> None:
    tests = Path(__file__).parents[1]
    paths = os.pathsep.join([str(tests), os.environ.get("PYTHONPATH", "")])
    program = [sys.executable, str(tests / "programs" / "fails.py")]
    run = subprocess.run(program, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=40)
    assert (run.returncode, run.stdout) == (0, "[]\n"), run.stderr


APP = """
    import asyncio, sys
    import autogen_streamtrace
    from autogen_streamtrace.instrumentor import Instrumentor

    async def words():
        yield 1

    async def main():
        async for _ in autogen_streamtrace.trace_stream(words(), "s"):
            pass

    asyncio.run(main())
    print("watching" if Instrumentor().watch else "not watching")
"""


def launched(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The application under ``opentelemetry-instrument``, which finds us through our entry point."""
    (tmp_path / "app.py").write_text(textwrap.dedent(APP))
    exporters = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    environment = {**os.environ, **exporters, **variables}
    command = [str(AUTO), sys.executable, str(tmp_path / "app.py")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50)


def test_the_loader_finds_it(tmp_path: Path) -> None:
    run = launched(tmp_path)
    assert (run.returncode, run.stdout) == (0, "watching\n"), run.stderr
    assert "autogen_streamtrace" not in run.stderr


def test_under_the_loader_a_wrong_setting_is_logged_and_the_others_load(tmp_path: Path) -> None:
    run = launched(tmp_path, AUTOGEN_STREAMTRACE_EVENTS="some")
    assert (run.returncode, run.stdout) == (0, "not watching\n"), run.stderr
    assert "autogen_streamtrace is off" in run.stderr
    assert "AUTOGEN_STREAMTRACE_EVENTS" in run.stderr
    assert "Traceback" not in run.stderr


def test_under_the_loader_a_disabled_sdk_patches_nothing(tmp_path: Path) -> None:
    assert launched(tmp_path, OTEL_SDK_DISABLED="true").stdout == "not watching\n"


def test_a_file_of_limits_that_cannot_be_used_is_an_error_that_names_it() -> None:
    with pytest.raises(CatalogueError, match=r"nowhere\.toml"):
        autogen_streamtrace.instrument(limits_file="nowhere.toml")
