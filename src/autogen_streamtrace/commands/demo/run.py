"""Plays scenarios under the instrument, and compares its verdicts with the expected ones."""

import asyncio
import contextlib
import gc
import logging
import os
import uuid
import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import Final
from unittest import mock

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

import autogen_streamtrace
from autogen_streamtrace import otlp
from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.commands.demo.scenarios import Scenario
from autogen_streamtrace.commands.demo.scenarios.program import Program
from autogen_streamtrace.commands.demo.spans import TraceRecorder
from autogen_streamtrace.commands.demo.verdict import Row, full_name, judge
from autogen_streamtrace.core.telemetry import unknown_reasons
from autogen_streamtrace.settings import SettingError

SERVICE: Final = "autogen-streamtrace-demo"
SCENARIO_LIMIT: Final = 15.0
"""Seconds after which a scenario that hangs is given up."""
SETTLE_LIMIT: Final = 15.0
"""Seconds to wait for spans after their scenario has ended."""
COLLECT_EVERY: Final = 0.05
FLUSH_LIMIT: Final = 5.0
NOISY: Final = ("autogen_core", "autogen_agentchat", "agent_framework", "asyncio", unknown_reasons.__name__)
"""Loggers that report the scenarios' own faults: each exception, and an unknown finish reason."""


class Demo:
    """A model server, and the instrument on providers of its own, for as long as the context lasts."""

    def __init__(self, *, send: bool = False) -> None:
        """`send`: everything goes to the configured OTLP endpoint too."""
        self._send = send
        self._recorder = TraceRecorder()
        self._server = ModelServer()
        self._open = contextlib.ExitStack()
        self._tracer: trace.Tracer

    def __enter__(self) -> "Demo":
        with contextlib.ExitStack() as stack:
            self._tracer = stack.enter_context((sending if self._send else standalone)(self._recorder))
            stack.enter_context(self._server)
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()

    async def play(self, scenario: Scenario) -> Row:
        """Run one scenario to its end and judge it."""
        program = Program(self._server)
        with self._tracer.start_as_current_span(f"demo {scenario.name}") as root:
            trace_id = root.get_span_context().trace_id
            raised = await run(scenario, program)
        await self._settle(trace_id, len(scenario.says))
        await program.close()
        return judge(scenario, *self._recorder.take(trace_id), raised)

    async def _settle(self, trace_id: int, streams: int) -> None:
        """Wait until every span has ended. The garbage collection ends streams that nothing refers to."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + SETTLE_LIMIT
        while not await asyncio.to_thread(self._recorder.wait, trace_id, streams, COLLECT_EVERY):
            if loop.time() > give_up:
                break
            gc.collect()


async def run(scenario: Scenario, program: Program) -> str:
    """Run the program in a task of its own; returns the full name of the exception that it raised.

    The exception itself is dropped: its traceback would keep the stream alive.
    """
    task = asyncio.ensure_future(scenario.run(program))
    try:
        await asyncio.wait([task], timeout=SCENARIO_LIMIT)
    finally:
        hung = task.cancel()
    if hung:
        return f"nothing in {SCENARIO_LIMIT:g} s"
    return full_name(asyncio.CancelledError() if task.cancelled() else task.exception())


@contextlib.contextmanager
def standalone(recorder: TraceRecorder) -> Iterator[trace.Tracer]:
    """Instrument without exporting anything, whatever the environment sets."""
    with mock.patch.dict(os.environ):
        for variable in [name for name in os.environ if name.startswith(("OTEL_", "AUTOGEN_STREAMTRACE_"))]:
            del os.environ[variable]
        resource = Resource.create({SERVICE_NAME: SERVICE, SERVICE_INSTANCE_ID: str(uuid.uuid4())})
        tracer_provider = TracerProvider(resource=resource, sampler=ALWAYS_ON, shutdown_on_exit=False)
        tracer_provider.add_span_processor(recorder)
        meter_provider = MeterProvider(resource=resource, shutdown_on_exit=False)
        logger_provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        with instrumented(tracer_provider, meter_provider, logger_provider):
            yield tracer_provider.get_tracer(SERVICE)


@contextlib.contextmanager
def sending(recorder: TraceRecorder) -> Iterator[trace.Tracer]:
    """Instrument and send everything to the configured OTLP endpoint, whatever its sampler would keep."""
    with mock.patch.dict(os.environ, OTEL_TRACES_SAMPLER="always_on"):
        if f"{SERVICE_NAME}=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
            os.environ.setdefault("OTEL_SERVICE_NAME", SERVICE)
        providers = otlp.providers()
        tracer_provider = providers.tracer_provider
        if not isinstance(tracer_provider, TracerProvider):
            raise SettingError("OTEL_SDK_DISABLED: nothing can be sent while the SDK is disabled")
        try:
            tracer_provider.add_span_processor(recorder)
            with instrumented(tracer_provider, providers.meter_provider, providers.logger_provider):
                yield tracer_provider.get_tracer(SERVICE)
                otlp.flush(providers, FLUSH_LIMIT)
        finally:
            otlp.shutdown(providers, FLUSH_LIMIT)


@contextlib.contextmanager
def instrumented(
    tracer_provider: trace.TracerProvider, meter_provider: metrics.MeterProvider, logger_provider: _logs.LoggerProvider
) -> Iterator[None]:
    """Instrument with these providers, also where the process was instrumented with others."""
    autogen_streamtrace.uninstrument()
    autogen_streamtrace.instrument(
        tracer_provider=tracer_provider, meter_provider=meter_provider, logger_provider=logger_provider
    )
    try:
        yield
    finally:
        autogen_streamtrace.uninstrument()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the messages of AutoGen and of the event loop about failing streams off the terminal."""
    silence = logging.NullHandler()  # without any handler, logging would write to stderr
    loggers = [logging.getLogger(name) for name in NOISY]
    for logger in loggers:
        logger.addHandler(silence)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No text content or tool calls are available")
        yield
    for logger in loggers:
        logger.removeHandler(silence)
