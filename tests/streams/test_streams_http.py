"""HTTP exchanges of httpx or httpx2 outside AutoGen: asynchronous and synchronous, read in every way."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, Final

import pytest
from harness import (
    HOST,
    HTTPX,
    NEVER,
    READ_TIMEOUT,
    TRUNCATED,
    Program,
    Seen,
    Stream,
    Told,
    asked,
    disconnected,
    done,
    left,
    origin,
    struck,
    timed_out,
    watch,
)
from harness.checks import SECRETS
from harness.raw_server import raw_server

CLIENT: Final[Any] = import_module(HTTPX)
ASK: Final = {"stream": True}
SILENCE: Final[Any] = CLIENT.Timeout(NEVER, read=READ_TIMEOUT)


def path(program: Program, fault: str) -> str:
    return f"{program.server.url(*fault.split('/'))}/chat/completions"


async def ask(program: Program, fault: str, read: Callable[[Any], Awaitable[object]], **options: Any) -> None:
    """One request, whose response is left to ``read``."""
    async with (
        CLIENT.AsyncClient(verify=False, **options) as client,
        client.stream("POST", path(program, fault), json=ASK) as response,
    ):
        await read(response)


def ask_sync(program: Program, fault: str, read: Callable[[Any], object], **options: Any) -> None:
    with (
        CLIENT.Client(verify=False, **options) as client,
        client.stream("POST", path(program, fault), json=ASK) as response,
    ):
        read(response)


async def each_chunk(response: Any) -> None:
    async for _ in response.aiter_bytes():
        pass


async def raw(response: Any) -> None:
    async for _ in response.aiter_raw():
        pass


async def lines(response: Any) -> None:
    async for _ in response.aiter_lines():
        pass


async def whole(response: Any) -> None:
    await response.aread()


async def twice(response: Any) -> None:
    await response.aread()
    await response.aread()
    await each_chunk(response)


def fetched(fault: str, read: Callable[[Any], Awaitable[object]], **options: Any) -> Seen:
    return watch(lambda program: ask(program, fault, read, **options))


def fetched_sync(fault: str, read: Callable[[Any], object], **options: Any) -> Seen:
    async def body(program: Program) -> None:
        ask_sync(program, fault, read, **options)

    return watch(body)


def only(seen: Seen) -> Stream:
    assert seen.layers == ["http"]
    assert seen.one("http")["outermost"] is False
    assert seen.one("http").name == HOST
    return seen.one("http")


@pytest.mark.parametrize("read", [each_chunk, raw, lines, whole, twice])
@pytest.mark.parametrize("fault", ["ok", "gzip"])
def test_a_body_that_is_read_to_its_end(fault: str, read: Callable[[Any], Awaitable[object]]) -> None:
    http = only(fetched(fault, read))
    assert http.told == done()
    assert http["bytes"] > 100
    assert http["chunks"] > 5


@pytest.mark.parametrize("fault", ["ok", "gzip"])
@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda response: list(response.iter_bytes()), id="chunks"),
        pytest.param(lambda response: list(response.iter_raw()), id="raw"),
        pytest.param(lambda response: response.read(), id="whole"),
    ],
)
def test_a_body_that_is_read_synchronously(fault: str, read: Callable[[Any], object]) -> None:
    http = only(fetched_sync(fault, read))
    assert http.told == done()
    assert http["bytes"] > 100
    assert http["chunks"] > 5


def test_a_body_that_the_client_itself_reads() -> None:
    async def body(program: Program) -> None:
        async with CLIENT.AsyncClient(verify=False) as client:
            await client.post(path(program, "ok"), json=ASK)

    assert only(watch(body)).told == done()


def test_a_raw_body_that_is_read_twice_raises_as_it_does_without_us_and_counts_once() -> None:
    async def again(response: Any) -> None:
        await raw(response)
        await raw(response)

    seen = fetched("ok", again)
    assert seen.raised.endswith(".StreamConsumed")
    assert only(seen).told == done()


async def nothing(response: Any) -> None:
    """Leaves the body alone."""


async def first(response: Any) -> None:
    async for _ in response.aiter_bytes():
        break


async def drops(response: Any) -> None:
    chunks = response.aiter_bytes()
    await chunks.__anext__()
    del chunks
    gc.collect()


@pytest.mark.parametrize("read", [nothing, first, drops])
def test_a_body_that_is_left(read: Callable[[Any], Awaitable[object]]) -> None:
    """What shows nothing of a model's reply may be left by its reader, who has had enough."""
    http = only(fetched("slow/40", read))
    assert http.told == (done("caller") if read is nothing else origin(left("http")))
    assert http["chunks"] == (0 if read is nothing else 1)


