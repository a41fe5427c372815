"""Answers that no server should send, over a real socket: they cost little, and the program sees what it would see."""

import time
from typing import Final

import pytest
from harness import Program, read, watch
from harness.raw_server import raw_server
from wire_replies import DONE, openai

pytestmark = pytest.mark.once

WHOLE: Final = b"".join([*(openai(f"{number * number} ") for number in range(12)), openai("", "stop"), DONE])


def head(length: int, *more: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Type: text/event-stream", b"Content-Length: %d" % length, *more]
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def both(program: Program, url: str, seen: list[str]) -> None:
    try:
        seen += [type(item).__name__ for item in await read(program.turn(url))]
    except Exception as error:
        seen.append(type(error).__name__)


HOSTILE: Final = {
    "ninety Via": [b"Via: 1.1 proxy-%d" % number for number in range(90)],
    "a long Server": [b"Server: " + b"nginx" * 1600],
    "a Via of many": [b"Via: " + b", ".join(b"1.1 proxy-%d" % number for number in range(500))],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_cost_little_and_change_nothing(name: str) -> None:
    answer = head(len(WHOLE), *HOSTILE[name]) + WHOLE
    items: list[str] = []
    with raw_server((answer, "keep")) as url:
        began = time.perf_counter()
        seen = watch(lambda program: both(program, url, items))
        assert time.perf_counter() - began < 20
    assert items[-1] == "TaskResult"
    http = seen.one("http")
    assert http.told.outcome == "completed"
    assert sum(len(str(value)) for value in http.attributes.values()) < 4096
