"""What becomes of facts: each stream is told by itself, whatever fails, and nobody waits for it."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from programs.watching import Watching, watching

import autogen_streamtrace
from autogen_streamtrace import trace_stream
from autogen_streamtrace.core import judge
from autogen_streamtrace.core.evidence import deadlines
from autogen_streamtrace.core.stream.state import StreamInfo, clock
from autogen_streamtrace.core.telemetry.emitter import Telemetry
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.watching import watcher
from autogen_streamtrace.core.watching.recorder import Report
from autogen_streamtrace.recorder.flight import FlightRecorder

pytestmark = pytest.mark.once


async def words(count: int = 2) -> AsyncGenerator[int, None]:
    for word in range(count):
        yield word


async def turn(name: str) -> None:
    async for _ in trace_stream(words(), name):
        pass


@pytest.fixture
def told() -> Iterator[Watching]:
    with watching() as told:
        yield told


class Failing(SpanProcessor):
    """A program's own, which fails once."""

    def __init__(self, where: str) -> None:
        self._where = where

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._fail("on_start")

    def on_end(self, span: ReadableSpan) -> None:
        self._fail("on_end")

    def _fail(self, where: str) -> None:
        if where == self._where:
            self._where = ""
            raise KeyError("a tag is missing")


async def cancelled_inside() -> None:
    """A stream in a stream, cancelled while the inner one waits: both settle by the same fact."""
    reads = asyncio.Event()

    async def inner() -> AsyncGenerator[int, None]:
        yield 1
        reads.set()
        await asyncio.Event().wait()

    async def outer() -> AsyncGenerator[int, None]:
        async for item in trace_stream(inner(), "inner"):
            yield item

    async def read() -> None:
        async for _ in trace_stream(outer(), "outer"):
            pass

    reading = asyncio.ensure_future(read())
    await reads.wait()
    reading.cancel()
    await asyncio.wait({reading})


@pytest.mark.own_errors
@pytest.mark.parametrize("where", ["on_start", "on_end"])
def test_a_span_processor_that_fails_costs_one_span_and_no_verdict(told: Watching, where: str) -> None:
    told.tracer_provider.add_span_processor(Failing(where))
    asyncio.run(cancelled_inside())
    assert told.tracker.settle(10)
    assert told.tracker.idle
    everyone = {"inner": 1, "outer": 1}
    assert told.points("streamtrace.started") == told.points("streamtrace.ended") == everyone
    assert told.points("streamtrace.open") == {"inner": 0, "outer": 0}
    assert durations(told) == 2


def durations(told: Watching) -> int:
    """How many streams were measured."""
    data = told._reader.get_metrics_data()
    assert data is not None
    metrics = [each for r in data.resource_metrics for s in r.scope_metrics for each in s.metrics]
    (points,) = [each.data.data_points for each in metrics if each.name == "streamtrace.duration"]
    return sum(getattr(point, "count", 0) for point in points)


