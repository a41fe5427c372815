"""The SDK that this package sets up, against a real receiver on loopback.

A process takes its global providers once, so each fact is shown by a small program of its own.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest
from otlp_receiver import OtlpReceiver, Request, points

from autogen_streamtrace.otlp.environment import targets
from autogen_streamtrace.settings import SettingError

pytestmark = pytest.mark.once  # the same on every event loop and openai family

PROTOCOLS = ("grpc", "http/protobuf")
SOURCES = str(Path(__file__).resolve().parents[1] / "src")
PREAMBLE = """
import logging, os, sys, time
from opentelemetry import _logs, metrics, trace
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from autogen_streamtrace import otlp

logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")

def record(providers, name):
    with providers.tracer_provider.get_tracer("test").start_as_current_span(name, attributes={"a": 1, "b": 2}):
        providers.meter_provider.get_meter("test").create_counter(name).add(1)
        providers.logger_provider.get_logger("test").emit(body=name, event_name=name)
"""
DELIVER = """
providers = otlp.providers()
record(providers, "work")
otlp.shutdown(providers)
"""


def run(script: str, env: dict[str, str], timeout: float = 30) -> subprocess.CompletedProcess[str]:
    """Runs a program to its proper end; its output is in the result."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + script],
        env={**os.environ, "PYTHONPATH": SOURCES, **env},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def warnings_in(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.startswith(("WARNING", "ERROR"))]


def everything(receiver: OtlpReceiver) -> bool:
    return bool(receiver.spans() and receiver.metrics() and receiver.logs())


def names(receiver: OtlpReceiver) -> set[str]:
    return {
        *(each.data.name for each in receiver.spans()),
        *(each.data.name for each in receiver.metrics()),
        *(each.data.event_name for each in receiver.logs()),
    }


def resources(receiver: OtlpReceiver, name: str) -> list[dict[str, Any]]:
    """The resources of the span, the metric and the event called ``name``."""
    return [
        *(each.resource for each in receiver.spans() if each.data.name == name),
        *(each.resource for each in receiver.metrics() if each.data.name == name),
        *(each.resource for each in receiver.logs() if each.data.event_name == name),
    ]


def instances(receiver: OtlpReceiver, name: str) -> set[str]:
    return {str(each["service.instance.id"]) for each in resources(receiver, name)}


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as running:
        yield running


