"""Metrics and log events: without spans too, as the settings want them, and while streams are open."""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.messages import TextMessage
from harness import (
    HTTPX,
    PREFIX,
    READ_TIMEOUT,
    TASK,
    Event,
    Metrics,
    Program,
    Seen,
    asked,
    done,
    instrumented,
    interrupted,
    read,
    read_some,
    tool,
    turn,
    watch,
)
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased

from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.core import errors

COUNTERS: Final = ("started", "ended", "cut", "open", "duration", "silence", "longest_gap", "caller_time")
MEASURED: Final = {PREFIX + "chunks", PREFIX + "bytes", "server.port", "network.local.port"}
"""Whole numbers that differ from run to run. Whatever is not whole is seconds, and does too."""
KEPT: Final = {PREFIX + "connection.requests", PREFIX + "connection.reused"}
CLOSED: Final = {
    (f"{PREFIX}close.{key}", how) for key, how in (("type", "finished"), ("type", "local"), ("within_event", False))
}
"""A client that has the reply's last word does not wait for HTTP's own end, with which it would keep the connection."""


async def many_endings(program: Program) -> None:
    """Turns that end in different ways, one after the other."""

    async def fail() -> str:
        raise ConnectionResetError

    await read(program.turn("ok"))
    await read(program.turn("silent"))
    await read(program.turn("length"))
    await read(program.turn("tool_call", tools=[tool(fail)]))
    await asyncio.gather(read(program.turn("http_429")), return_exceptions=True)
    await asyncio.gather(read(program.turn("rst")), return_exceptions=True)
    await read_some(program.turn("slow"))
    program.turn("ok")


def counted(seen: Seen) -> dict[str, "Counter[frozenset[Any]]"]:
    """Each metric's points, without what is measured."""
    return {
        name: Counter({frozenset(point.attributes.items()): int(point.value) for point in points})
        for name, points in seen.metrics[1].items()
        if name != PREFIX + "oldest"
    }


def said(seen: Seen) -> "Counter[tuple[Any, ...]]":
    """The log events, without what is measured."""
    found: Counter[tuple[Any, ...]] = Counter()
    for event in seen.events:
        assert event.body.count("\n") == 0
        kept = frozenset(
            (key, value)
            for key, value in event.attributes.items()
            if key not in MEASURED | KEPT and (key, value) not in CLOSED and not isinstance(value, float)
        )
        found[event.name, event.severity, kept] += 1
    return found


@pytest.fixture(scope="module")
def sampled() -> Seen:
    return watch(many_endings, origins=7, events="all")


UNSAMPLED: Final = [ALWAYS_OFF, ParentBased(TraceIdRatioBased(0.0))]


@pytest.mark.parametrize("sampler", UNSAMPLED, ids=["off", "ratio"])
def test_an_unsampled_trace_counts_and_tells_like_any_other(sampled: Seen, sampler: Sampler) -> None:
    seen = watch(many_endings, sampler=sampler, events="all")
    assert (seen.spans, seen.unended) == ([], 0)
    assert counted(seen) == counted(sampled)
    assert said(seen) == said(sampled)
    assert all(event.trace_id and event.span_id for event in seen.events)


def test_a_no_op_tracer_counts_and_tells_like_any_other(sampled: Seen) -> None:
    seen = watch(many_endings, traces=False, events="all")
    assert seen.spans == []
    assert counted(seen) == counted(sampled)
    assert said(seen) == said(sampled)


def test_a_turn_within_an_unsampled_trace_of_the_users_own_is_counted() -> None:
    async def body(program: Program) -> None:
        with program.tracer.start_as_current_span("POST /chat"):
            await read(program.turn("silent"))

    seen = watch(body, sampler=ALWAYS_OFF)
    assert seen.total("cut", layer="http", outcome="truncated") == 1
    assert [event.name for event in seen.events] == [PREFIX + "start"] + [PREFIX + "end"] * 3
    assert len({event.trace_id for event in seen.events}) == 1


class SlowSampler(ParentBased):
    """Takes its time to decide, as a loaded machine does."""

    def should_sample(self, *args: Any, **kwargs: Any) -> Any:
        time.sleep(0.05)
        return super().should_sample(*args, **kwargs)


