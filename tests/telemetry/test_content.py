"""Contents of messages: recorded where the operator asks for it, and nowhere else."""

import json
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from autogen_core import FunctionCall
from autogen_core.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    SystemMessage,
    UserMessage,
)
from harness import MODEL_NAME, TASK, Program, Seen, Stream, read, tool, turn, watch
from harness.checks import CONTENTS

from autogen_streamtrace import trace_stream
from autogen_streamtrace.core.evidence import content

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
DETAILS = "gen_ai.client.inference.operation.details"


def contents(attributes: Mapping[str, Any]) -> set[str]:
    return {key for key in attributes if key in CONTENTS}


def texts(stream: Stream, key: str) -> list[Any]:
    """The contents of the text parts of all messages."""
    return [part.get("content") for message in json.loads(stream[key]) for part in message["parts"]]


@pytest.fixture
def mode(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setenv(VARIABLE, request.param)


def everywhere(seen: Seen) -> set[str]:
    found = {key for stream in seen.streams for key in contents(stream.attributes)}
    return found | {key for event in seen.events for key in contents(event.attributes)}


@pytest.mark.parametrize("mode", ["", "false", "NO_CONTENT", "no_content"], indirect=True)
@pytest.mark.usefixtures("mode")
def test_nothing_is_recorded_unless_asked_for() -> None:
    assert everywhere(watch(turn("fin"))) == set()


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("mode", ["true", "SPAN_ONLY", "span_only"], indirect=True)
def test_messages_go_on_spans(mode: None) -> None:
    seen = watch(turn("ok"))
    model, agent = seen.one("model"), seen.one("agent")
    assert texts(model, "gen_ai.input.messages") == [TASK]
    assert json.loads(model["gen_ai.system_instructions"])[0]["type"] == "text"
    reply = json.loads(model["gen_ai.output.messages"])
    assert (reply[0]["role"], reply[0]["finish_reason"]) == ("assistant", "stop")
    assert texts(agent, "gen_ai.output.messages") == texts(model, "gen_ai.output.messages")
    assert texts(agent, "gen_ai.input.messages") == [TASK]
    assert not any(contents(event.attributes) for event in seen.events)


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("mode", ["EVENT_ONLY"], indirect=True)
def test_messages_go_on_events_as_structures() -> None:
    seen = watch(turn("ok"))
    assert not any(contents(stream.attributes) for stream in seen.streams)
    event = next(e for e in seen.events if e.name == DETAILS and e.attributes["gen_ai.operation.name"] == "chat")
    assert event.attributes["gen_ai.input.messages"][0]["parts"][0]["content"] == TASK
    assert event.attributes["gen_ai.request.model"] == MODEL_NAME
    assert event.span_id == seen.one("model").id


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("mode", ["EVENT_ONLY"], indirect=True)
def test_the_message_of_an_exception_goes_on_the_event_of_the_end() -> None:
    seen = watch(turn("fin"))
    end = next(e for e in seen.events if e.name == "streamtrace.end" and e.span_id == seen.one("http").id)
    assert "incomplete chunked read" in end.attributes["exception.message"]


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("mode", ["SPAN_AND_EVENT"], indirect=True)
def test_messages_go_on_both() -> None:
    seen = watch(turn("ok"))
    assert "gen_ai.output.messages" in contents(seen.one("model").attributes)
    assert any("gen_ai.output.messages" in contents(event.attributes) for event in seen.events)


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("mode", ["true"], indirect=True)
def test_of_a_cut_reply_what_had_arrived_is_recorded() -> None:
    came: list[str] = []

    async def body(program: Program) -> None:
        async for item in program.turn("fin"):
            came.extend([item.content] if getattr(item, "type", "") == "ModelClientStreamingChunkEvent" else [])  # type: ignore[attr-defined]

    seen = watch(body)
    assert came
    for stream in (seen.one("model"), seen.one("agent")):
        assert texts(stream, "gen_ai.output.messages") == ["".join(came)]
    assert json.loads(seen.one("model")["gen_ai.output.messages"])[0]["finish_reason"] == "error"
    assert "incomplete chunked read" in seen.one("http")["exception.message"]


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("mode", ["true"], indirect=True)
def test_a_tools_arguments_and_result_are_recorded() -> None:
    async def answers() -> str:
        return "paid"

    async def body(program: Program) -> None:
        await read(program.turn("tool_call", tools=[tool(answers)]))

    seen = watch(body)
    called = seen.one("tool")
    assert list(json.loads(called["gen_ai.tool.call.arguments"])) == ["claim_id"]
    assert called["gen_ai.tool.call.result"] == "paid"
    first, last = seen.of("model")
    assert json.loads(first["gen_ai.tool.definitions"])[0]["name"] == called.name
    assert json.loads(last["gen_ai.input.messages"])[-1]["parts"][0]["response"] == "paid"


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("mode", ["true"], indirect=True)
def test_the_message_of_a_tools_exception_is_recorded() -> None:
    async def fails() -> str:
        raise KeyError("claim 4711")

    async def body(program: Program) -> None:
        await read(program.turn("tool_call", tools=[tool(fails)]))

    assert "claim 4711" in watch(body).one("tool")["exception.message"]


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("mode", ["true"], indirect=True)
def test_a_teams_task_and_answer_are_recorded() -> None:
    async def body(program: Program) -> None:
        await read(program.duo("ok").run_stream(task=TASK))

    team = watch(body).one("team")
    assert texts(team, "gen_ai.input.messages") == [TASK]
    assert texts(team, "gen_ai.output.messages")


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("mode", ["sometimes"], indirect=True)
def test_a_wrong_mode_is_one_warning_and_records_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert everywhere(watch(turn("ok"))) == set()
    warnings = {state.getMessage() for state in caplog.records if VARIABLE in state.getMessage()}
    assert len(warnings) == 1
    assert "'sometimes' is not allowed" in warnings.pop()


def test_a_conversation_has_the_shape_of_the_conventions() -> None:
    call = FunctionCall(id="c1", name="fetch", arguments='{"id": 1}')
    asked = content.of_request(
        [
            SystemMessage(content="Be brief."),
            UserMessage(content="Where?", source="user"),
            AssistantMessage(content=[call], source="clerk", thought="I look it up."),
            FunctionExecutionResultMessage(
                content=[FunctionExecutionResult(content="Here.", name="fetch", call_id="c1", is_error=False)]
            ),
        ]
    ).attributes("model", "")
    assert asked == {
        "gen_ai.system_instructions": [{"type": "text", "content": "Be brief."}],
        "gen_ai.input.messages": [
            {"role": "user", "name": "user", "parts": [{"type": "text", "content": "Where?"}]},
            {
                "role": "assistant",
                "name": "clerk",
                "parts": [
                    {"type": "reasoning", "content": "I look it up."},
                    {"type": "tool_call", "id": "c1", "name": "fetch", "arguments": '{"id": 1}'},
                ],
            },
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "Here."}]},
        ],
    }