@pytest.fixture
def refusing() -> Iterator[str]:
    """The URL of a port on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as held:
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


# What the OTEL_* variables choose


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_all_three_signals_arrive(receiver: OtlpReceiver, protocol: str) -> None:
    done = run(DELIVER, receiver.env(protocol))
    assert everything(receiver)
    assert {request.protocol for request in receiver.requests()} == {protocol}
    assert warnings_in(done) == []


def test_the_protocol_is_grpc_where_none_is_named(receiver: OtlpReceiver) -> None:
    run(DELIVER, {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint("grpc")})
    assert everything(receiver)


def test_each_signal_may_have_its_own_protocol_and_endpoint(receiver: OtlpReceiver) -> None:
    run(
        DELIVER,
        {
            **receiver.env("grpc"),
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": receiver.endpoint("http/protobuf") + "/elsewhere/traces",
        },
    )
    assert everything(receiver)
    assert {(each.protocol, each.path) for each in receiver.requests("traces")} == {
        ("http/protobuf", "/elsewhere/traces")
    }
    assert {each.protocol for each in receiver.requests() if each.signal != "traces"} == {"grpc"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_headers_are_sent_with_every_request(receiver: OtlpReceiver, protocol: str) -> None:
    run(DELIVER, {**receiver.env(protocol), "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=blue"})
    assert everything(receiver)
    assert {request.headers.get("x-tenant") for request in receiver.requests()} == {"blue"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_either_compression_arrives(receiver: OtlpReceiver, protocol: str, compression: str) -> None:
    run(DELIVER, {**receiver.env(protocol), "OTEL_EXPORTER_OTLP_COMPRESSION": compression})
    assert everything(receiver)
    if protocol == "http/protobuf":
        sent = {request.headers.get("content-encoding") for request in receiver.requests()}
        assert sent == {"gzip" if compression == "gzip" else None}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_certificate_opens_a_tls_endpoint_whatever_else_the_machine_trusts(tmp_path: Path, protocol: str) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    new = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout", key, "-out", certificate]
    subprocess.run([*new, *subject], check=True, capture_output=True)
    with OtlpReceiver(tls=(certificate, key)) as receiver:
        authorities = {"OTEL_EXPORTER_OTLP_CERTIFICATE": certificate, "REQUESTS_CA_BUNDLE": certifi.where()}
        done = run(DELIVER, {**receiver.env(protocol), **authorities})
        assert everything(receiver), done.stderr


def test_resource_attributes_and_service_name_are_on_all_signals(receiver: OtlpReceiver) -> None:
    env = {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test", "OTEL_SERVICE_NAME": "shop"}
    run(DELIVER, {**receiver.env("grpc"), **env})
    found = resources(receiver, "work")
    assert len(found) == 4  # a span, an event, and the counter twice
    assert {(each["service.name"], each["deployment.environment.name"]) for each in found} == {("shop", "test")}


def test_the_sampler_always_off_sends_no_span_and_all_else(receiver: OtlpReceiver) -> None:
    run(DELIVER, {**receiver.env("grpc"), "OTEL_TRACES_SAMPLER": "always_off"})
    assert receiver.spans() == []
    assert receiver.metrics()
    assert receiver.logs()


def test_span_limits_are_obeyed(receiver: OtlpReceiver) -> None:
    run(DELIVER, {**receiver.env("grpc"), "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "1"})
    assert [span.attributes for span in receiver.spans()] == [{"b": 2}]


@pytest.mark.parametrize(("chosen", "expected"), [("trace_based", 1), ("always_off", 0)])
def test_the_exemplar_filter_is_obeyed(receiver: OtlpReceiver, chosen: str, expected: int) -> None:
    run(DELIVER, {**receiver.env("grpc"), "OTEL_METRICS_EXEMPLAR_FILTER": chosen})
    assert len(points(receiver.metrics(), "work")[0].exemplars) == expected


@pytest.mark.parametrize(("chosen", "expected"), [("cumulative", [2]), ("delta", [1])])
def test_the_temporality_preference_is_obeyed(receiver: OtlpReceiver, chosen: str, expected: list[int]) -> None:
    run(DELIVER, {**receiver.env("grpc"), "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": chosen})
    assert list({each.data.sum.aggregation_temporality for each in receiver.metrics()}) == expected


def test_the_export_intervals_are_obeyed(receiver: OtlpReceiver) -> None:
    intervals = ("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_METRIC_EXPORT_INTERVAL")
    script = 'providers = otlp.providers(); record(providers, "work"); sys.stdin.read(); os._exit(0)'
    with subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + script],
        env={**os.environ, "PYTHONPATH": SOURCES, **receiver.env("grpc"), **dict.fromkeys(intervals, "50")},
        stdin=subprocess.PIPE,
    ) as program:
        receiver.wait_for(everything, timeout=20)
        program.communicate(timeout=10)


def test_the_exporter_none_sends_nothing(receiver: OtlpReceiver) -> None:
    done = run(DELIVER, {**receiver.env("grpc"), **exporters("none")})
    assert receiver.requests() == []
    assert warnings_in(done) == []


def test_the_exporter_console_prints(receiver: OtlpReceiver) -> None:
    done = run(DELIVER, {**receiver.env("grpc"), **exporters("console")})
    assert receiver.requests() == []
    assert {'"name": "work"', '"event_name": "work"'} <= {line.strip(" ,") for line in done.stdout.splitlines()}


def test_several_exporters_get_the_same(receiver: OtlpReceiver) -> None:
    done = run(DELIVER, {**receiver.env("grpc"), **exporters("console, otlp_proto_grpc")})
    assert everything(receiver)
    assert '"name": "work"' in done.stdout


def exporters(name: str) -> dict[str, str]:
    return {f"OTEL_{signal}_EXPORTER": name for signal in ("TRACES", "METRICS", "LOGS")}


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"])
def test_a_wrong_protocol_is_an_error_with_variable_value_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http/json")
    with pytest.raises(SettingError, match=rf"{variable}: 'http/json'.*grpc, http/protobuf"):
        targets("logs")


def test_an_unknown_exporter_is_an_error_with_variable_value_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp,jaeger")
    with pytest.raises(SettingError, match=r"OTEL_TRACES_EXPORTER: 'jaeger'.*console, none, otlp"):
        targets("traces")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "carrier pigeon"),
        ("OTEL_PYTHON_ID_GENERATOR", "dice"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "sometimes"),
    ],
)
def test_a_wrong_value_sets_nothing_up(variable: str, value: str) -> None:
    script = """
    try:
        otlp.providers()
    except ValueError as error:
        print(error)
    print(*(type(each()).__name__ for each in GLOBALS))
    """.replace("GLOBALS", "(trace.get_tracer_provider, metrics.get_meter_provider, _logs.get_logger_provider)")
    done = run(script.replace("\n    ", "\n"), {variable: value})
    message, placeholders = done.stdout.splitlines()
    assert "is not allowed" in message
    assert placeholders == "ProxyTracerProvider _ProxyMeterProvider ProxyLoggerProvider"


# Whose providers


def test_the_programs_own_providers_are_used_as_they_are() -> None:
    script = """
