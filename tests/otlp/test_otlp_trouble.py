"""Endpoints that do not answer, and exporters that cannot be made: a warning, and the program runs on."""

import pytest
from otlp_programs import DELIVER, PROTOCOLS, everything, run, warnings_in
from otlp_receiver import RETRY_AFTER, OtlpReceiver

pytestmark = pytest.mark.once  # the same on every event loop and openai family


PATIENT = {"OTEL_EXPORTER_OTLP_TIMEOUT": "40"}
"""An export alone takes so many seconds, far more than a busy machine adds to what is bounded."""


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
    env = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_ENDPOINT": url, **PATIENT}
    done = run(script, env)
    assert float(done.stdout) < 20
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
end = time.monotonic() + 20
while any(each.busy for each in deliveries):
    assert time.monotonic() < end
    time.sleep(0.01)
"""
    run(script, {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_ENDPOINT": refusing, **PATIENT})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_process_that_ends_does_not_wait_for_the_next_attempt(receiver: OtlpReceiver, protocol: str) -> None:
    """A collector that was away is back, and the exporter would try again in minutes."""
    script = """
providers = otlp.providers()
record(providers, "work")
otlp.flush(providers, timeout=0)
while not all(each.troubled for each in otlp._pipelines.deliveries()):
    time.sleep(0.01)
otlp.shutdown(providers)
"""
    receiver.refuse_once()
    run(script, {**receiver.env(protocol), "OTEL_EXPORTER_OTLP_TIMEOUT": str(2 * RETRY_AFTER)})
    assert everything(receiver)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_many_failed_exports_are_counted_and_told_once(refusing: str, protocol: str) -> None:
    script = """
providers = otlp.providers()
for rounds, name in enumerate(("a", "b", "c"), 1):
    record(providers, name)
    otlp.flush(providers)
    while otlp.export_failures() < 4 * rounds:  # a flush does not wait where nobody listens
        time.sleep(0.01)
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