def test_a_span_begins_when_its_stream_does_however_long_its_sampler_takes() -> None:
    seen = watch(turn("http_429"), sampler=SlowSampler(ALWAYS_ON))
    assert seen.one("agent").seconds >= seen.one("model").seconds + 0.05 >= seen.one("http").seconds + 0.1


# Settings.


@pytest.mark.parametrize(
    ("events", "ok", "silent"), [("turns", (1, 1), (1, 3)), ("all", (3, 3), (3, 3)), ("none", (0, 0), (0, 0))]
)
def test_events_are_those_that_the_setting_wants(events: str, ok: tuple[int, int], silent: tuple[int, int]) -> None:
    for fault, (starts, ends) in (("ok", ok), ("silent", silent)):
        seen = watch(turn(fault), events=events)
        names = Counter(event.name for event in seen.events)
        assert (names[PREFIX + "start"], names[PREFIX + "end"]) == (starts, ends)


class Failing(BaseChatAgent):
    """An agent that raises."""

    produced_message_types = (TextMessage,)

    def __init__(self, name: str, error: type[Exception]) -> None:
        super().__init__(name, "Fails.")
        self._error = error

    async def on_messages(self, messages: Any, cancellation_token: Any) -> Any:
        raise self._error

    async def on_reset(self, cancellation_token: Any) -> None:
        pass


async def breaks(program: Program) -> None:
    await read_some(program.turn("slow"))


def test_callers_endings_are_errors_where_the_setting_wants_it() -> None:
    seen = watch(breaks, caller_endings="error")
    for stream in seen.streams:
        assert (stream.told.status, stream.told.error_type, stream.told.fault) == ("ERROR", "GeneratorExit", False)
    assert watch(turn("ok"), caller_endings="error").one("agent").told == done()


def test_names_above_the_cap_read_other_on_metrics_alone() -> None:
    async def body(program: Program) -> None:
        for name in ("one", "two", "three"):
            await read(program.turn("ok", name=name))

    with ModelServer() as server, instrumented(max_names=2) as applied:
        program = Program(server, applied.tracer_provider.get_tracer("tests"))
        asyncio.run(whole(program, body))
        seen = applied.seen()
    assert [agent.name for agent in seen.of("agent")] == ["one", "two", "three"]
    labels = [
        point.attributes[PREFIX + "name"] for point in seen.points("ended") if "agent" in point.attributes.values()
    ]
    assert labels == ["one", "two", "_OTHER"]
    assert seen.metrics[1]["streamtrace.instrument.names.capped"][0].value > 0


def test_no_label_of_any_metric_takes_more_values_than_the_cap() -> None:
    async def body(program: Program) -> None:
        for name in ("one", "two", "three", "four"):
            error = type(f"{name.title()}Error", (Exception,), {})
            agent = Failing(name, error)
            await asyncio.gather(read(program.team(agent).run_stream(task=TASK)), return_exceptions=True)

    with ModelServer() as server, instrumented(max_names=2) as applied:
        asyncio.run(whole(Program(server, applied.tracer_provider.get_tracer("tests")), body))
        seen = applied.seen()
    values: dict[tuple[str, ...], set[Any]] = {}
    for metric, points in seen.metrics[1].items():
        for point in points:
            layer = point.attributes.get(PREFIX + "layer", "")
            for key, value in point.attributes.items():
                values.setdefault((metric, layer, key), set()).add(value)
    assert {place: found for place, found in values.items() if len(found - {"_OTHER"}) > 2} == {}


async def whole(program: Program, body: Any) -> None:
    await body(program)
    await program.close()


# While streams are open.


def sums(metrics: Metrics) -> dict[str, float]:
    return {key: sum(point.value for point in metrics.get(PREFIX + key, ())) for key in COUNTERS[:4]}


