"""Streams that the provider, the network or the HTTP client cuts."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final
from unittest import mock

import pytest
from harness import (
    HOST,
    HTTPX,
    OPENAI_3,
    READ_TIMEOUT,
    TASK,
    TRUNCATED,
    Program,
    Seen,
    Told,
    disconnected,
    done,
    origin,
    read,
    timed_out,
    turn,
    watch,
)

UPPER: Final = ("agent", "model")
NO_HOST: Final = "no-such-host.invalid"
LONG: Final = 2.0
"""Seconds: a read timeout that does not strike between two words."""


def assert_cut(seen: Seen, told: Told, arose: str, raised: str, count: int = 3) -> None:
    """Every layer says this, and it arose in that one."""
    assert seen.raised == raised
    if raised:
        assert seen.one("agent").chain[0] == raised
    assert len(seen.streams) == count
    assert {s.layer: s.told for s in seen.streams} == {
        layer: origin(told) if layer == arose else told for layer in ("agent", "model", "http")
    }


def raised(old: str, new: str) -> str:
    """What the program sees with openai 1.x and 3.x."""
    return new if OPENAI_3 else old


def test_silence_in_the_body() -> None:
    seen = watch(turn("stall", timeout=LONG))
    assert_cut(seen, timed_out(LONG), "http", raised("httpx.ReadTimeout", "openai.APITimeoutError"))
    http = seen.one("http")
    assert http["silence"] >= LONG * 0.9
    assert http["chunks"] > 1
    assert http["http.response.status_code"] == 200
    assert http["terminator"] is False
    assert seen.one("model")["gen_ai.response.finish_reasons"] == ("error",)


def test_silence_before_the_headers() -> None:
    seen = watch(turn("stall_before_headers", timeout=READ_TIMEOUT))
    assert_cut(seen, timed_out(), "http", "openai.APITimeoutError")
    http = seen.one("http")
    assert (http["chunks"], http["bytes"], http["time_to_first_chunk"]) == (0, 0, None)
    assert http["http.response.status_code"] is None


@pytest.mark.parametrize("fault", ["stall", "stall_before_headers"])
def test_silence_of_an_unstreamed_reply(fault: str) -> None:
    seen = watch(turn(fault, timeout=READ_TIMEOUT, streaming=False))
    assert_cut(seen, timed_out(), "http", "openai.APITimeoutError")


def test_another_read_timeout_is_told_with_its_own_seconds() -> None:
    seen = watch(turn("stall", timeout=0.2))
    assert seen.told("agent", "model", "http") == [timed_out(0.2), timed_out(0.2), origin(timed_out(0.2))]


def test_connection_refused() -> None:
    with socket.socket() as closed:  # bound, and not listening
        closed.bind((HOST, 0))
        seen = watch(turn(f"http://{HOST}:{closed.getsockname()[1]}/v1"))
    assert_cut(seen, disconnected(f"{HTTPX}.ConnectError"), "http", "openai.APIConnectionError")
    assert "ConnectionRefusedError" in seen.one("http").chain


def test_no_finish_reason_is_made_up_where_inference_never_began() -> None:
    """As the GenAI conventions want it."""
    with socket.socket() as closed:
        closed.bind((HOST, 0))
        seen = watch(turn(f"http://{HOST}:{closed.getsockname()[1]}/v1"))
    assert seen.one("model")["gen_ai.response.finish_reasons"] is None


@contextlib.contextmanager
def unknown(host: str) -> Iterator[None]:
    """Answers for the resolver, whose own timeout a machine without a network would wait for."""
    resolve = socket.getaddrinfo

    def answer(name: Any, *args: Any, **kwargs: Any) -> Any:
        if name in (host, host.encode()):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(name, *args, **kwargs)

    with mock.patch.object(socket, "getaddrinfo", answer):
        yield


def test_host_unknown() -> None:
    with unknown(NO_HOST):
        seen = watch(turn(f"http://{NO_HOST}/v1"))
    assert_cut(seen, disconnected(f"{HTTPX}.ConnectError", NO_HOST), "http", "openai.APIConnectionError")
    assert "socket.gaierror" in seen.one("agent").chain


def test_a_fin_in_the_body() -> None:
    seen = watch(turn("fin"))
    told = disconnected(f"{HTTPX}.RemoteProtocolError")
    assert_cut(seen, told, "http", raised("httpx.RemoteProtocolError", "openai.APIConnectionError"))


def test_a_reset_in_the_body() -> None:
    seen = watch(turn("rst"))
    told = disconnected(f"{HTTPX}.ReadError")
    assert_cut(seen, told, "http", raised("httpx.ReadError", "openai.APIConnectionError"))
    for stream in seen.streams:
        assert stream.chain.index("ConnectionResetError") > stream.chain.index(f"{HTTPX}.ReadError")


@pytest.mark.skipif(not OPENAI_3, reason="openai 1.x raises what its HTTP client does")
def test_the_chain_goes_from_what_the_program_sees_down_to_the_socket() -> None:
    seen = watch(turn("rst"))
    assert seen.one("agent").chain[:2] == ("openai.APIConnectionError", "httpx2.ReadError")
    assert seen.one("http").chain[0] == "httpx2.ReadError"
    assert seen.one("agent").chain[-1] == "ConnectionResetError"


@pytest.mark.parametrize("fault", ["silent", "gzip_silent", "done_text"])
def test_a_clean_end_without_finish_reason_or_terminator(fault: str) -> None:
    seen = watch(turn(fault))
    assert_cut(seen, TRUNCATED, "http", "")
    assert seen.one("http")["terminator"] is False
    assert seen.one("model")["terminator"] is False
    assert seen.one("model")["gen_ai.response.finish_reasons"] == ("error",)


def test_a_truncation_in_a_team_is_the_teams() -> None:
    async def body(program: Program) -> None:
        await read(program.duo("ok", "silent").run_stream(task=TASK))

    seen = watch(body)
    assert seen.raised == ""
    assert seen.one("team").told == TRUNCATED
    assert [http.told for http in seen.of("http")] == [done(), origin(TRUNCATED)]


def test_an_error_event_in_a_200_stream() -> None:
    told = Told("rejected", "upstream", "none", "", "openai.APIError", "model", error_type="openai.APIError")
    seen = watch(turn("error_event"))
    assert_cut(seen, told, "model", "openai.APIError")
    assert seen.one("http")["http.response.status_code"] == 200


def test_an_event_cut_in_two() -> None:
    cause = "json.decoder.JSONDecodeError"
    told = Told("malformed", "upstream", "none", "", cause, "model", error_type=cause)
    assert_cut(watch(turn("bad_json")), told, "model", cause)


STATUS: Final = {
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    429: "RateLimitError",
    500: "InternalServerError",
    504: "InternalServerError",
}


@pytest.mark.parametrize("status", STATUS)
@pytest.mark.parametrize("streaming", [True, False])
def test_an_http_error_status(status: int, streaming: bool) -> None:
    cause = f"openai.{STATUS[status]}"
    seen = watch(turn(f"http_{status}", streaming=streaming))
    told = Told("rejected", "upstream", "http", HOST, cause, "model", error_type=str(status))
    http = Told("rejected", "upstream", "http", HOST, error_type=str(status), origin=True)
    assert seen.raised == cause
    assert seen.told("agent", "model", "http") == [told, told, http]
    assert seen.one("http")["http.response.status_code"] == status
    assert seen.one("model")["attempts"] == 1
