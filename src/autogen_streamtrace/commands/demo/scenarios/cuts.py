"""Streams that the provider, the network or the HTTP client cuts."""

import asyncio
import socket
from dataclasses import replace
from typing import Any, Final
from unittest import mock

from autogen_streamtrace.commands.chaos.model_server import HOST
from autogen_streamtrace.commands.demo.scenarios.expectation import (
    HTTPX,
    TIMED_OUT,
    TURN,
    Says,
    Scenario,
    cut,
    done,
    each,
)
from autogen_streamtrace.commands.demo.scenarios.program import TASK, Program, read
from autogen_streamtrace.commands.demo.scenarios.turn import turn
from autogen_streamtrace.core import semconv

NO_HOST: Final = "no-such-host.invalid"

UPPER: Final = (semconv.MODEL, semconv.AGENT)
GONE: Final = cut(semconv.DISCONNECTED, semconv.HTTP)
SILENT: Final = each(TURN, cut(semconv.TRUNCATED, semconv.NONE), semconv.HTTP)
NO_FINISH: Final = each(UPPER, cut(semconv.REJECTED, semconv.NONE), semconv.MODEL)
SDK_ERROR: Final = r"openai\.\w+Error"


async def refused(program: Program) -> None:
    with socket.socket() as closed:  # bound, and not listening
        closed.bind((HOST, 0))
        url = f"http://{HOST}:{closed.getsockname()[1]}/v1"
        await read(program.agent(url).run_stream(task=TASK))


async def unknown_host(program: Program) -> None:
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def answer(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host in (NO_HOST, NO_HOST.encode()):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await resolve(host, *args, **kwargs)

    # Without a network a real resolver would be waited for until its own timeout.
    with mock.patch.object(loop, "getaddrinfo", answer):
        await read(program.agent(f"http://{NO_HOST}/v1").run_stream(task=TASK))


def status(code: int, what: str) -> Scenario:
    """The provider refuses with an HTTP status."""
    says = cut(semconv.REJECTED, semconv.HTTP, SDK_ERROR, **{semconv.A_ERROR_TYPE: str(code)})
    http = replace(says, layer=semconv.HTTP, origin=True, cause=f"({SDK_ERROR})?")
    return Scenario(f"http_{code}", what, turn(f"http_{code}"), (http, *each(UPPER, says)), raises=SDK_ERROR)


def in_model(outcome: str, cause: str) -> tuple[Says, ...]:
    """The model's client could not go on; the body below it was dropped."""
    return each(TURN, cut(outcome, semconv.NONE, cause), semconv.MODEL)


def gone(cause: str) -> tuple[Says, ...]:
    """The connection went away, or was never there."""
    return each(TURN, replace(GONE, cause=rf"{HTTPX}\.{cause}"), semconv.HTTP)


CONNECTION: Final = rf"openai\.API(Connection|Timeout)Error|{HTTPX}\.\w+"
RESET: Final = ".*ReadError.*ConnectionResetError.*"
NOWHERE: Final = replace(GONE, waiting_on_name=".+", cause=rf"{HTTPX}\.ConnectError")

SCENARIOS = (
    Scenario(
        "stall", "the server falls silent in mid-body", turn("stall"), each(TURN, TIMED_OUT, semconv.HTTP), CONNECTION
    ),
    Scenario(
        "stall_before_headers",
        "the server never answers",
        turn("stall_before_headers"),
        each(TURN, TIMED_OUT, semconv.HTTP),
        CONNECTION,
    ),
    Scenario("refused", "nobody listens on the port", refused, each(TURN, NOWHERE, semconv.HTTP), CONNECTION),
    Scenario(
        "unknown_host",
        "the host's name is not known",
        unknown_host,
        each(TURN, replace(NOWHERE, waiting_on_name=NO_HOST), semconv.HTTP),
        CONNECTION,
    ),
    Scenario("fin", "the connection is closed in mid-body", turn("fin"), gone("RemoteProtocolError"), CONNECTION),
    Scenario(
        "rst",
        "the connection is reset in mid-body",
        turn("rst"),
        tuple(replace(says, more={semconv.A_CAUSE_CHAIN: RESET}) for says in gone("ReadError")),
        CONNECTION,
    ),
    Scenario("silent", "the body ends cleanly in mid-sentence", turn("silent"), SILENT),
    Scenario("gzip_silent", "a compressed body ends cleanly in mid-sentence", turn("gzip_silent"), SILENT),
    Scenario("done_text", "the text quotes [DONE], then the body ends cleanly", turn("done_text"), SILENT),
    Scenario(
        "error_event",
        "the provider reports an error inside the stream",
        turn("error_event"),
        in_model(semconv.REJECTED, r"openai\.APIError"),
        r"openai\.APIError",
    ),
    Scenario(
        "bad_json",
        "an event is cut in two",
        turn("bad_json"),
        in_model(semconv.MALFORMED, r"json\.decoder\.JSONDecodeError"),
        r"json\.decoder\.JSONDecodeError",
    ),
    status(401, "the key is refused with 401"),
    status(429, "the request is refused with 429"),
    status(500, "the provider fails with 500"),
    Scenario(
        "abort", "the engine drops the request: finish reason abort", turn("abort"), (done(semconv.HTTP), *NO_FINISH)
    ),
)