@pytest.mark.own_errors
def test_a_defect_in_telling_one_stream_leaves_the_others_alone(
    told: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Telemetry.counted

    def fails(self: Telemetry, node: StreamNode) -> Report:
        if node.state.name == "inner":
            raise ArithmeticError("a defect of ours")
        return counted(self, node)

    monkeypatch.setattr(Telemetry, "counted", fails)
    asyncio.run(cancelled_inside())
    assert told.tracker.settle(10)
    assert told.tracker.idle
    assert told.outcome("stream outer") == "cancelled"


@pytest.mark.once
def test_whoever_waits_for_the_judge_waits_until_the_streams_before_are_reported(
    told: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    ended = Telemetry.ended

    def held_up(self: Telemetry, reported: Sequence[tuple[StreamNode, Report]]) -> None:
        if reported:
            assert go_on.wait(30)
        ended(self, reported)

    monkeypatch.setattr(Telemetry, "ended", held_up)
    state = told.tracker.begin(StreamInfo("stream", "first", span_name="stream first"))
    assert state is not None
    told.tracker.end(state, "returned")
    assert not told.tracker.settle(0.2)
    go_on.set()
    assert told.tracker.settle(10)
    assert told.outcome("stream first") == "completed"


@pytest.mark.once
def test_a_long_queue_is_judged_in_parts_so_that_the_bodies_of_all_are_not_kept(
    told: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    together: list[int] = []
    ended = Telemetry.ended

    def counting(self: Telemetry, reported: Sequence[tuple[StreamNode, Report]]) -> None:
        together.append(len(reported))
        ended(self, reported)

    monkeypatch.setattr(Telemetry, "ended", counting)
    with told.tracker.judge._judging:  # all of them wait
        for _ in range(300):
            state = told.tracker.begin(StreamInfo("stream", "many"))
            assert state is not None
            told.tracker.end(state, "returned")
    assert told.tracker.settle(30)
    assert sum(together) == 300 and max(together) <= 128


def test_a_stream_that_is_over_is_no_parent_before_it_is_judged(told: Watching) -> None:
    first = told.tracker.begin(StreamInfo("stream", "first"))
    assert first is not None
    told.tracker.end(first, "closed", finished=False)
    inside = told.tracker.begin(StreamInfo("stream", "inside"), lambda: first)
    told.tracker.finished(first)
    after = told.tracker.begin(StreamInfo("stream", "after"), lambda: first)
    assert inside is not None and inside.parent is first
    assert after is not None and after.parent is None
    for state in (inside, after):
        told.tracker.end(state, "returned")


@pytest.mark.own_errors
def test_a_stream_that_cannot_be_recorded_is_told_all_the_same(told: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any) -> None:
        raise TypeError("no JSON")

    monkeypatch.setattr(FlightRecorder, "started", fails)
    asyncio.run(turn("s"))
    assert told.outcome("stream s") == "completed"


def test_an_attribute_that_no_row_can_hold_costs_itself(told: Watching) -> None:
    info = StreamInfo("model", "m", span_name="chat m", attributes=(("asked", {1, 2}), ("kept", "yes")))
    state = told.tracker.begin(info)
    assert state is not None and state.slot >= 0
    told.tracker.end(state, "returned")
    assert (told.span("chat m").attributes or {})["kept"] == "yes"


def test_turns_of_a_task_that_outlives_its_stream_are_outermost_again(told: Watching) -> None:
    async def main() -> None:
        jobs: asyncio.Queue[str] = asyncio.Queue()

        async def work() -> None:
            while True:
                await turn(await jobs.get())
                jobs.task_done()

        async def first() -> AsyncGenerator[asyncio.Task[None], None]:
            task = asyncio.ensure_future(work())
            yield task
            jobs.put_nowait("inside")
            await jobs.join()

        async for task in trace_stream(first(), "first"):  # noqa: B007 - it lives on
            pass
        jobs.put_nowait("later")
        await jobs.join()
        task.cancel()

    asyncio.run(main())
    outermost = {span.name: (span.attributes or {})["streamtrace.outermost"] for span in told.spans()}
    assert outermost == {"stream first": True, "stream inside": False, "stream later": True}


def test_an_agent_that_a_team_starts_after_its_reader_left_is_inside_the_team_and_no_origin(told: Watching) -> None:
    team = told.tracker.begin(StreamInfo("team", "office", span_name="office"))
    assert team is not None
    told.tracker.end(team, "closed")
    assert told.tracker.settle(10)
    agent = told.tracker.begin(StreamInfo("agent", "checker", span_name="checker"), lambda: team)
    assert agent is not None
    told.tracker.end(agent, "raised", asyncio.CancelledError())
    assert told.tracker.settle(10)
    attributes = told.span("checker").attributes or {}
    assert attributes["streamtrace.outcome"] == "cancelled"
    assert not attributes["streamtrace.outermost"] and not attributes["streamtrace.origin"]


def test_a_stream_that_is_dropped_in_a_callback_was_left_by_its_reader(told: Watching) -> None:
    async def main() -> None:
        met = asyncio.ensure_future(asyncio.sleep(60))
        deadlines.note([met], 1.0, lambda: True)  # some task has once met a deadline
        held = [trace_stream(words(), "s")]
        await held[0].__aiter__().__anext__()
        asyncio.get_running_loop().call_soon(held.clear)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        met.cancel()

    asyncio.run(main())
    attributes = told.span("stream s").attributes or {}
    assert attributes["streamtrace.waiting_on.type"] == "caller"


class Holding(SpanProcessor):
    """An exporter that does not come back until it is let go."""

    def __init__(self) -> None:
        self.holds, self.go_on = threading.Event(), threading.Event()
        self.threads: set[str] = set()

    def on_end(self, span: ReadableSpan) -> None:
        self.threads.add(threading.current_thread().name)
        self.holds.set()
        assert self.go_on.wait(30)


@pytest.fixture
def held(told: Watching) -> Iterator[Holding]:
    holding = Holding()
    told.tracer_provider.add_span_processor(holding)
    try:
        yield holding
    finally:
        holding.go_on.set()


def test_what_is_open_is_listed_while_an_exporter_holds_the_judge_up(held: Holding) -> None:
    async def main() -> list[str]:
        kept = trace_stream(words(), "kept").__aiter__()
        await kept.__anext__()
        await turn("over")
        assert await asyncio.to_thread(held.holds.wait, 30)
        await turn("over too")
        listed = [each.name for each in autogen_streamtrace.open_streams()]
        held.go_on.set()
        await kept.aclose()  # type: ignore[attr-defined]
        return listed

    assert asyncio.run(main()) == ["kept"]
    assert held.threads == {"autogen-streamtrace"}


def test_beyond_the_bound_streams_are_left_unwatched_counted_and_said_once_and_what_is_open_ends(
    told: Watching, held: Holding, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(judge, "MOST", 3)

    async def main() -> None:
        kept = trace_stream(words(), "kept").__aiter__()
        await kept.__anext__()
        await turn("first")
        assert await asyncio.to_thread(held.holds.wait, 30)
        for _ in range(5):
            await turn("later")
        await kept.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())
    held.go_on.set()
    assert told.tracker.settle(10)
    assert told.points("streamtrace.started") == told.points("streamtrace.ended") == {"kept": 1, "first": 1, "later": 2}
    assert set(told.points("streamtrace.open").values()) == {0}
    assert told.tracker.dropped == 3
    assert [r.levelno for r in caplog.records if "new streams are not watched" in r.message] == [logging.WARNING]


def test_a_reader_gives_way_once_at_most_to_a_watcher_that_was_stopped(told: Watching) -> None:
    watcher = told.tracker.watcher
    watcher.stop()
    watcher.overdue = 0.0  # as its last round may have left it
    watcher.give_way(1.0)
    assert watcher.overdue == float("inf")


def test_where_many_facts_wait_a_reader_gives_way_until_they_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else has them judged: the watcher does not run, and the judge lets facts gather for a minute."""
    monkeypatch.setattr(watcher.Watcher, "start", lambda self: None)
    monkeypatch.setattr(watcher, "_MOST", 60.0)
    monkeypatch.setattr(judge, "_GATHER", 60.0)
    monkeypatch.setattr(judge, "_CROWD", 2)
    with watching() as told:
        state = told.tracker.begin(StreamInfo("agent", "a"))
        assert state is not None
        told.tracker.end(state, "returned")
        began = clock()
        told.tracker.watcher.give_way(began)
        assert clock() - began < 30
        assert told.tracker.judge.waiting == 0
        assert told.points("streamtrace.ended") == {"a": 1}


def test_a_reader_does_not_wait_for_a_judge_that_an_exporter_holds_up(
    told: Watching, held: Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_MOST", 60.0)
    monkeypatch.setattr(judge, "_CROWD", 2)
    asyncio.run(turn("first"))
    assert held.holds.wait(30)
    asyncio.run(turn("second"))
    began = clock()
    told.tracker.watcher.crowd()
    told.tracker.watcher.give_way(began)
    assert clock() - began < 30


def test_the_end_of_a_run_leaves_the_key_to_the_run_that_follows(told: Watching) -> None:
    first, second = (told.tracker.begin(StreamInfo("team", "t", key="k")) for _ in range(2))
    assert first is not None and second is not None
    told.tracker.end(first, "returned")
    assert told.tracker.settle(10)
    assert told.tracker.keyed("k") is second
    told.tracker.end(second, "returned")
    assert told.tracker.settle(10)
    assert told.tracker.keyed("k") is None


@pytest.mark.own_errors
def test_a_limit_that_cannot_be_found_costs_no_verdict(told: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any) -> None:
        raise ArithmeticError

    monkeypatch.setattr(told.tracker.judge.attribution, "_suspect", fails)
    state = told.tracker.begin(StreamInfo("http", "h", span_name="http exchange"))
    assert state is not None
    told.tracker.end(state, "raised", ConnectionResetError())
    assert told.outcome("http exchange") == "disconnected"
