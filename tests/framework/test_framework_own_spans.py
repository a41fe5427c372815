"""Agent Framework's own spans are replaced, its metrics are not doubled, and its switches are respected."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import agent_framework
import pytest
from harness import TASK, TOOL_NAME, Program, Seen, instrumented, watch
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from programs.framework import WAYS, agent, telemetry, tool

import autogen_streamtrace
from autogen_streamtrace.commands.chaos.model_server import ModelServer

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def one_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """The framework's spans and ours go to the same place."""

    def provider() -> Any:
        watch = autogen_streamtrace.Instrumentor().watch
        return watch._providers.tracer_provider if watch is not None else trace.NoOpTracerProvider()

    monkeypatch.setattr(trace, "get_tracer_provider", provider)


async def approve() -> str:
    trace.get_current_span().set_attribute("programs.own", "kept")
    return "approved"


async def office(program: Program) -> None:
    """A workflow of an agent with a tool, which is called in the first of two runs."""
    clerk = agent(program, "tool_call", tools=[tool(approve)], description="Answers.")
    workflow = agent_framework.WorkflowBuilder(start_executor=clerk).build()
    await workflow.run(TASK)
    async for _ in workflow.run(TASK, stream=True):
        pass


def children(seen: Seen, of: Any) -> list[str]:
    return sorted(
        span.name.split()[0] for span in seen.spans if span.parent and span.parent.span_id == of.context.span_id
    )


@pytest.fixture(params=[False, True], ids=["telemetry off", "telemetry on"])
def own(request: pytest.FixtureRequest) -> Iterator[bool]:
    with telemetry(on=request.param):
        yield request.param


def test_each_layer_has_one_span_inside_the_other(own: bool) -> None:
    seen = watch(office)
    names = [span.name.split()[0] for span in seen.spans]
    assert {name: names.count(name) for name in ("invoke_workflow", "invoke_agent", "chat", "execute_tool")} == {
        "invoke_workflow": 2,
        "invoke_agent": 2,
        "chat": 3,
        "execute_tool": 1,
    }
    assert "workflow.run" not in names
    for team in seen.of("team"):
        kept = ["edge_group.process", "executor.process"] if own else []
        assert children(seen, team.span) == sorted(["invoke_agent", *kept])
    turns = [[name for name in children(seen, turn.span) if name != "message.send"] for turn in seen.of("agent")]
    assert turns == [["chat", "chat", "execute_tool"], ["chat"]]


def test_what_a_program_writes_on_the_current_span_is_on_its_tools(own: bool) -> None:
    seen = watch(office)
    assert [stream["programs.own"] for stream in seen.of("tool", TOOL_NAME)] == ["kept"]


def test_what_the_framework_knows_beside_is_on_ours() -> None:
    with telemetry(on=True):
        seen = watch(office)
    for turn in seen.of("agent"):
        assert turn["gen_ai.agent.id"]
        assert turn["gen_ai.provider.name"] == "microsoft.agent_framework"
        assert turn["gen_ai.usage.output_tokens"] > 0
        assert turn["gen_ai.tool.definitions"] is None
    for model in seen.of("model"):
        assert model["gen_ai.response.finish_reasons"] in [("tool_calls",), ("stop",)]


@pytest.mark.parametrize("way", WAYS)
def test_contents_are_recorded_where_the_frameworks_switch_asks_for_them(way: str) -> None:
    async def body(program: Program) -> None:
        await WAYS[way](agent(program, "ok"), "Is it approved?")
        await program.close()

    with ModelServer() as server, instrumented() as applied, telemetry(on=True, sensitive=True):
        asyncio.run(body(Program(server, trace.get_tracer("the program"))))
        seen = applied.seen()
    for stream in (*seen.of("agent"), *seen.of("model")):
        (asked,) = json.loads(stream["gen_ai.input.messages"])
        assert asked["parts"][0]["content"] == "Is it approved?"
        assert json.loads(stream["gen_ai.output.messages"])


def test_metrics_of_the_same_name_come_from_us_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr("opentelemetry.metrics._internal.get_meter_provider", lambda: provider)

    async def body(program: Program) -> None:
        for fault, way in (("ok", "streamed"), ("ok", "awaited"), ("fin", "streamed"), ("http_500", "awaited")):
            try:
                await WAYS[way](agent(program, fault, tools=[tool(approve)]))
            except agent_framework.AgentFrameworkException:
                pass
        await WAYS["awaited"](agent(program, "tool_call", tools=[tool(approve)]))

    with telemetry(on=True):
        watch(body, origins=2)
    data = reader.get_metrics_data()
    scopes = [scope for resource in (data.resource_metrics if data else ()) for scope in resource.scope_metrics]
    names = {metric.name for scope in scopes for metric in scope.metrics if scope.scope.name == "agent_framework"}
    assert names == {"agent_framework.function.invocation.duration"}
    provider.shutdown()


def test_afterwards_its_own_spans_are_back() -> None:
    from agent_framework import observability

    before = observability._start_streaming_span
    with instrumented():
        assert observability._start_streaming_span is not before
    assert observability._start_streaming_span is before
