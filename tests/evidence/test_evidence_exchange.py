"""What is recorded of an exchange beside its body: its connection, how its body ended, whose refusal it is."""

import asyncio
import logging
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import pytest
from harness import HTTPX, NEVER, READ_TIMEOUT, Program, Stream, watch
from harness.raw_server import Then, raw_server

from autogen_streamtrace import neighbours
from autogen_streamtrace.neighbours import Private, httpcore

CLIENT: Final[Any] = import_module(HTTPX)
EVENT: Final = b'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":null}]}\n\n'
HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
WHOLE: Final = HEAD + b"Content-Length: 2\r\nServer: uvicorn\r\n\r\nok"
CHUNK: Final = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
CHUNKED: Final = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK
ANSWERS: Final[dict[str, tuple[bytes, Then]]] = {
    "length": (WHOLE, "keep"),
    "last chunk": (CHUNKED + b"0\r\n\r\n", "keep"),
    "no framing": (HEAD + b"\r\n" + EVENT, "fin"),
    "no last chunk": (CHUNKED, "fin"),
    "reset": (CHUNKED, "reset"),
    "nothing": (b"", "fin"),
    "nothing, reset": (b"", "reset"),
    "short of its length": (HEAD + b"Content-Length: 99\r\n\r\nok", "fin"),
    "silence": (CHUNKED, "keep"),
}
CLOSES: Final = {
    "length": "finished",
    "last chunk": "finished",
    "no framing": "unframed",
    "no last chunk": "fin",
    "reset": "reset",
    "nothing": "fin",
    "nothing, reset": "reset",
    "short of its length": "fin",
    "silence": "local",
}


PAUSE: Final = 0.2
"""Seconds between two exchanges on one connection."""
RESTED: Final = 0.95 * PAUSE
"""Seconds for which it rests at least: uvloop may be a millisecond early."""


async def ask(url: str, times: int = 1, pause: float = 0.0, silence: float = NEVER) -> None:
    """Asks on one client, and reads the whole body each time. It bears so many seconds of silence."""
    async with CLIENT.AsyncClient(timeout=CLIENT.Timeout(NEVER, read=silence)) as client:
        for _ in range(times):
            await client.get(url)
            await asyncio.sleep(pause)


def ask_in_turn(url: str, times: int = 1, pause: float = 0.0, silence: float = NEVER) -> None:
    """The same, synchronously."""
    with CLIENT.Client(timeout=CLIENT.Timeout(NEVER, read=silence)) as client:
        for _ in range(times):
            client.get(url)
            time.sleep(pause)


def exchanges(asking: Callable[..., Any], *answers: tuple[bytes, Then], **more: Any) -> list[Stream]:
    """What is told of them, oldest first."""
    with raw_server(*answers) as url:

        async def body(program: Program) -> None:
            asked = asking(url, times=len(answers), **more)
            if asked is not None:
                await asked

        return [each for each in watch(body).streams if each.layer == "http"]


both = pytest.mark.parametrize("asking", [ask, ask_in_turn], ids=["async", "sync"])


@both
@pytest.mark.parametrize("answer", ANSWERS)
def test_how_a_body_ended(asking: Callable[..., Any], answer: str) -> None:
    (http,) = exchanges(asking, ANSWERS[answer], silence=READ_TIMEOUT if answer == "silence" else NEVER)
    assert http["close.type"] == CLOSES[answer]


def test_a_body_that_its_reader_leaves_is_closed_by_this_process() -> None:
    async def leave(url: str, times: int) -> None:
        async with CLIENT.AsyncClient() as client, client.stream("GET", url) as response:
            async for _ in response.aiter_raw():
                break

    (http,) = exchanges(leave, ANSWERS["silence"])
    assert http["close.type"] == "local"


@both
def test_a_connection_is_fresh_at_first_and_kept_later(asking: Callable[..., Any]) -> None:
    first, second, third = exchanges(asking, (WHOLE, "keep"), (WHOLE, "keep"), (WHOLE, "fin"), pause=PAUSE)
    assert [each["connection.reused"] for each in (first, second, third)] == [False, True, True]
    assert [each["connection.requests"] for each in (first, second, third)] == [1, 2, 3]
    assert first["connection.idle"] is None
    assert RESTED <= third["connection.idle"] <= third["connection.age"] - RESTED, "the second one used it in between"
    assert len({each["network.local.port"] for each in (first, second, third)}) == 1
    assert {each["network.protocol.version"] for each in (first, second, third)} == {"1.1"}


@both
def test_a_kept_connection_that_is_closed_without_an_answer_is_known(asking: Callable[..., Any]) -> None:
    _, lost = exchanges(asking, (WHOLE, "keep"), (b"", "fin"), pause=PAUSE)
    assert lost["outcome"] == "disconnected"
    assert (lost["connection.reused"], lost["connection.requests"], lost["close.type"]) == (True, 2, "fin")
    assert RESTED <= lost["connection.idle"] <= lost["connection.age"]
    assert lost["time_to_headers"] is None


@both
def test_a_fresh_connection_that_is_closed_without_an_answer_is_fresh(asking: Callable[..., Any]) -> None:
    (lost,) = exchanges(asking, (b"", "fin"))
    assert (lost["connection.reused"], lost["connection.requests"]) == (False, 1)


