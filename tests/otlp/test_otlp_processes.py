"""Forks, and which process telemetry came from."""

import json
from typing import Any

import pytest
from otlp_programs import DELIVER, PROTOCOLS, everything, instances, names, resources, run, warnings_in
from otlp_receiver import OtlpReceiver, Request

pytestmark = pytest.mark.once  # the same on every event loop and openai family


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
    waited = float(run("sys.stdout.reconfigure(line_buffering=True)" + script, env).stdout)
    assert 0.1 < waited < 5, "an export may take 10"


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
while not otlp.export_failures():  # a flush does not wait where nobody listens
    time.sleep(0.01)
if pid := os.fork():
    assert os.waitpid(pid, 0)[1] == 0
else:
    os._exit(0 if otlp.export_failures() == 0 else 1)
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