def test_no_more_of_a_reply_is_kept_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "LIMIT", 5)
    kept = content.Content()
    for piece in ("abc", "def", "ghi"):
        kept.add(piece)
    assert kept.attributes("model", "")["gen_ai.output.messages"][0]["parts"][0]["content"] == "abcde"


@pytest.mark.own_errors
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("mode", ["true"], indirect=True)
def test_an_item_whose_attributes_fail_is_delivered() -> None:
    class Item:
        @property
        def content(self) -> str:
            raise ValueError("no content")

    item, came = Item(), list[Item]()

    async def source() -> AsyncGenerator[Item, None]:
        yield item

    async def body(program: Program) -> None:
        came.extend([each async for each in trace_stream(source(), "items")])

    assert watch(body).one("stream")["outcome"] == "completed"
    assert came == [item]


def test_what_can_be_iterated_only_once_is_left_to_the_program() -> None:
    messages = iter([UserMessage(content="Where?", source="user")])
    assert content.of_request(messages, iter([])).attributes("model", "") == {}
    assert list(messages)


@pytest.mark.own_errors
def test_a_message_that_cannot_be_read_costs_itself_and_not_the_others() -> None:
    class Unreadable:
        @property
        def content(self) -> str:
            raise ValueError("no content")

    asked = content.of_request([Unreadable(), UserMessage(content="Where?", source="user")])
    (message,) = asked.attributes("model", "")["gen_ai.input.messages"]
    assert message["parts"] == [{"type": "text", "content": "Where?"}]