tracers, meters, loggers = TracerProvider(), MeterProvider(), LoggerProvider()
trace.set_tracer_provider(tracers); metrics.set_meter_provider(meters); _logs.set_logger_provider(loggers)
got = otlp.providers()
assert (got.tracer_provider, got.meter_provider, got.logger_provider) == (tracers, meters, loggers)
assert got.ours == frozenset()
"""
    assert warnings_in(run(script, {})) == []


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


def test_with_the_sdk_disabled_nothing_is_made() -> None:
    script = """
assert otlp.sdk_disabled()
got = otlp.providers()
assert got.ours == frozenset() and isinstance(got.tracer_provider, trace.ProxyTracerProvider)
otlp.shutdown(got)
"""
    run(script, {"OTEL_SDK_DISABLED": " True "})


# Flush and shutdown

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
    assert 0.9 < float(run(script, {}).stdout) < 2


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
    done = run(script, {})
    assert '"name": "work"' in done.stdout
    assert done.stderr == ""


# Endpoints that do not answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("endpoint", ["refusing", "silent"])
def test_a_wrong_endpoint_costs_one_warning_and_a_shutdown_within_its_timeout(
    request: pytest.FixtureRequest, protocol: str, endpoint: str
) -> None:
    url: str = request.getfixturevalue(endpoint)
    script = """
providers = otlp.providers()
record(providers, "work")
begin = time.monotonic()
otlp.shutdown(providers, timeout=3)
print(time.monotonic() - begin)
"""
    env = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_ENDPOINT": url}
    done = run(script, env, timeout=15)
    assert float(done.stdout) < 3
    (warning,) = warnings_in(done)
    for words in (url, protocol, "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        assert words in warning
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_shutdown_ends_the_retries(refusing: str, protocol: str) -> None:
    script = """
providers = otlp.providers()
deliveries = otlp._pipelines.deliveries()
record(providers, "work")
otlp.shutdown(providers, timeout=0.5)
end = time.monotonic() + 2
while any(each.busy for each in deliveries):
    assert time.monotonic() < end
    time.sleep(0.01)
"""
    run(script, {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_ENDPOINT": refusing})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_many_failed_exports_are_counted_and_told_once(refusing: str, protocol: str) -> None:
    script = """
providers = otlp.providers()
for name in ("a", "b", "c"):
    record(providers, name)
    otlp.flush(providers)
