"""Versions of Agent Framework that are not the tested ones, or are only half there."""

import asyncio
import contextlib
import dataclasses
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final

import agent_framework
import pytest
from harness import Program, instrumented
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from programs.framework import agent, streamed, telemetry, tool

import autogen_streamtrace
from autogen_streamtrace import neighbours, patches
from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.neighbours import Private
from autogen_streamtrace.neighbours import agent_framework as names

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore:.*is experimental")]

PRIVATE: Final = {name: value for name, value in vars(names).items() if isinstance(value, Private)}
LAYERS: Final = {
    "AGENTS": "agent",
    "CLIENTS": "",  # the clients are still watched as those without telemetry
    "RAW_CLIENTS": "",
    "TOOLS": "tool",
    "WORKFLOWS": "team graph",
    "FUNCTIONAL": "team function",
}
"""The streams that are not watched without a name; without any other, all are."""
DOUBLED: Final = {
    "AGENTS": {"invoke_agent"},
    "CLIENTS": {"chat"},
    "TOOLS": {"execute_tool"},
    "WORKFLOWS": {"workflow.run"},
    "FUNCTIONAL": {"workflow.run"},
    "STREAMING_SPAN": {"chat", "invoke_agent"},
    "AWAITED_SPAN": {"chat", "invoke_agent"},
    "TOOL_SPAN": {"execute_tool"},
    "WORKFLOW_SPAN": {"workflow.run"},
    "FUNCTIONAL_SPAN": {"workflow.run"},
}
"""The framework's own spans that are there without a name."""
MEASURED: Final = {
    "RESPONSE": {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"},
    "ERROR": {"gen_ai.client.operation.duration"},
    "CLIENTS": {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"},
}
"""The framework's metrics that are there without a name."""
OWN: Final = ("chat", "invoke_agent", "execute_tool", "workflow.run")


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_said", set())
    monkeypatch.setattr(neighbours, "_untested", set())


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        each.getMessage()
        for each in caplog.records
        if each.name.startswith("autogen_streamtrace") and each.levelno >= 30
    ]


async def approve() -> str:
    return "approved"


async def main(program: Program) -> None:
    clerk = agent(program, "tool_call", tools=[tool(approve)])
    workflow = agent_framework.WorkflowBuilder(start_executor=clerk, name="graph").build()
    async for _ in workflow.run("x", stream=True):
        pass
    await agent(program, "ok").run("x")

    @agent_framework.workflow(name="function")
    async def function(said: str) -> str:
        return said

    await function.build().run("x")
    with contextlib.suppress(agent_framework.AgentFrameworkException):
        await streamed(agent(program, "fin"))
    await program.close()


class Told:
    """What is told of the same program."""

    def __init__(self, model: ModelServer) -> None:
        reader = InMemoryMetricReader()
        provider = MeterProvider([reader], shutdown_on_exit=False)
        with instrumented() as applied, telemetry(on=True), pytest.MonkeyPatch.context() as patch:
            patch.setattr(trace, "get_tracer_provider", lambda: applied.tracer_provider)
            patch.setattr("opentelemetry.metrics._internal.get_meter_provider", lambda: provider)
            asyncio.run(main(Program(model, trace.get_tracer("the program"))))
            autogen_streamtrace.flush()
            seen = applied.seen()
        ours = {stream.id for stream in seen.streams}
        self.streams = sorted(f"{stream.layer} {stream.name}: {stream['outcome']}" for stream in seen.streams)
        self.doubled = {s.name.split()[0] for s in seen.spans if s.context.span_id not in ours} & set(OWN)
        data = reader.get_metrics_data()
        scopes = [scope for resource in (data.resource_metrics if data else ()) for scope in resource.scope_metrics]
        self.measured = {
            metric.name for scope in scopes for metric in scope.metrics if metric.name.startswith("gen_ai")
        }
        provider.shutdown()


@pytest.fixture(scope="module")
def module_model() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="module")
def whole(module_model: ModelServer) -> Told:
    """What is told where nothing is missing."""
    return Told(module_model)


def test_nothing_is_missing_here(whole: Told, module_model: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    again = Told(module_model)
    assert (again.streams, again.doubled, again.measured) == (whole.streams, set(), set())
    assert len(whole.streams) == 14
    assert warnings(caplog) == []


@pytest.mark.parametrize("name", PRIVATE)
def test_a_name_that_is_gone_costs_no_more_than_is_said(
    name: str,
    whole: Told,
    module_model: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    private = PRIVATE[name]
    monkeypatch.setattr(private, "attribute", f"{private.attribute}_of_yore")
    without = Told(module_model)
    lost = LAYERS.get(name)
    assert without.streams == [each for each in whole.streams if not (lost and each.startswith(lost))]
    assert without.doubled == DOUBLED.get(name, set())
    assert without.measured == MEASURED.get(name, set())
    (warning,) = warnings(caplog)
    assert warning.startswith(f"agent-framework-core {version('agent-framework-core')} has no {private}: ")
    assert private.without in warning


def test_a_private_module_that_is_gone_costs_its_layer_alone(
    whole: Told, module_model: ModelServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(names.TOOLS, "owner", "agent_framework._tools_of_yore")
    rows = [
        dataclasses.replace(row, module=row.private.owner) if row.private is names.TOOLS else row
        for row in patches.TABLE
    ]
    monkeypatch.setattr(patches, "TABLE", rows)
    assert Told(module_model).streams == [each for each in whole.streams if not each.startswith("tool")]
    (warning,) = warnings(caplog)
    assert "agent_framework._tools_of_yore" in warning


@pytest.mark.parametrize("installed", ["1.13.0", "2.0.0", "1.24.0rc1"])
def test_a_version_that_was_not_tested_is_told_once_and_watched(
    installed: str,
    whole: Told,
    module_model: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real = neighbours.version
    monkeypatch.setattr(neighbours, "version", lambda name: installed if name == names.PACKAGE else real(name))
    monkeypatch.setattr(names.TOOL_SPAN, "attribute", "get_function_span_of_yore")
    monkeypatch.setattr(names.ERROR, "attribute", "_capture_operation_error_of_yore")
    assert Told(module_model).streams == whole.streams
    (warning,) = warnings(caplog)
    assert warning.startswith(f"agent-framework-core {installed} was not tested")


@pytest.mark.parametrize("package", ["agent_framework", "agent_framework._tools", "agent_framework.observability"])
def test_a_framework_that_is_half_imported_changes_nothing(package: str) -> None:
    code = f"""
        import sys, types
        sys.modules[{package!r}] = types.ModuleType({package!r})
        import autogen_streamtrace
        autogen_streamtrace.instrument(recorder=False)
        autogen_streamtrace.uninstrument()
        print(vars(sys.modules[{package!r}]).keys() - vars(types.ModuleType("x")).keys())
    """
    environment = {**os.environ, **{f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=40, check=False)
    assert (ended.returncode, ended.stdout) == (0, "set()\n"), ended.stderr
