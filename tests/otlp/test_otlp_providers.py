"""Whose providers are used, and how they are flushed and shut down."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from otlp_programs import everything, run, warnings_in
from otlp_receiver import OtlpReceiver, points

pytestmark = pytest.mark.once  # the same on every event loop and openai family


NAMED = {"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=program"}
"""The SDK before 1.43 gives a process no id of its own."""


def test_the_programs_own_providers_are_used_as_they_are() -> None:
    script = """
tracers, meters, loggers = TracerProvider(), MeterProvider(), LoggerProvider()
trace.set_tracer_provider(tracers); metrics.set_meter_provider(meters); _logs.set_logger_provider(loggers)
got = otlp.providers()
assert (got.tracer_provider, got.meter_provider, got.logger_provider) == (tracers, meters, loggers)
assert got.ours == frozenset()
"""
    assert warnings_in(run(script, NAMED)) == []


def test_given_providers_win_and_are_not_made_global(receiver: OtlpReceiver) -> None:
    script = """
given = TracerProvider()
got = otlp.providers(tracer_provider=given)
assert got.tracer_provider is given
assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
assert got.ours == {"metrics", "logs"}
assert metrics.get_meter_provider() is got.meter_provider
"""
    run(script, receiver.env("grpc"))


def test_the_apis_placeholders_count_as_none(receiver: OtlpReceiver) -> None:
    script = """
placeholders = trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()
providers = otlp.providers(*placeholders)
assert providers.ours == {"traces", "metrics", "logs"}
record(providers, "work")
otlp.shutdown(providers)
"""
    run(script, receiver.env("grpc"))
    assert everything(receiver)


def test_a_second_call_gives_the_same_providers(receiver: OtlpReceiver) -> None:
    run("assert otlp.providers() == otlp.providers(); assert otlp.providers().ours", receiver.env("grpc"))


@pytest.mark.skipif(
    not hasattr(TracerProvider, "_update_resource"), reason="an older SDK counts itself, and warns then"
)
def test_after_a_shutdown_new_providers_deliver(receiver: OtlpReceiver) -> None:
    script = """
otlp.shutdown(otlp.providers())
providers = otlp.providers()
record(providers, "work")
otlp.shutdown(providers)
"""
    done = run(script, receiver.env("grpc"))
    assert everything(receiver)
    assert warnings_in(done) == []


def test_a_provider_that_is_not_the_sdks_lacks_nothing_of_it(receiver: OtlpReceiver) -> None:
    script = """
providers = otlp.providers(meter_provider=metrics.NoOpMeterProvider())
otlp.resource(providers)
otlp.shutdown(providers)
"""
    assert warnings_in(run(script, receiver.env("grpc"))) == []


def test_with_the_sdk_disabled_nothing_is_made() -> None:
    script = """
assert otlp.sdk_disabled()
got = otlp.providers()
assert got.ours == frozenset() and isinstance(got.tracer_provider, trace.ProxyTracerProvider)
otlp.shutdown(got)
"""
    run(script, {"OTEL_SDK_DISABLED": " True "})


ZERO_FIRST = """
class ZeroFirst:
    # As the product's counters: 0 in the first collection of an attribute set, its count from the next.
    seen = False
    def __call__(self, options):
        value, self.seen = (5 if self.seen else 0), True
        return [Observation(value)]
