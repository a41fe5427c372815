"""What the ``OTEL_*`` variables choose, against a real receiver on loopback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import certifi
import pytest
from otlp_programs import DELIVER, PREAMBLE, PROTOCOLS, SOURCES, everything, resources, run, warnings_in
from otlp_receiver import OtlpReceiver, points

from autogen_streamtrace.otlp.environment import targets
from autogen_streamtrace.settings import SettingError

pytestmark = pytest.mark.once  # the same on every event loop and openai family


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
        receiver.wait_for(everything, timeout=40)
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
        ("OTEL_PYTHON_METER_PROVIDER", "slide rule"),
    ],
)
def test_a_wrong_value_sets_nothing_up(variable: str, value: str) -> None:
    script = """
    import threading
    try:
        otlp.providers()
    except ValueError as error:
        print(error)
    os.environ.pop("OTEL_PYTHON_METER_PROVIDER", None)
    print(*(type(each()).__name__ for each in GLOBALS))
    print(*(each.name for each in threading.enumerate()))
    """.replace("GLOBALS", "(trace.get_tracer_provider, metrics.get_meter_provider, _logs.get_logger_provider)")
    done = run(script.replace("\n    ", "\n"), {variable: value})
    message, placeholders, threads = done.stdout.splitlines()
    assert "is not allowed" in message
    assert placeholders == "ProxyTracerProvider _ProxyMeterProvider ProxyLoggerProvider"
    assert threads == "MainThread"
