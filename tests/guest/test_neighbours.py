"""Each private name of a neighbour's is taken away in turn: one fact is lost, one warning says so, all else is told."""

import asyncio
import dataclasses
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import requires
from types import ModuleType
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    InMemoryMetricReader,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from packaging.requirements import Requirement
from programs.clients import Client
from programs.facts import facts
from programs.patched import turn
from programs.watching import watching

from autogen_streamtrace import neighbours, patches
from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.core.watching.lateness import Lateness
from autogen_streamtrace.core.watching.loops import Loop
from autogen_streamtrace.core.watching.pulse import Pulse
from autogen_streamtrace.neighbours import Private, autogen, opentelemetry, python, servers

pytestmark = pytest.mark.once


def test_the_package_asks_for_protobuf_as_autogen_does() -> None:
    """Else pip installs exporters for a newer one: they break AutoGen, or fail at their import."""
    ours, autogens = (
        [Requirement(line).specifier for line in requires(name) or () if Requirement(line).name == "protobuf"]
        for name in ("autogen-streamtrace", "autogen-core")
    )
    assert ours == autogens != []


def listed(module: ModuleType) -> dict[str, Private]:
    return {name: value for name, value in vars(module).items() if isinstance(value, Private)}


LOST: dict[str, set[str]] = {
    "CREATE_ARGUMENTS": {"model", "temperature"},
    "MODEL_NAME": set(),  # no client here keeps it there
    "TEAM_ID": {"team of an agent"},
    "THREAD": {"conversation"},
    "ORIGINAL_NAMES": {"renamed tool"},
    "TOOLS": {"tool's description"},
    "STATIC_ERRORS": {"streaming tool's error"},
    "MCP_ERRORS": {"mcp tool's error"},
    "TOOL_CALL": {"unknown tool"},
    "CANCELLED": {"token"},
    "TOOL_SPAN": {"tool's spans"},
    "MCP_SPAN": {"mcp tool's spans"},
    "AGENT_SPAN": {"agent's spans"},
    "TEAM_AGENT_SPAN": {"agent's spans in a team"},
    "ON_TIMEOUT": {"deadlines"},
    "TIMED_TASK": {"deadlines"},
    "TIMEOUT_STATE": {"deadlines"},
    "AWAITED": {"deadlines"},
    "GATHERED": {"deadlines"},
    "ABORT": {"deadlines"},
    "GROUPED": {"deadlines"},
    "CANCEL_AND_WAIT": {"deadlines"},
    "CALLERS_FRAME": {"deadlines"},
    "CAPTURED_SIGNALS": {"shutting down"},
}
"""What is told otherwise without a name."""
PRIVATE = {**listed(autogen), **listed(python), **listed(servers)}
HERE = {
    "ON_TIMEOUT": sys.version_info >= (3, 11),
    "TIMED_TASK": sys.version_info >= (3, 11),
    "TIMEOUT_STATE": sys.version_info >= (3, 11),
    "ABORT": sys.version_info >= (3, 11),
    "GROUPED": sys.version_info >= (3, 11),
    "CANCEL_AND_WAIT": sys.version_info < (3, 12),
    "CALLERS_FRAME": sys.version_info < (3, 12),
}
"""Where a name of the standard library's is needed."""


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_said", set())


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="module")
def whole(model: ModelServer) -> dict[str, object]:
    """What is told where nothing is missing."""
    return told(model)


def told(model: ModelServer) -> dict[str, object]:
    with pytest.MonkeyPatch.context() as patch, watching() as found:
        patch.setattr(trace, "get_tracer_provider", lambda: found.tracer_provider)  # AutoGen's own spans come too
        return facts(found, model)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name.startswith("autogen_streamtrace")]


