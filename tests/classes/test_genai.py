"""What the GenAI conventions ask of ``chat``, ``invoke_agent``, ``execute_tool`` and ``invoke_workflow``."""

from typing import Any

import pytest
from autogen_core.models import UserMessage
from harness import HOST, MODEL_NAME, TASK, TEAM_NAME, TOOL_NAME, Program, Stream, read, tool, turn, watch
from pydantic import BaseModel


class Answer(BaseModel):
    paid: bool


def gen_ai(stream: Stream) -> dict[str, Any]:
    return {key: value for key, value in stream.attributes.items() if key.startswith("gen_ai.")}


def test_a_chat_names_the_operation_the_provider_and_the_model() -> None:
    model = watch(turn("ok")).one("model")
    assert model.span.name == f"chat {MODEL_NAME}"
    assert model.span.kind.name == "CLIENT"
    assert (
        gen_ai(model).items()
        >= {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": MODEL_NAME,
            "gen_ai.request.stream": True,
            "gen_ai.response.finish_reasons": ("stop",),
        }.items()
    )


def test_a_chat_names_the_server() -> None:
    seen = watch(turn("ok"))
    assert (seen.one("model")["server.address"], seen.one("model")["server.port"]) == (
        HOST,
        seen.one("http")["server.port"],
    )


def test_the_parameters_of_the_client_are_recorded() -> None:
    options = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "seed": 3, "stop": ["END"], "frequency_penalty": 0.1}
    model = watch(turn("ok", **options)).one("model")
    assert (
        gen_ai(model).items()
        >= {
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.top_p": 0.9,
            "gen_ai.request.max_tokens": 7,
            "gen_ai.request.seed": 3,
            "gen_ai.request.stop_sequences": ("END",),
            "gen_ai.request.frequency_penalty": 0.1,
        }.items()
    )


def test_a_calls_own_parameters_win_over_the_clients() -> None:
    async def body(program: Program) -> None:
        client = program.client("ok", temperature=0.5)
        messages = [UserMessage(content=TASK, source="user")]
        await read(client.create_stream(messages, extra_create_args={"temperature": 0.0}))

    assert watch(body).one("model")["gen_ai.request.temperature"] == 0.0


def test_parameters_that_were_not_given_are_left_out() -> None:
    model = watch(turn("ok")).one("model")
    assert [key for key in gen_ai(model) if key.startswith("gen_ai.request.")] == [
        "gen_ai.request.model",
        "gen_ai.request.stream",
    ]


@pytest.mark.parametrize("asked", [True, Answer])
def test_a_json_answer_is_an_output_type(asked: Any) -> None:
    async def body(program: Program) -> None:
        client = program.client("ok")
        await client.create([UserMessage(content=TASK, source="user")], json_output=asked)

    stream = watch(body, origins=None).one("model")
    assert stream["gen_ai.output.type"] == "json"
    assert stream["gen_ai.request.stream"] is None


def test_an_agents_turn_names_the_agent_and_what_it_is_for() -> None:
    agent = watch(turn("ok")).one("agent")
    assert agent.span.name == "invoke_agent clerk"
    assert gen_ai(agent) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "clerk",
        "gen_ai.agent.description": "An agent that provides assistance with ability to use tools.",
    }


def test_no_conversation_is_invented() -> None:
    assert not any("gen_ai.conversation.id" in stream.attributes for stream in watch(turn("ok")).streams)


def test_a_tool_call_names_the_tool_and_the_call() -> None:
    async def answers() -> str:
        return "paid"

    async def body(program: Program) -> None:
        await read(program.turn("tool_call", tools=[tool(answers)]))

    called = watch(body).one("tool")
    assert called.span.name == f"execute_tool {TOOL_NAME}"
    assert gen_ai(called) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": TOOL_NAME,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "Fetches a claim.",
        "gen_ai.tool.call.id": called["gen_ai.tool.call.id"],
    }
    assert called["gen_ai.tool.call.id"]


def test_a_team_is_a_workflow() -> None:
    async def body(program: Program) -> None:
        await read(program.duo("ok").run_stream(task=TASK))

    team = watch(body).one("team")
    assert team.span.name == f"invoke_workflow {TEAM_NAME}"
    assert gen_ai(team) == {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": TEAM_NAME}


def test_a_reply_is_named_as_the_provider_names_it() -> None:
    model = watch(turn("ok")).one("model")
    assert (model["gen_ai.response.id"], model["gen_ai.response.model"]) == ("chatcmpl-1", "gpt-4o-2024-08-06")


def test_a_cut_reply_has_its_id_too() -> None:
    model = watch(turn("fin")).one("model")
    assert (model["streamtrace.outcome"], model["gen_ai.response.id"]) == ("disconnected", "chatcmpl-1")
    assert model["gen_ai.response.finish_reasons"] == ("error",)