def test_open_streams_are_counted_while_they_are_open() -> None:
    during: list[Metrics] = []

    with ModelServer() as server, instrumented() as applied:

        def look(task: "asyncio.Future[object]") -> None:
            during.extend([applied.collect(), applied.collect()])
            task.cancel()

        async def body(program: Program) -> None:
            await asyncio.gather(interrupted(program.turn("stall"), look), return_exceptions=True)

        asyncio.run(whole(Program(server, applied.tracer_provider.get_tracer("tests")), body))
        gc.collect()
        seen = applied.seen()
    assert sums(during[1]) == {"started": 3, "ended": 0, "cut": 0, "open": 3}
    assert {point.attributes[PREFIX + "layer"] for point in during[1][PREFIX + "open"]} == {"http", "model", "agent"}
    ages = {point.attributes[PREFIX + "layer"]: point.value for point in during[1][PREFIX + "oldest"]}
    assert ages["agent"] >= ages["model"] >= ages["http"] > 0
    assert sums(seen.metrics[0]) == {"started": 3, "ended": 0, "cut": 0, "open": 0}
    assert sums(seen.metrics[1]) == {"started": 3, "ended": 3, "cut": 1, "open": 0}
    assert {point.value for point in seen.points("oldest")} == {0}


def test_a_start_event_is_told_while_the_stream_is_open() -> None:
    told: list[Event] = []

    with ModelServer() as server, instrumented() as applied:

        async def body(program: Program) -> None:
            stream: AsyncIterator[object] = program.turn("ok")
            await stream.__anext__()
            await asked()
            told.extend(applied.events())
            await read(stream)

        asyncio.run(whole(Program(server, applied.tracer_provider.get_tracer("tests")), body))
    assert [(event.name, event.severity, event.body) for event in told] == [
        (PREFIX + "start", "INFO", "agent clerk started")
    ]


# What the conventions ask for.


def test_the_genai_histograms_of_a_turn() -> None:
    seen = watch(turn("usage_last"))
    metrics = seen.metrics[1]
    (duration,) = metrics["gen_ai.client.operation.duration"]
    assert duration.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.provider.name": "openai",
    }
    tokens = {point.attributes["gen_ai.token.type"] for point in metrics["gen_ai.client.token.usage"]}
    assert tokens == {"input", "output"}
    assert seen.one("model")["gen_ai.usage.input_tokens"] == 3
    assert seen.one("model")["gen_ai.usage.output_tokens"] == 12
    assert len(metrics["gen_ai.client.operation.time_to_first_chunk"]) == 1
    assert len(metrics["gen_ai.client.operation.time_per_output_chunk"]) == 1
    assert [p.attributes["gen_ai.agent.name"] for p in metrics["gen_ai.invoke_agent.duration"]] == ["clerk"]


def test_the_genai_histograms_of_a_failed_turn_carry_the_error_but_not_those_of_its_chunks() -> None:
    metrics = watch(turn("stall", timeout=READ_TIMEOUT)).metrics[1]
    for name in ("gen_ai.client.operation.duration", "gen_ai.invoke_agent.duration"):
        assert [point.attributes["error.type"] for point in metrics[name]] == [f"{HTTPX}.ReadTimeout"]
    for name in ("gen_ai.client.operation.time_to_first_chunk", "gen_ai.client.operation.time_per_output_chunk"):
        assert ["error.type" in point.attributes for point in metrics[name]] == [False]


def test_the_genai_histogram_of_a_team() -> None:
    seen = watch(lambda program: read(program.duo("ok").run_stream(task=TASK)))
    (point,) = seen.metrics[1]["gen_ai.invoke_workflow.duration"]
    assert point.attributes == {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "office"}


def test_the_exemplar_of_a_cut_leads_to_its_origin_among_many(sampled: Seen) -> None:
    lost = next(point for point in sampled.points("cut") if point.attributes[PREFIX + "outcome"] == "disconnected")
    stream = next(s for s in sampled.of("http") if s["outcome"] == "disconnected")
    assert stream.told.origin
    assert lost.exemplars == ((stream.span.context.trace_id, stream.id),)


def test_our_own_health_is_exported() -> None:
    before = errors.contained_errors()
    metrics = watch(turn("ok")).metrics[1]
    own = {
        name: sum(point.value for point in points)
        for name, points in metrics.items()
        if "streamtrace.instrument" in name
    }
    assert own == {
        "streamtrace.instrument.names.capped": 0,
        "streamtrace.instrument.errors": before,
        "streamtrace.instrument.finish_reasons.unknown": 0,
        "streamtrace.instrument.queue.size": 0,
        "streamtrace.instrument.export.failures": 0,
        "streamtrace.instrument.records.dropped": 0,
        "streamtrace.instrument.streams.recovered": 0,
        "streamtrace.instrument.recorder.state": 1,
    }
