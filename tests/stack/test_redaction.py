"""Secrets do not pass the Collector; counts of tokens and all of this project's attributes do."""

from collections.abc import Iterator
from typing import Any

import pytest

from autogen_streamtrace.core import semconv

from .collector import CONFIG, FILES, Collector
from .sending import TIMED_OUT, Ids, Sender, event, span
from .server import eventually

SECRET = "hunter2hunter2"
SECRETS: dict[str, Any] = {
    "url.full": f"https://models.example/v1/chat?key={SECRET}&stream=1",
    "url.query": f"key={SECRET}",
    "http.url": f"https://user:{SECRET}@models.example/v1/chat",
    "http.target": f"/v1/chat?key={SECRET}",
    "http.request.header.authorization": [f"Bearer {SECRET}"],
    "http.request.header.cookie": [f"session={SECRET}"],
    "http.response.header.set-cookie": [f"session={SECRET}"],
    "http.request.header.x-api-key": [SECRET],
    "app.access_token": SECRET,
    "app.note": f"sent Bearer {SECRET} along",
    "app.key": f"sk-{SECRET}{SECRET}",
    "db.password": SECRET,
}
HARMLESS: dict[str, Any] = {
    semconv.GEN_AI_INPUT_TOKENS: 17,
    semconv.GEN_AI_OUTPUT_TOKENS: 4711,
    semconv.GEN_AI_TOKEN_TYPE: "input",
    "gen_ai.request.max_tokens": 100,
    semconv.A_CAUSE_CHAIN: ["openai.APIConnectionError", "httpx2.ReadError"],
    semconv.A_WAITING_ON_NAME: "token.example",
    semconv.A_CANCELLED_BY: "token",
    semconv.SERVER_ADDRESS: "models.example",
    "http.response.header.x-request-id": ["req_4711"],
    "url.path": "/v1/chat",
}


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """The attributes of one span and of one log record, after the Collector."""
    ids = Ids("redaction")
    with Collector(tmp_path_factory.mktemp("redaction"), CONFIG, FILES) as collector:
        sender = Sender(collector.http_port)
        sender.spans(span(ids, ids.trace(), {**TIMED_OUT, **SECRETS, **HARMLESS}))
        sender.events(event(semconv.E_END, f"ended at https://a.example/?key={SECRET}", {**SECRETS, **HARMLESS}))
        eventually(lambda: collector.spans() and collector.logs(), what="both")
        (told,), (logged,) = collector.spans(), collector.logs()
        sender.close()
        yield {"span": told.attributes, "log": {**logged.attributes, "body": logged.data["body"]["stringValue"]}}


@pytest.mark.parametrize("signal", ["span", "log"])
@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_does_not_pass(passed: dict[str, dict[str, Any]], signal: str, key: str) -> None:
    assert SECRET not in str(passed[signal][key])


@pytest.mark.parametrize("signal", ["span", "log"])
@pytest.mark.parametrize("key", HARMLESS)
def test_what_is_harmless_passes_as_it_is(passed: dict[str, dict[str, Any]], signal: str, key: str) -> None:
    assert passed[signal][key] == HARMLESS[key]


def test_a_url_keeps_what_stands_before_its_query(passed: dict[str, dict[str, Any]]) -> None:
    assert passed["span"]["url.full"] == "https://models.example/v1/chat****"


def test_a_sentence_keeps_its_words(passed: dict[str, dict[str, Any]]) -> None:
    assert passed["log"]["body"] == "ended at https://a.example/****"