@pytest.mark.parametrize(
    "read",
    [
        pytest.param((lambda response: None, done("caller")), id="unread"),
        pytest.param((lambda response: next(response.iter_bytes()), origin(left("http"))), id="one chunk"),
    ],
)
def test_a_body_that_is_left_synchronously(read: tuple[Callable[[Any], object], Told]) -> None:
    assert only(fetched_sync("slow/40", read[0])).told == read[1]


@pytest.mark.parametrize("synchronous", [False, True])
def test_what_the_reader_held_until_it_closed_the_response_is_the_callers_time(synchronous: bool) -> None:
    held = 0.1

    async def hold(response: Any) -> None:
        chunks = response.aiter_raw()
        await chunks.__anext__()
        await asyncio.sleep(held)
        await response.aclose()
        await asyncio.sleep(held)

    def hold_sync(response: Any) -> None:
        chunks = response.iter_raw()
        next(chunks)
        time.sleep(held)
        response.close()
        time.sleep(held)

    http = only(fetched_sync("slow/9", hold_sync) if synchronous else fetched("slow/9", hold))
    assert held * 0.95 <= http["caller_time"]
    assert http["longest_gap"] == 0


def test_a_response_that_is_dropped_unclosed() -> None:
    async def body(program: Program) -> None:
        async with CLIENT.AsyncClient(verify=False) as client:
            request = client.build_request("POST", path(program, "slow/40"), json=ASK)
            response = await client.send(request, stream=True)
            await response.aiter_raw().__anext__()
            del response
            gc.collect()
            await asked()

    told = only(watch(body)).told
    assert (told.outcome, told.ended_by, told.fault) == ("abandoned", "caller", False)


@pytest.mark.parametrize("synchronous", [False, True])
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("stall", timed_out()),
        ("stall_before_headers", timed_out()),
        ("fin", disconnected(f"{HTTPX}.RemoteProtocolError")),
        ("rst", disconnected(f"{HTTPX}.ReadError")),
    ],
)
def test_a_body_that_is_cut(fault: str, told: Told, synchronous: bool) -> None:
    limit = {"timeout": SILENCE if "stall" in fault else NEVER}
    if synchronous:
        seen = fetched_sync(fault, lambda response: response.read(), **limit)
    else:
        seen = fetched(fault, whole, **limit)
    assert seen.raised == told.cause
    assert only(seen).told == origin(told)


@pytest.mark.parametrize("synchronous", [False, True])
def test_an_error_status(synchronous: bool) -> None:
    seen = fetched_sync("http_503", lambda r: r.read()) if synchronous else fetched("http_503", whole)
    assert seen.raised == ""
    assert only(seen).told == Told("rejected", "upstream", "http", HOST, error_type="503", origin=True)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("silent", origin(TRUNCATED)),
        ("length", Told("length", "model", fault=False, status="UNSET", origin=True)),
        ("error_event", Told("rejected", "upstream", error_type="rejected", origin=True)),
    ],
)
def test_a_models_reply_says_how_it_ended_though_nobody_knows_its_client(fault: str, told: Told) -> None:
    assert only(fetched(fault, whole)).told == told


def test_events_that_are_no_models_reply_may_end_as_they_like() -> None:
    event = b'data: {"jsonrpc": "2.0", "result": {"model": "x"}}\n\n'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(event)

    async def body(program: Program) -> None:
        with raw_server((head + event, "keep")) as url:
            async with CLIENT.AsyncClient() as client:
                await client.get(url)

    assert only(watch(body)).told == done("upstream")


def test_a_reader_that_is_cancelled() -> None:
    async def late(response: Any) -> None:
        await asyncio.wait_for(whole(response), READ_TIMEOUT)

    async def body(program: Program) -> None:
        await ask(program, "stall", late)

    assert only(watch(body)).told == origin(struck(READ_TIMEOUT, layer="http"))


def test_nothing_of_a_query_is_recorded() -> None:
    async def body(program: Program) -> None:
        async with CLIENT.AsyncClient(verify=False) as client:
            await client.post(path(program, "ok") + "?key=secret&q=arrived", json=ASK)

    assert "secret" in SECRETS
    assert only(watch(body))["http.response.status_code"] == 200


def test_two_exchanges_at_once_never_mix() -> None:
    async def body(program: Program) -> None:
        async with CLIENT.AsyncClient(verify=False) as client:
            posts = [client.post(path(program, fault), json=ASK) for fault in ("ok", "fin", "http_401", "ok")]
            await asyncio.gather(*posts, return_exceptions=True)

    seen = watch(body, origins=2)
    assert sorted(stream["outcome"] for stream in seen.streams) == [
        "completed",
        "completed",
        "disconnected",
        "rejected",
    ]