print(otlp.export_failures())
os._exit(0)
"""
    env = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_ENDPOINT": refusing,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.2",
        "OTEL_BSP_SCHEDULE_DELAY": "60000",
        "OTEL_BLRP_SCHEDULE_DELAY": "60000",
    }
    done = run(script, env)
    assert int(done.stdout) == 12  # three times one batch of spans, one of logs, and metrics twice
    assert len(warnings_in(done)) == 1


def test_delivered_exports_are_no_failures(receiver: OtlpReceiver) -> None:
    assert run(DELIVER + "print(otlp.export_failures())", receiver.env("grpc")).stdout == "0\n"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_missing_certificate_is_one_warning_that_names_it(receiver: OtlpReceiver, protocol: str) -> None:
    env = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint(protocol).replace("http:", "https:"),
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere/ca.pem",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.2",
    }
    (warning,) = warnings_in(run(DELIVER, env))
    assert "/nowhere/ca.pem" in warning


def test_an_exporter_that_cannot_be_made_is_one_warning(receiver: OtlpReceiver) -> None:
    done = run(DELIVER, {**receiver.env("grpc"), "OTEL_EXPORTER_OTLP_COMPRESSION": "shrink"})
    (warning,) = warnings_in(done)
    assert "shrink" in warning
    assert receiver.endpoint("grpc") in warning


def test_a_secret_in_the_endpoint_is_not_told(refusing: str) -> None:
    url = refusing.replace("//", "//user:hush@") + "?key=hush"
    env = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": url}
    other = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_TIMEOUT": "2"}
    done = run(DELIVER, {**env, **other})
    (warning,) = warnings_in(done)
    assert "refused" in warning
    assert "hush" not in done.stderr


def test_log_lines_of_the_programs_own_exporter_stay(refusing: str) -> None:
    script = """
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
tracers = TracerProvider(shutdown_on_exit=False)
tracers.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(timeout=0.2)))
record(otlp.providers(tracer_provider=tracers), "work")
os._exit(0)
"""
    done = run(script, {"OTEL_EXPORTER_OTLP_ENDPOINT": refusing})
    assert [line for line in warnings_in(done) if "Failed to export traces" in line]


# Processes

FORK = """
providers = otlp.providers()
record(providers, "parent")
BEFORE
if pid := os.fork():
    assert os.waitpid(pid, 0)[1] == 0
    record(providers, "parent-after")
else:
    record(providers, "child")
otlp.shutdown(providers)
"""


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("before", ["", "otlp.flush(providers)"], ids=["before-any-export", "after-an-export"])
def test_a_forked_child_and_its_parent_both_deliver(receiver: OtlpReceiver, protocol: str, before: str) -> None:
    run(FORK.replace("BEFORE", before), receiver.env(protocol))
    assert names(receiver) == {"parent", "child", "parent-after"}
    assert [span.data.name for span in receiver.spans()].count("parent") == 1
    assert len(resources(receiver, "child")) == 4


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_forked_child_has_connections_of_its_own(receiver: OtlpReceiver, protocol: str) -> None:
    env = {**receiver.env(protocol), "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    run(FORK.replace("BEFORE", "otlp.flush(providers)"), env)
    peers = {span.name: each.peer for each in receiver.requests() for span in spans_of(each)}
    assert peers["parent"] == peers["parent-after"] != peers["child"]


def spans_of(request: Request) -> list[Any]:
    return [span for group in request.message.resource_spans for scope in group.scope_spans for span in scope.spans]


def test_a_fork_waits_a_moment_for_an_export_under_way(silent: str) -> None:
    script = """
import threading
providers = otlp.providers()
record(providers, "work")
threading.Thread(target=otlp.flush, args=(providers,), daemon=True).start()
while not all(each.busy for each in otlp._pipelines.deliveries()):
    time.sleep(0.01)
begin = time.monotonic()
if pid := os.fork():
    print(time.monotonic() - begin)
    os.waitpid(pid, 0)
