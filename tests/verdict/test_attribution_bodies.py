"""What a reply's body says, and what becomes of it in the layers above."""

import asyncio

import pytest
from attribution_streams import DONE, HALF, Streams, delivers, error, origins, outcomes, told
from wire_replies import (
    ANTHROPIC_ID,
    ANTHROPIC_MODEL,
    OLLAMA_MODEL,
    OPENAI_ID,
    OPENAI_MODEL,
    anthropic,
    anthropic_end,
    anthropic_start,
    event,
    ollama,
    ollama_end,
    openai,
    openai_usage,
)

from autogen_streamtrace.core.stream.state import StreamState


@pytest.fixture
def streams() -> Streams:
    return Streams()


Said = tuple[str | None, str | None, int | None, int | None]
"""The reply's id and model, and the tokens of the request and of the reply."""


def said(state: StreamState) -> Said:
    return state.response_id, state.response_model, state.input_tokens, state.output_tokens


LONG = 100
BODIES: list[tuple[str, list[bytes], Said]] = [
    ("openai", [openai("Hi"), openai("", "stop"), openai_usage(), DONE], (OPENAI_ID, OPENAI_MODEL, 3, 12)),
    ("openai, long", [openai("word ")] * LONG + [openai("", "stop"), openai_usage()], (OPENAI_ID, OPENAI_MODEL, 3, 12)),
    ("openai, cut", [openai("word ")] * LONG, (OPENAI_ID, OPENAI_MODEL, None, None)),
    ("openai, counted as it goes", [openai("Hi", usage={"completion_tokens": 1})], (OPENAI_ID, OPENAI_MODEL, None, 1)),
    (
        "azure, whose first event names nothing",
        [event({"id": "", "model": "", "choices": [], "prompt_filter_results": ["x" * 150]})]
        + [openai("word ")] * LONG,
        (OPENAI_ID, OPENAI_MODEL, None, None),
    ),
    (
        "anthropic",
        [anthropic_start(), anthropic("Hi"), anthropic_end("end_turn")],
        (ANTHROPIC_ID, ANTHROPIC_MODEL, 25, 9),
    ),
    ("anthropic, cut", [anthropic_start(), anthropic("Hi")], (ANTHROPIC_ID, ANTHROPIC_MODEL, 25, None)),
    (
        "anthropic, long and cut",
        [anthropic_start(), *[anthropic("word ")] * LONG],
        (ANTHROPIC_ID, ANTHROPIC_MODEL, 25, None),
    ),
    ("ollama", [ollama("Hi"), ollama_end()], (None, OLLAMA_MODEL, 26, 298)),
    ("ollama, long", [ollama("word ")] * LONG + [ollama_end()], (None, OLLAMA_MODEL, 26, 298)),
    ("ollama, cut", [ollama("Hi")], (None, OLLAMA_MODEL, None, None)),
    ("nothing", [], (None, None, None, None)),
    (
        "nonsense",
        [event({"id": 7, "model": ["m"], "choices": [], "usage": {"prompt_tokens": -1, "completion_tokens": 10**30}})],
        (None, None, None, None),
    ),
]


@pytest.mark.parametrize(("body", "expected"), [each[1:] for each in BODIES], ids=[each[0] for each in BODIES])
@pytest.mark.parametrize("how", ["ends", "is cut", "is stopped with its agent"])
def test_a_model_stream_knows_what_its_body_said(streams: Streams, body: list[bytes], expected: Said, how: str) -> None:
    agent, model, http = streams.turn()
    for part in body:
        streams.arrives(http, part)
    if how == "ends":
        streams.returns(http, model, agent)
    elif how == "is cut":
        streams.raises(error("httpx.ReadError"), http, model, agent)
    else:
        streams.raises(asyncio.CancelledError(), http, model, agent)
    assert said(model) == expected
    assert said(http) == expected


def test_what_the_clients_result_says_of_tokens_counts_before_the_body(streams: Streams) -> None:
    _, model, http = streams.turn()
    streams.arrives(http, openai("", "stop") + openai_usage(3, 12) + DONE)
    streams.returns(http)
    model.input_tokens, model.output_tokens = 5, None
    streams.returns(model)
    assert said(model) == (OPENAI_ID, OPENAI_MODEL, 5, 12)


def test_the_last_attempt_is_what_was_spent(streams: Streams) -> None:
    _, model, first = streams.turn()
    streams.arrives(first, openai("Hi", usage={"completion_tokens": 1}))
    streams.raises(error("httpx.ReadError"), first)
    second = streams.start("http", model)
    streams.arrives(second, openai("", "stop") + openai_usage(4, 13) + DONE)
    streams.returns(second, model)
    assert said(model)[2:] == (4, 13)


def test_an_id_is_exported_whatever_the_provider_sends(streams: Streams) -> None:
    _, model, http = streams.turn()
    streams.arrives(http, b'data: {"id": "\\ud83d' + b"x" * 999 + b'", "model": "m"}\n\n' + DONE)
    streams.returns(http, model)
    assert model.response_id == "?" + "x" * 127


ERROR_EVENT = event({"error": {"message": "overloaded"}})


def test_an_error_event_that_the_client_ignores_is_the_models_rejection(streams: Streams) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, HALF + ERROR_EVENT)
    streams.returns(http, model, agent)
    assert outcomes(agent, model, http) == ["rejected", "rejected", "completed"]
    assert origins(agent, model, http) == ["model"]
    assert told(model).ended_by == "upstream"


@pytest.mark.parametrize("http_ends", ["returned", "closed"])
def test_an_error_event_that_the_client_raises_is_one_cut(streams: Streams, http_ends: str) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, HALF + ERROR_EVENT)
    streams.ends(http, http_ends)
    streams.raises(error("openai.APIError"), model, agent)
    assert origins(agent, model, http) == ["model"]
    assert outcomes(agent, model) == ["rejected", "rejected"]


def test_a_body_that_ended_in_the_middle_of_an_event_is_one_cut(streams: Streams) -> None:
    """Ollama's client reads the last line when the body has ended, and cannot parse it."""
    agent, model, http = streams.turn()
    streams.arrives(http, HALF + b'{"model": "llama3", "mess')
    streams.returns(http)
    streams.raises(error("json.decoder.JSONDecodeError"), model, agent)
    assert outcomes(agent, model, http) == ["malformed"] * 3
    assert origins(agent, model, http) == ["model"]


@pytest.mark.parametrize("ending", ["returned", "raised", "cancelled", "closed", "goes on", "waits"])
def test_a_body_that_ended_in_silence_is_truncated_whatever_else_happens_above(streams: Streams, ending: str) -> None:
    agent, model, http = streams.turn()
    streams.arrives(http, HALF)
    streams.returns(http)
    if ending == "returned":
        streams.returns(model, agent)
        assert outcomes(agent, model) == ["truncated"] * 2
    elif ending == "raised":
        streams.raises(ValueError(), model, agent)
    elif ending == "closed":
        streams.closes(agent)
    elif ending == "cancelled":
        streams.raises(asyncio.CancelledError(), model, agent)
    else:
        if ending == "goes on":
            delivers(model)
        streams.ticks(0 if ending == "goes on" else 60)
    assert outcomes(http) == ["truncated"]
    assert told(http).origin
