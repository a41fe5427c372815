"""What is compared: nothing, the official HTTP instrumentation, this package, and its peers, each of them over it.

A side is a context manager. It yields what sends off the spans and log events that have ended.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module, metadata
from os import environ
from typing import Any

from opentelemetry import _logs, metrics, trace
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor, HTTPXClientInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from programs import Flush

import autogen_streamtrace
from autogen_streamtrace import otlp

# A global provider would stay behind for the bare side. What is set up is used, and nobody else finds it.
for api, name in ((trace, "tracer"), (metrics, "meter"), (_logs, "logger")):
    setattr(api, f"set_{name}_provider", lambda provider: None)

Side = Callable[[], AbstractContextManager[Flush]]


class DiscardSpans(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class DiscardLogs(LogRecordExporter):
    def export(self, batch: Any) -> LogRecordExportResult:
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


@dataclass
class Providers:
    """The SDK's three providers, with spans and log events in batches."""

    tracers: TracerProvider
    meters: MeterProvider
    loggers: LoggerProvider

    @classmethod
    def discarding(cls) -> "Providers":
        """Metrics are in memory; spans and log events are thrown away."""
        return cls.of(DiscardSpans(), InMemoryMetricReader(), DiscardLogs())

    @classmethod
    def exporting(cls) -> "Providers":
        """With the SDK's OTLP exporters, by the variables."""
        package = {"grpc": "grpc", "http/protobuf": "http"}[environ["OTEL_EXPORTER_OTLP_PROTOCOL"]]

        def exporter(module: str, name: str) -> Any:
            return getattr(import_module(f"opentelemetry.exporter.otlp.proto.{package}.{module}"), name)()

        return cls.of(
            exporter("trace_exporter", "OTLPSpanExporter"),
            PeriodicExportingMetricReader(exporter("metric_exporter", "OTLPMetricExporter")),
            exporter("_log_exporter", "OTLPLogExporter"),
        )

    @classmethod
    def of(cls, spans: Any, reader: Any, logs: Any) -> "Providers":
        made = cls(TracerProvider(), MeterProvider([reader]), LoggerProvider())
        made.tracers.add_span_processor(BatchSpanProcessor(spans))
        made.loggers.add_log_record_processor(BatchLogRecordProcessor(logs))
        return made

    @property
    def keywords(self) -> dict[str, Any]:
        return {"tracer_provider": self.tracers, "meter_provider": self.meters, "logger_provider": self.loggers}

    def flush(self) -> None:
        self.tracers.force_flush()
        self.loggers.force_flush()

    def shutdown(self) -> None:
        for provider in (self.tracers, self.meters, self.loggers):
            provider.shutdown()


@contextmanager
def bare() -> Iterator[Flush]:
    """Nothing."""
    yield lambda: None


@contextmanager
def watched() -> Iterator[Flush]:
    """This package, all signals on, under providers that discard."""
    providers = Providers.discarding()
    autogen_streamtrace.instrument(**providers.keywords)
    try:
        yield providers.flush
    finally:
        autogen_streamtrace.uninstrument()
        providers.shutdown()


@contextmanager
def exported() -> Iterator[Flush]:
    """This package as it sets itself up: its own exporters, to the endpoint that the variables name."""
    autogen_streamtrace.instrument()
    ours = otlp.find_or_make()
    try:
        yield lambda: (ours.tracer_provider.force_flush(), ours.logger_provider.force_flush())
        assert not otlp.export_failures(), "the receiver did not take an export"
    finally:
        autogen_streamtrace.uninstrument()


def http_clients() -> list[Any]:
    """The official instrumentations of the HTTP clients that are installed."""
    return [each for each in (HTTPX2ClientInstrumentor(), HTTPXClientInstrumentor()) if each._module is not None]


@dataclass(frozen=True)
class Peer:
    """Another instrumentation; by the names of its distributions, and of the modules and classes of its parts."""

    packages: tuple[str, ...]
    parts: tuple[tuple[str, str], ...]

    @property
    def installed(self) -> bool:
        names = {each.metadata["Name"] for each in metadata.distributions()}
        return set(self.packages) <= names

    @contextmanager
    def side(self, *, export: bool) -> Iterator[Flush]:
        """The peer with the official HTTP instrumentation."""
        providers = Providers.exporting() if export else Providers.discarding()
        parts = [*http_clients(), *(getattr(import_module(module), name)() for module, name in self.parts)]
        with ExitStack() as undo:
            undo.callback(providers.shutdown)
            for each in parts:
                each.instrument(**providers.keywords)
                undo.callback(each.uninstrument)
            yield providers.flush


HTTP = Peer((), ())
_AGENTCHAT = ("openinference.instrumentation.autogen_agentchat", "AutogenAgentChatInstrumentor")
_OPENAI = ("openinference.instrumentation.openai", "OpenAIInstrumentor")
PEERS = {
    "genai-openai": Peer(
        ("opentelemetry-instrumentation-genai-openai",),
        (("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),),
    ),
    "openinference": Peer(("openinference-instrumentation-autogen-agentchat",), (_AGENTCHAT,)),
    "openinference-openai": Peer(
        ("openinference-instrumentation-autogen-agentchat", "openinference-instrumentation-openai"),
        (_AGENTCHAT, _OPENAI),
    ),
}
"""Each is what its documentation asks a program with AutoGen and OpenAI to switch on."""