os._exit(0)
"""
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": silent, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    assert 0.1 < float(run("sys.stdout.reconfigure(line_buffering=True)" + script, env).stdout) < 1


def test_a_child_forked_while_its_parent_exports_delivers(receiver: OtlpReceiver) -> None:
    script = """
import threading
providers = otlp.providers()
stop = threading.Event()
def busy():
    while not stop.is_set():
        record(providers, "parent")
        otlp.flush(providers)
worker = threading.Thread(target=busy)
worker.start()
for number in range(10):
    pid = os.fork()
    if not pid:
        record(providers, f"child-{number}")
        otlp.shutdown(providers)
        os._exit(0)
    os.waitpid(pid, 0)
stop.set()
worker.join()
"""
    run(script, receiver.env("grpc"), timeout=60)
    assert {f"child-{number}" for number in range(10)} <= {span.data.name for span in receiver.spans()}
    assert {f"child-{number}" for number in range(10)} <= {log.data.event_name for log in receiver.logs()}
    assert {f"child-{number}" for number in range(10)} <= {each.data.name for each in receiver.metrics()}


def test_a_forked_child_counts_from_zero(receiver: OtlpReceiver) -> None:
    script = """
providers = otlp.providers()
counter = providers.meter_provider.get_meter("test").create_counter("cuts")
counter.add(100)
otlp.flush(providers)
if pid := os.fork():
    os.waitpid(pid, 0)
else:
    counter.add(1)
otlp.shutdown(providers)
"""
    run(script, receiver.env("grpc"))
    last = {each.resource["service.instance.id"]: each.data.sum.data_points[0].as_int for each in receiver.metrics()}
    assert sorted(last.values()) == [1, 100]


def test_a_forked_child_counts_its_own_export_failures(refusing: str) -> None:
    script = """
providers = otlp.providers()
record(providers, "work")
otlp.flush(providers)
parent = otlp.export_failures()
if pid := os.fork():
    assert os.waitpid(pid, 0)[1] == 0
else:
    os._exit(0 if parent and otlp.export_failures() == 0 else 1)
os._exit(0)
"""
    run(script, {"OTEL_EXPORTER_OTLP_ENDPOINT": refusing, "OTEL_EXPORTER_OTLP_TIMEOUT": "0.2"})


def test_the_instance_id_is_a_uuid_of_each_process(receiver: OtlpReceiver) -> None:
    run(FORK.replace("BEFORE", ""), receiver.env("grpc"))
    (parent,), (child,) = instances(receiver, "parent-after"), instances(receiver, "child")
    assert parent != child
    assert len(parent) == len(child) == 36


def test_a_given_instance_id_gets_the_pid_of_each_process(receiver: OtlpReceiver) -> None:
    env = {**receiver.env("grpc"), "OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=pod-7"}
    script = FORK.replace("BEFORE", "").replace(
        "if pid := os.fork():", "if pid := os.fork():\n    print(os.getpid(), pid)"
    )
    parent, child = run(script, env).stdout.split()
    assert instances(receiver, "parent-after") == {f"pod-7-{parent}"}
    assert instances(receiver, "child") == {f"pod-7-{child}"}


@pytest.mark.parametrize(("attributes", "warned"), [({}, True), ({"service.instance.id": "x"}, False)])
def test_the_programs_own_provider_without_an_instance_id_is_one_warning(
    attributes: dict[str, str], warned: bool
) -> None:
    script = f"""
resource = Resource({json.dumps(attributes)})
given = TracerProvider(resource=resource), MeterProvider(resource=resource), LoggerProvider(resource=resource)
otlp.providers(*given)
otlp.providers(*given)
"""
    found = warnings_in(run(script, {}))
    assert len(found) == warned
    assert all("traces, metrics, logs" in line and "service.instance.id" in line for line in found)


def test_a_configuration_file_is_one_warning(receiver: OtlpReceiver) -> None:
    done = run(DELIVER, {**receiver.env("grpc"), "OTEL_CONFIG_FILE": "otel.yaml"})
    assert everything(receiver)
    (warning,) = warnings_in(done)
    assert "OTEL_CONFIG_FILE" in warning
