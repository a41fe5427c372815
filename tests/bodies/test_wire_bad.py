"""Bad input: bodies that are very long, packed to burst, cut anywhere, or no frames: memory and time are bounded."""

import gzip
import json
import time
import tracemalloc
import zlib
from typing import Final

import pytest
from wire_replies import DONE, ERROR, NOTHING, end, ended, event, openai, openai_event, pieces, told

from autogen_streamtrace.core.evidence.body import aws_frames
from autogen_streamtrace.core.evidence.body.partial_json import LongLine
from autogen_streamtrace.core.evidence.body.wire import TAIL, Tail

READ: Final = 65_536
MEGABYTE: Final = 1 << 20
SECONDS: Final = 20.0
"""A bound that only what grows with the square of the body passes, also on a machine that is busy."""


def read(body: bytes, step: int = READ, **kind: str) -> Tail:
    tail = Tail(**kind)
    for at in range(0, len(body), step):
        tail.feed(body[at : at + step])
    return tail


@pytest.mark.parametrize("reason", ["stop", "length"])
@pytest.mark.parametrize("place", ["before", "between", "after"])
@pytest.mark.parametrize("step", [1000, READ])
def test_a_finish_reason_is_read_anywhere_in_an_event_of_ten_megabytes(reason: str, place: str, step: int) -> None:
    text = 'some "quoted" words\\ \n é ' * 200_000
    choice = {"before": {}, "between": {}, "after": {}, place: {"finish_reason": reason}}
    said = {
        "choices": [
            {**choice["before"], "delta": {"content": text}, **choice["between"], "message": text, **choice["after"]}
        ]
    }
    began = time.perf_counter()
    assert end(read(event(said), step).read()) == (True, reason)
    assert time.perf_counter() - began < SECONDS


def test_an_error_at_the_beginning_of_a_very_long_event_is_read() -> None:
    said = {"error": {"message": "x" * MEGABYTE, "code": 500}, "trace": ["y" * MEGABYTE] * 3}
    assert ended(openai("Hi"), event(said)) == (False, ERROR)


@pytest.mark.parametrize(
    "body",
    [
        openai("word ").strip() * 100_000,
        b'data: {"a":"' + b"\\" * (10 * MEGABYTE + 1),
        b'data: {"a":' + b"[" * (10 * MEGABYTE),
        b'data: {"a":' + b'"b",' * MEGABYTE,
        b"data: " + b"x" * (10 * MEGABYTE),
        b"\n" * MEGABYTE,
        b"\0" * MEGABYTE,
    ],
    ids=["events without a line end", "backslashes", "brackets", "short strings", "no JSON", "line ends", "zeros"],
)
@pytest.mark.parametrize("kind", ["", aws_frames.CONTENT_TYPE])
def test_a_body_of_nonsense_takes_bounded_memory_and_time(body: bytes, kind: str) -> None:
    began = time.perf_counter()
    tracemalloc.start()
    tail = read(body, content_type=kind)
    wire = tail.read()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.perf_counter() - began < SECONDS
    assert kept < 2 * (TAIL + LongLine.LIMIT)
    assert peak < 2 * MEGABYTE
    assert wire is None or end(wire) == NOTHING


def test_a_small_body_that_unpacks_to_a_very_large_one_is_never_unpacked_whole() -> None:
    packed = gzip.compress(b"\0" * 200 * MEGABYTE)
    tracemalloc.start()
    read(packed, encoding="gzip").read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MEGABYTE


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_packed_body_cut_at_any_byte_ends_as_what_came_of_it(encoding: str) -> None:
    body = openai("Hi ") * 20 + openai("", "stop") + DONE
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    if encoding == "zstd":
        packed = pytest.importorskip("zstandard").compress(body)
    for cut in range(len(packed) + 1):
        assert end(read(packed[:cut], 7, encoding=encoding).read()) in (NOTHING, (True, "stop"), (True, None), None)
    assert end(read(packed, 7, encoding=encoding).read()) == (True, "stop")


def test_a_hundred_megabytes_of_small_events_cost_no_more_than_their_end() -> None:
    tail, chunk = Tail(), openai("word ") * 300
    for _ in range(300):
        tail.feed(chunk)
    tail.feed(openai_event([{"finish_reason": "length"}]) + DONE)
    assert end(tail.read()) == (True, "length")


def test_however_a_long_line_comes_the_same_is_kept_of_it() -> None:
    said = json.dumps(
        {"a": ['é\\"' * 50, "short", 1, None, {"b": "x" * 100}] * 300, "choices": [{"finish_reason": "stop"}]}
    )
    body = b"data: " + said.encode() + b"\n\n"
    answers = {told(pieces(body, range(step, len(body), step))) for step in (13, 40, 1000, 9000, 100_000)}
    assert len(answers) == 1