"""


@pytest.mark.parametrize("end", ["otlp.flush(providers)", "otlp.shutdown(providers)", "meters.shutdown()"])
def test_the_second_collection_carries_the_count(receiver: OtlpReceiver, end: str) -> None:
    script = f"""
{ZERO_FIRST}
providers = otlp.providers()
meters = providers.meter_provider
meters.get_meter("test").create_observable_counter("cuts", [ZeroFirst()])
{end}
os._exit(0)
"""
    run(script, receiver.env("grpc"))
    assert [point.as_int for point in points(receiver.metrics(), "cuts")] == [0, 5]


def test_metrics_of_the_programs_own_provider_are_collected_twice_too(receiver: OtlpReceiver) -> None:
    script = f"""
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
{ZERO_FIRST}
meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
meters.get_meter("test").create_observable_counter("cuts", [ZeroFirst()])
otlp.flush(otlp.providers(TracerProvider(), meters, LoggerProvider()))
os._exit(0)
"""
    run(script, receiver.env("grpc"))
    assert [point.as_int for point in points(receiver.metrics(), "cuts")] == [0, 5]


def test_a_shutdown_flushes_first(receiver: OtlpReceiver) -> None:
    script = """
from opentelemetry.sdk.trace import SpanProcessor
class Late(SpanProcessor):
    # As a queue of the product's own, which is emptied by a flush.
    def force_flush(self, timeout_millis=0): record(providers, "late")
providers = otlp.providers()
providers.tracer_provider.add_span_processor(Late())
otlp.shutdown(providers)
"""
    run(script, receiver.env("grpc"))
    assert [span.data.name for span in receiver.spans()] == ["late"]


def test_a_program_that_shuts_our_providers_down_itself_delivers_and_hears_nothing(receiver: OtlpReceiver) -> None:
    script = """
providers = otlp.providers()
record(providers, "work")
for each in (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()):
    each.shutdown()
otlp.shutdown(providers)
assert otlp.export_failures() == 0
"""
    done = run(script, receiver.env("grpc"))
    assert everything(receiver)
    assert done.stderr == ""


def test_a_shutdown_leaves_the_programs_own_provider_running(receiver: OtlpReceiver) -> None:
    script = """
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
class Exporter(SpanExporter):
    closed, names = False, []
    def export(self, spans): self.names.extend(span.name for span in spans); return SpanExportResult.SUCCESS
    def shutdown(self): self.closed = True
exporter = Exporter()
tracers = TracerProvider()
tracers.add_span_processor(BatchSpanProcessor(exporter))
providers = otlp.providers(tracer_provider=tracers)
record(providers, "work")
otlp.shutdown(providers)
assert exporter.names == ["work"] and not exporter.closed
"""
    run(script, receiver.env("grpc"))
    assert receiver.logs()


def test_a_provider_that_cannot_flush_or_raises_or_blocks_costs_no_more_than_the_timeout() -> None:
    script = """
import threading
class Raises(MeterProvider):
    def force_flush(self, timeout_millis): raise OSError
class Blocks(LoggerProvider):
    def force_flush(self, timeout_millis): threading.Event().wait()
class Cannot(trace.TracerProvider):
    def get_tracer(self, *arguments): return trace.NoOpTracer()
providers = otlp.providers(Cannot(), Raises(shutdown_on_exit=False), Blocks(shutdown_on_exit=False))
begin = time.monotonic()
otlp.flush(providers, timeout=0.5)
otlp.shutdown(providers, timeout=0.5)
print(time.monotonic() - begin)
"""
    assert 0.9 < float(run(script, {}).stdout) < 5  # 10 by default


def test_a_shutdown_while_the_interpreter_ends_delivers(receiver: OtlpReceiver) -> None:
    script = """
import atexit
providers = otlp.providers()
record(providers, "work")
atexit.register(otlp.shutdown, providers)
"""
    done = run(script, receiver.env("grpc"))
    assert everything(receiver)
    assert done.stderr == ""


def test_a_flush_of_the_programs_providers_while_the_interpreter_ends_delivers() -> None:
    script = """
import atexit
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
tracers = TracerProvider(shutdown_on_exit=False)
tracers.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
providers = otlp.providers(tracers, MeterProvider(), LoggerProvider())
record(providers, "work")
atexit.register(otlp.flush, providers)
"""
    done = run(script, NAMED)
    assert '"name": "work"' in done.stdout
    assert done.stderr == ""