def test_nothing_is_missing_here(
    whole: dict[str, object], model: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert told(model) == whole
    assert whole["layers"] == ["agent", "http", "model", "stream", "team", "tool"]
    assert warnings(caplog) == []


def test_what_is_lost_is_known_of_every_name() -> None:
    assert LOST.keys() | {"SHUTDOWN", "FRAMES"} == PRIVATE.keys()


@pytest.mark.parametrize("name", LOST)
def test_a_name_that_is_gone_costs_one_fact_and_is_told(
    name: str,
    whole: dict[str, object],
    model: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if not HERE.get(name, True):
        pytest.skip("nothing needs it on this Python")
    private = PRIVATE[name]
    monkeypatch.setattr(private, "attribute", f"{private.attribute}_of_yore")
    without = told(model)
    assert {key for key in whole if without[key] != whole[key]} == LOST[name]
    packages = [private.package, *private.siblings] if LOST[name] else []
    assert len(warnings(caplog)) == len(packages)
    for package, warning in zip(packages, sorted(warnings(caplog)), strict=True):
        assert warning.startswith(f"{package} {neighbours.version(package)} has no ")
        assert f".{private.attribute}: {private.without}" in warning


@pytest.mark.parametrize("name", [name for name, each in PRIVATE.items() if each.owner.startswith("autogen_")])
def test_a_private_module_that_is_gone_costs_the_same(
    name: str,
    whole: dict[str, object],
    model: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    private = PRIVATE[name]
    monkeypatch.setattr(private, "owner", f"{private.owner}_of_yore")
    table = [dataclasses.replace(row, module=private.owner) if row.private is private else row for row in patches.TABLE]
    monkeypatch.setattr(patches, "TABLE", table)
    without = told(model)
    assert {key for key in whole if without[key] != whole[key]} == LOST[name]
    (warning,) = warnings(caplog)
    assert private.owner in warning
    assert neighbours.version(private.package) in warning


def test_gunicorns_worker_without_its_shutdown_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(servers.SHUTDOWN, "attribute", "_shutdown_of_yore")
    with watching():
        import_module("gunicorn.workers.gasgi")
    (warning,) = warnings(caplog)
    assert warning.startswith(f"gunicorn {neighbours.version('gunicorn')} has no ASGIWorker._shutdown_of_yore: ")


def test_a_blocked_event_loop_is_told_without_its_stack_where_a_threads_frames_are_not_known(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.new_event_loop()
    pulse = Pulse(Loop(loop, threading.get_ident()), Lateness())
    assert "test_a_blocked_event_loop" in pulse.stack()
    monkeypatch.setattr(python.FRAMES, "attribute", "_current_frames_of_yore")
    assert (pulse.stack(), pulse.stack()) == ("", "")
    (warning,) = warnings(caplog)
    assert warning.startswith(f"Python {neighbours.version('Python')} has no sys._current_frames_of_yore: where an ")
    loop.close()


def test_a_client_of_the_programs_own_lacks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with watching() as found:
        turn(Client())
        assert found.outcome("chat Client") == "completed"
    assert warnings(caplog) == []


# OpenTelemetry's

SDK = listed(opentelemetry)


def counted(readers: list[MetricReader]) -> tuple[MeterProvider, InMemoryMetricReader]:
    """A provider that has counted one, with a reader more."""
    memory = InMemoryMetricReader()
    readers.append(memory)
    provider = MeterProvider(readers, shutdown_on_exit=False)
    provider.get_meter("program").create_counter("count").add(1)
    return provider, memory


@pytest.mark.parametrize("name", ["", "CONSUMER", "CONSUMER_LOCK", "CONSUMER_CONFIG", "STORAGES", "EXPORT_LOCK"])
def test_metrics_go_on_in_a_child_whose_sums_or_locks_cannot_be_renewed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name:
        monkeypatch.setattr(SDK[name], "attribute", "_of_yore")
    readers: list[MetricReader] = [PeriodicExportingMetricReader(ConsoleMetricExporter(), float("inf"))]
    provider, memory = counted(readers)
    opentelemetry.start_metrics_anew(provider, readers)
    provider.get_meter("program").create_counter("more").add(1)
    data = memory.get_metrics_data()
    assert data is not None
    (resource,) = data.resource_metrics
    names = {metric.name for scope in resource.scope_metrics for metric in scope.metrics}
    assert names == ({"more"} if name in ("", "CONSUMER_LOCK", "EXPORT_LOCK") else names) | {"more"}
    provider.shutdown()


@pytest.mark.parametrize("name", ["", "UPDATE_RESOURCE", "RESOURCE_ATTRIBUTES"])
def test_a_childs_resource_is_renewed_by_either_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name:
        monkeypatch.setattr(SDK[name], "attribute", "_of_yore")
    provider = TracerProvider(resource=Resource({"service.instance.id": "parent"}), shutdown_on_exit=False)
    tracer: Any = provider.get_tracer("program")
    opentelemetry.renew_resource(provider, Resource({"service.instance.id": "child"}))
    one_way = name == "RESOURCE_ATTRIBUTES" and not hasattr(provider, "_update_resource")  # the SDK before 1.44
    expected = "parent" if one_way else "child"
    assert provider.resource.attributes["service.instance.id"] == expected
    assert tracer.start_span("begun").resource.attributes["service.instance.id"] == expected


def test_a_resource_that_cannot_be_renewed_is_told_and_stays(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("UPDATE_RESOURCE", "RESOURCE_ATTRIBUTES"):
        monkeypatch.setattr(SDK[name], "attribute", "_of_yore")
    provider = TracerProvider(resource=Resource({"service.instance.id": "parent"}), shutdown_on_exit=False)
    opentelemetry.renew_resource(provider, Resource({"service.instance.id": "child"}))
    assert provider.resource.attributes["service.instance.id"] == "parent"
    (warning,) = warnings(caplog)
    assert "a forked child keeps its parent's service.instance.id" in warning


def test_a_meter_providers_resource_is_its_own_affair(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = MeterProvider(resource=Resource({"a": "b"}), shutdown_on_exit=False)
    assert opentelemetry.resource(provider).attributes["a"] == "b"
    monkeypatch.setattr(opentelemetry.METER_CONFIG, "attribute", "_of_yore")
    assert opentelemetry.resource(provider) is None


@pytest.mark.parametrize("name", ["TEMPORALITY", "AGGREGATION"])
def test_an_exporter_whose_preferences_are_unknown_has_the_default(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = ConsoleMetricExporter(preferred_temporality={}, preferred_aggregation={})
    assert opentelemetry.preferences(exporter) == ({}, {})
    monkeypatch.setattr(SDK[name], "attribute", "_of_yore")
    assert opentelemetry.preferences(exporter) == ((None, {}) if name == "TEMPORALITY" else ({}, None))


@pytest.mark.parametrize("name", ["RUNTIME_CONTEXT", "CONTEXT_VARIABLE"])
def test_without_the_contexts_variable_streams_are_inside_each_other_as_before(name: str) -> None:
    program = f"""
from autogen_streamtrace.neighbours import opentelemetry
opentelemetry.{name}.attribute = "_of_yore"
from autogen_streamtrace.core.stream import scope
from opentelemetry import context
assert scope.get is context.get_current
from programs.clients import Client
from programs.patched import turn
from programs.watching import watching
with watching() as told:
    turn(Client())
    assert told.parent("chat Client") == "invoke_agent writer"
"""
    done = subprocess.run([sys.executable, "-c", program], cwd="tests", capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    (warning,) = [line for line in done.stderr.splitlines() if "has no" in line]
    assert "a watched item costs three times as much" in warning