@pytest.mark.parametrize(
    ("body", "within"),
    [
        (EVENT, False),
        (EVENT[:-1], True),
        (EVENT + b"data: {", True),
        (EVENT.replace(b"\n", b"\r\n"), False),
        (b"", False),
    ],
    ids=["between two", "without its empty line", "in a line", "with CR LF", "before the first"],
)
def test_a_model_s_reply_is_cut_inside_an_event_or_between_two(body: bytes, within: bool) -> None:
    with raw_server((HEAD + b"Content-Length: 9999\r\n\r\n" + body, "fin")) as url:

        async def turn(program: Program) -> None:
            async for _ in program.turn(f"{url}/v1"):
                pass

        http = watch(turn).one("http")
    assert (http["close.type"], http["close.within_event"]) == ("fin", within)


def test_where_no_connection_came_about_none_is_told(refusing: str) -> None:
    async def body(program: Program) -> None:
        await ask(refusing)

    http = watch(body).one("http")
    assert http["close.type"] is None
    assert http["connection.reused"] is None


def test_a_connection_older_than_the_watch_is_no_fresh_one() -> None:
    with raw_server((WHOLE, "keep"), (WHOLE, "keep")) as url, CLIENT.Client() as client:
        client.get(url)

        async def body(program: Program) -> None:
            client.get(url)

        http = watch(body).one("http")
    assert (http["connection.reused"], http["connection.requests"]) == (True, 2)
    assert http["connection.age"] is None


def test_a_connection_whose_private_names_are_gone_costs_but_that_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    for private in (httpcore.NETWORK_STREAM, httpcore.REQUEST_COUNT):
        monkeypatch.setattr(private, "attribute", "_of_yore")
    _, lost = exchanges(ask, (WHOLE, "keep"), (b"", "fin"))
    assert lost["outcome"] == "disconnected"
    assert lost["close.type"] == "fin"
    assert lost["connection.reused"] is None


@pytest.mark.parametrize("private", [httpcore.REQUEST_COUNT, httpcore.BODY, httpcore.POOLED, httpcore.CARRIED], ids=str)
def test_a_connection_older_than_the_watch_counts_as_fresh_without_a_private_name(
    private: Private, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(private, "attribute", "_of_yore")
    monkeypatch.setattr(neighbours, "_said", set())
    with raw_server((WHOLE, "keep"), (WHOLE, "keep")) as url, CLIENT.Client() as client:
        client.get(url)

        async def body(program: Program) -> None:
            client.get(url)

        http = watch(body).one("http")
    assert (http["connection.reused"], http["connection.requests"]) == (False, 1)
    said = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    (warning,) = [message for message in said if "has no" in message]
    package = private.package + ("2" if CLIENT.__name__ == "httpx2" else "")
    assert warning.startswith(f"{package} {neighbours.version(package)} has no ")
    assert f".{private.attribute}: {private.without}" in warning


def refused(*answers: bytes) -> Stream:
    """The last of some exchanges."""
    return exchanges(ask, *((answer, "keep") for answer in answers))[-1]


HAPROXY: Final = b"<html><body><h1>504 Gateway Time-out</h1>\nThe server didn't respond in time.\n</body></html>\n"
REFUSAL: Final = b"HTTP/1.1 504 Gateway Time-out\r\ncontent-length: %d\r\ncontent-type: text/html\r\n\r\n%s" % (
    len(HAPROXY),
    HAPROXY,
)
THROUGH_NGINX: Final = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"
)


def test_a_refusal_says_whose_page_it_is_and_what_it_lacks() -> None:
    http = refused(THROUGH_NGINX, REFUSAL)
    assert http["refusal.page"] == "haproxy"
    assert http["refusal.missing"] == ("nginx",)
    assert http["intermediaries"] == ("haproxy",)
    assert http["intermediary"] == "haproxy"


def test_a_refusal_lacks_only_what_all_good_answers_name() -> None:
    assert refused(WHOLE, THROUGH_NGINX, REFUSAL)["refusal.missing"] is None


def test_a_good_answer_says_nothing_of_refusals_and_names_the_server() -> None:
    http = refused(WHOLE)
    assert http["refusal.page"] is None
    assert http["refusal.missing"] is None
    assert http["upstream_server"] == "uvicorn"
    assert 0 < http["time_to_headers"] < 20


@pytest.mark.parametrize("secret", ["Bearer", "didn't respond", "x-secret"])
def test_nothing_else_of_headers_and_pages_is_told(secret: str) -> None:
    answer = REFUSAL.replace(b"content-type", b"x-secret: Bearer\r\ncontent-type")
    assert secret not in str(refused(answer).attributes)


def test_the_longest_silence_of_a_good_answer_is_known_to_those_after_it() -> None:
    whole = CHUNKED + CHUNK + b"0\r\n\r\n"
    with raw_server((whole, "keep"), (CHUNKED, "fin")) as url:

        async def body(program: Program) -> None:
            await ask(url)
            await ask(url)

        first, second = watch(body).of("http")
    assert first["survived_silence"] == second["survived_silence"]
    assert first["survived_silence"] == first["longest_gap"] > 0
