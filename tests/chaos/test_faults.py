"""Each fault, as a plain client sees it over HTTP/1.1 and HTTP/2, before the model of our own or an upstream."""

import gzip
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from chaos.chaotic import CHAT, Proxy, Seen, client, proxy, see

from autogen_streamtrace.commands.chaos.faults import FAULTS
from autogen_streamtrace.commands.chaos.model_server import ModelServer

pytestmark = pytest.mark.once
PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer() as started:
        yield started


@pytest.fixture(scope="module")
def own() -> Iterator[Proxy]:
    with proxy() as started:
        yield started


@pytest.fixture(scope="module")
def before(model: ModelServer) -> Iterator[Proxy]:
    with proxy(upstream=f"http://127.0.0.1:{model.port}") as started:
        yield started


@pytest.fixture(params=["own", "before"])
def through(request: pytest.FixtureRequest) -> Proxy:
    found: Proxy = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["1.1", "2"])
def version(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def words(seen: Seen) -> str:
    """The text that arrived."""
    found = re.findall(rb'"content": "([^"]*)"', seen.body)
    return b"".join(found).decode()


CUT = {
    # fault: status, the client's exception over HTTP/1.1 and over HTTP/2
    "fin": (200, "RemoteProtocolError", "RemoteProtocolError"),
    "rst": (200, "ReadError", "ReadError"),
    "rst_stream": (200, "RemoteProtocolError", "RemoteProtocolError"),
    "goaway": (200, "RemoteProtocolError", "RemoteProtocolError"),
    "silent": (200, "", ""),
    "half_event": (200, "", ""),
    "bad_json": (200, "", ""),
    "error_event": (200, "", ""),
}


@pytest.mark.parametrize("fault", CUT)
def test_a_cut_comes_after_six_words_and_in_its_own_way(through: Proxy, version: str, fault: str) -> None:
    seen = see(through.url + PATH, version, **{"x-streamtrace-fault": fault})
    assert (seen.status, seen.error) == (CUT[fault][0], CUT[fault][1 if version == "1.1" else 2])
    assert words(seen) == "Your claim has arrived and will "
    assert b"[DONE]" not in seen.body


@pytest.mark.parametrize("fault", ["none", "gzip", "drip size=200 pause=1ms", "burst size=500", "hold_back"])
def test_a_reply_that_is_only_reshaped_arrives_whole(through: Proxy, version: str, fault: str) -> None:
    asked = {"x-streamtrace-fault": fault}
    assert see(through.url + PATH, version, **asked).error == ""
    with client(version) as http:
        assert http.post(through.url + PATH, json=CHAT, headers=asked).text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(("after", "text"), [("0", ""), ("2", "Your claim "), ("11c", "Your claim "), ("99", None)])
def test_the_place_is_counted_in_what_the_reply_says(own: Proxy, after: str, text: str | None) -> None:
    seen = see(own.url + PATH, **{"x-streamtrace-fault": f"silent after={after}"})
    assert words(seen) == (
        text if text is not None else "Your claim has arrived and will be paid within five working days. "
    )


def test_a_reply_that_is_over_before_the_place_is_told_so(own: Proxy) -> None:
    see(own.url + PATH, **{"x-streamtrace-fault": "fin after=99"})
    assert own.last().end == "not reached"


def test_a_client_that_leaves_before_the_place_is_told_so(own: Proxy) -> None:
    asked = {"x-streamtrace-fault": "fin after=99"}
    with client() as http, http.stream("POST", f"{own.url}/slow/99{PATH}", json=CHAT, headers=asked) as response:
        next(response.iter_raw())
    assert own.ended().end == "client left"


def test_a_silence_of_some_seconds_ends_and_the_reply_goes_on(own: Proxy) -> None:
    began = time.monotonic()
    seen = see(own.url + PATH, **{"x-streamtrace-fault": "stall seconds=0.4 after=1"})
    assert b"[DONE]" in seen.body
    assert time.monotonic() - began > 0.4


@pytest.mark.parametrize("fault", ["stall", "stall_before_headers", "done_hang"])
def test_a_silence_lasts_until_the_client_gives_up(through: Proxy, fault: str) -> None:
    with client(timeout=0.7) as http, pytest.raises(Exception, match="timed out"):
        http.post(through.url + PATH, json=CHAT, headers={"x-streamtrace-fault": fault})


@pytest.mark.parametrize("code", [429, 503, 529])
def test_a_refusal_has_the_status_and_what_to_wait(through: Proxy, version: str, code: int) -> None:
    seen = see(through.url + PATH, version, **{"x-streamtrace-fault": f"http_{code} retry_after=2"})
    assert (seen.status, seen.headers["retry-after"]) == (code, "2")


ERRORS: dict[str, tuple[str, Any]] = {
    "/v1/chat/completions": ("error", dict),
    "/v1/responses": ("error", dict),
    "/v1/messages": ("error", dict),
    "/api/chat": ("error", str),
    "/v1beta/models/gemini-2.5-flash:streamGenerateContent": ("error", dict),
}


@pytest.mark.parametrize("path", ERRORS)
def test_errors_have_the_shape_of_the_api(own: Proxy, path: str) -> None:
    key, kind = ERRORS[path]
    seen = see(own.url + path, **{"x-streamtrace-fault": "http_529"})
    assert isinstance(json.loads(seen.body)[key], kind)
    streamed = see(own.url + path, **{"x-streamtrace-fault": "error_event"})
    assert b"overloaded" in streamed.body


def test_a_compressed_body_is_cut_within_its_compression(own: Proxy) -> None:
    seen = see(own.url + PATH, **{"x-streamtrace-fault": "gzip_cut"})
    with pytest.raises(EOFError):
        gzip.decompress(seen.body)


def test_an_unstreamed_document_is_cut_in_its_middle(before: Proxy) -> None:
    plain = {**CHAT, "stream": False}
    whole = see(before.url + PATH, asked=plain, **{"x-streamtrace-fault": "none"})
    seen = see(before.url + PATH, asked=plain, **{"x-streamtrace-fault": "silent after=1s"})
    assert json.loads(whole.body)["choices"]
    assert whole.body.startswith(seen.body) and len(seen.body) < len(whole.body)


def test_a_page_comes_where_a_stream_was_asked_for(through: Proxy) -> None:
    seen = see(through.url + PATH, **{"x-streamtrace-fault": "no_stream"})
    assert (seen.status, seen.headers["content-type"].partition(";")[0]) == (200, "text/html")


def test_a_fault_that_does_not_exist_is_refused_by_name(own: Proxy) -> None:
    seen = see(own.url + PATH, **{"x-streamtrace-fault": "fim"})
    assert seen.status == 400
    assert b"unknown fault 'fim'; known are none, stall" in seen.body


def test_every_fault_of_the_table_is_tried_here_or_in_the_demo() -> None:
    tried = {*CUT, "none", "gzip", "gzip_cut", "drip", "burst", "hold_back", "stall", "stall_before_headers"}
    tried |= {"done_hang", "no_stream", "retry", "gzip_silent"}
    assert {name for name in FAULTS if not name.startswith("http_")} == tried
