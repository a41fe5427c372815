"""Runs a real AutoGen program against the fault server under the instrument, and reads what was exported.

    seen = watch(turn("silent"))
    assert seen.one("http").told == Told("truncated", "upstream", …)

``watch`` also checks what holds of every run, whatever it is about: see ``harness.checks``.
"""

import asyncio
import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import NoOpTracerProvider

import autogen_streamtrace
from autogen_streamtrace.commands.chaos.model_server import HOST, ModelServer

from .checks import wrongs
from .expected import (
    CANCELLED_ERROR,
    TIMEOUT_ERROR,
    TRUNCATED,
    cancelled,
    disconnected,
    done,
    left,
    origin,
    struck,
    timed_out,
)
from .program import (
    AGENT_NAME,
    API_KEY,
    HTTPX,
    MODEL_NAME,
    NEVER,
    OPENAI_3,
    READ_TIMEOUT,
    TASK,
    TEAM_NAME,
    TOOL_NAME,
    Body,
    Program,
    asked,
    begun,
    in_time,
    interrupted,
    read,
    read_some,
    tool,
    turn,
)
from .seen import PREFIX, Event, Metrics, Point, Seen, Stream, Told

__all__ = [
    "AGENT_NAME",
    "API_KEY",
    "CANCELLED_ERROR",
    "HOST",
    "HTTPX",
    "MODEL_NAME",
    "NEVER",
    "OPENAI_3",
    "PREFIX",
    "READ_TIMEOUT",
    "TASK",
    "TEAM_NAME",
    "TIMEOUT_ERROR",
    "TOOL_NAME",
    "TRUNCATED",
    "Body",
    "Event",
    "Metrics",
    "Point",
    "Program",
    "Seen",
    "Stream",
    "Told",
    "Watch",
    "asked",
    "begun",
    "cancelled",
    "disconnected",
    "done",
    "full_name",
    "in_time",
    "instrumented",
    "interrupted",
    "left",
    "origin",
    "read",
    "read_some",
    "struck",
    "timed_out",
    "tool",
    "turn",
    "watch",
]

LIMIT: Final = 40.0
"""Seconds that a program may take."""
SETTLE: Final = 4.0
"""Seconds that streams may take to end once their program has ended; less than a stopped one waits for its parent."""

gc.collect()
gc.freeze()  # each run collects garbage many times; what was imported is none


class Recorder(SpanProcessor):
    """Every span that started, and that ended."""

    def __init__(self) -> None:
        self.started = 0
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        self.started += 1

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


@dataclass
class Watch:
    """The instrument, applied with providers of its own."""

    tracer_provider: Any
    logger_provider: LoggerProvider
    recorder: Recorder = field(default_factory=Recorder)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)
    logs: InMemoryLogRecordExporter = field(default_factory=InMemoryLogRecordExporter)

    def collect(self) -> Metrics:
        """One collection of the metrics."""
        self.logger_provider.force_flush()
        return _points(self.reader.get_metrics_data())

    def events(self) -> list[Event]:
        """Our log events so far."""
        self.logger_provider.force_flush()
        return [_event(each.log_record) for each in self.logs.get_finished_logs() if each.log_record.event_name]

    def seen(self, raised: str = "") -> Seen:
        """What was exported so far. Collects the metrics twice."""
        self.logger_provider.force_flush()
        streams = [Stream(s) for s in self.recorder.ended if s.attributes and PREFIX + "layer" in s.attributes]
        streams.sort(key=lambda stream: stream.span.start_time or 0)
        return Seen(
            raised,
            streams,
            self.recorder.ended,
            self.recorder.started - len(self.recorder.ended),
            (self.collect(), self.collect()),
            self.events(),
        )

    @property
    def busy(self) -> bool:
        """Some stream has not really ended."""
        self.logger_provider.force_flush()
        watch = autogen_streamtrace.Instrumentor().watch
        return watch is not None and bool(watch.tracker.oldest())


@contextmanager
def instrumented(*, sampler: Sampler = ALWAYS_ON, traces: bool = True, **settings: Any) -> Iterator[Watch]:
    """Instruments this process.

    Args:
        sampler: of the traces.
        traces: False gives it a no-op tracer.
        settings: those of ``instrument()``.
    """
    resource = Resource.create({"service.name": "tests", "service.instance.id": "one"})
    tracers: Any = NoOpTracerProvider()
    if traces:
        tracers = TracerProvider(sampler, resource, shutdown_on_exit=False)
    logger_provider = LoggerProvider(resource, shutdown_on_exit=False)
    watch = Watch(tracers, logger_provider)
    if traces:
        tracers.add_span_processor(watch.recorder)
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(watch.logs))
    meter_provider = MeterProvider([watch.reader], resource, shutdown_on_exit=False)
    autogen_streamtrace.instrument(
        tracer_provider=tracers, meter_provider=meter_provider, logger_provider=logger_provider, **settings
    )
    try:
        with _quiet():
            yield watch
    finally:
        autogen_streamtrace.uninstrument()
        meter_provider.shutdown()


def watch(body: Body, *, settle: bool = True, origins: int | None = None, **options: Any) -> Seen:
    """Runs a program in an event loop of its own.

    Args:
        body: the program.
        settle: waits for the end of every stream before the loop is closed.
        origins: how many early endings there are, if not one where there is any.
        options: those of ``instrumented``.
    """
    with ModelServer() as server, instrumented(**options) as applied:
        program = Program(server, applied.tracer_provider.get_tracer("the program"))
        raised = asyncio.run(_run(body, program, applied, settle))
        program.kept.clear()
        gc.collect()
        seen = applied.seen(raised)
    wrong = wrongs(seen, options.get("events", "turns"), options.get("caller_endings", "unset"), origins)
    if wrong:
        raise AssertionError("\n".join([*wrong, f"raised {raised or 'nothing'}", *map(_line, seen.streams)]))
    return seen


@contextmanager
def _quiet() -> Iterator[None]:
    """AutoGen logs each exception that the tests are about; pytest would keep it, with the frames of the stream."""
    loggers = [logging.getLogger(name) for name in ("autogen_core", "autogen_agentchat")]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    yield
    for logger in loggers:
        logger.setLevel(logging.NOTSET)


async def _run(body: Body, program: Program, applied: Watch, settle: bool) -> str:
    task = asyncio.ensure_future(body(program))
    await asyncio.wait([task], timeout=LIMIT)
    if not task.done():
        raise AssertionError(f"the program takes more than {LIMIT} s: {task}")
    raised = full_name(asyncio.CancelledError() if task.cancelled() else task.exception())
    del task  # with the exception, whose traceback would keep the stream
    if settle:
        await _settled(applied)
        await program.close()
    return raised


async def _settled(applied: Watch) -> None:
    """What nobody holds any more is left to the garbage collection, and to what the loop makes of it."""
    clock = asyncio.get_running_loop().time
    give_up = clock() + SETTLE
    while clock() < give_up:
        gc.collect()
        await asyncio.sleep(0.01)
        if not applied.busy:
            break


def full_name(error: BaseException | None) -> str:
    """An exception's type as a traceback writes it."""
    if error is None:
        return ""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _points(data: MetricsData | None) -> Metrics:
    found: Metrics = {}
    for resource in data.resource_metrics if data is not None else ():
        for scope in resource.scope_metrics:
            if scope.scope.name == "autogen_streamtrace":
                for metric in scope.metrics:
                    found[metric.name] = [_point(point) for point in metric.data.data_points]
    return found


def _point(point: Any) -> Point:
    value = point.count if hasattr(point, "count") else point.value
    return Point(dict(point.attributes), value, tuple((e.trace_id, e.span_id) for e in point.exemplars))


def _event(state: Any) -> Event:
    return Event(
        state.event_name,
        state.severity_text,
        state.body,
        dict(state.attributes),
        state.trace_id,
        state.span_id,
    )


def _line(stream: Stream) -> str:
    keys = ("ended_by", "waiting_on.type", "waiting_on.name", "cause.type", "cancelled_by", "origin")
    return " ".join([str(stream), *(f"{key}={stream[key]}" for key in keys if stream[key] is not None)])
