"""A body in a content encoding, in whatever pieces it came."""

from typing import Any

import pytest
from wire_replies import DONE, end, openai, packed, told

from autogen_streamtrace.core.evidence.body.wire import Tail


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", " gzip ", "deflate", "raw", "", "identity"])
def test_each_encoding_byte_by_byte(encoding: str) -> None:
    body = openai("Hi") + openai("", "stop") + DONE
    sent = packed(body, encoding.strip().lower().removeprefix("x-"))
    first = 2 if encoding == "raw" else 1  # the HTTP client itself needs two bytes to tell raw deflate
    parts = [sent[:first], *(sent[at : at + 1] for at in range(first, len(sent)))]
    assert end(told(parts, "deflate" if encoding == "raw" else encoding)) == (True, "stop")


def test_a_gzip_body_cut_in_the_middle_says_what_came() -> None:
    sent = packed(openai("", "stop") + b"".join(openai(f"{n * n} ") for n in range(100)), "gzip")
    assert end(told([sent[: len(sent) // 2]], "gzip")) == (True, "stop")
    assert end(told([sent[:20]], "gzip")) == (False, None)


def test_what_cannot_be_decoded_is_not_read_and_raises_nothing() -> None:
    tail = Tail("gzip")
    tail.feed(b"no gzip at all")
    tail.feed(DONE)
    assert not tail.readable
    assert tail.read() is None


@pytest.mark.parametrize("encoding", ["compress", "nonsense", "gzip, br"])
def test_an_unknown_encoding_is_not_read(encoding: str) -> None:
    assert not Tail(encoding).readable
    assert told([DONE], encoding) is None


@pytest.mark.parametrize("encoding", ["br", "zstd"])
def test_brotli_and_zstandard_are_read_where_their_packages_are_and_else_left_alone(encoding: str) -> None:
    modules = {"br": ("brotli", "brotlicffi"), "zstd": ("zstandard", "zstandard")}[encoding]
    found: Any = None
    for name in modules:
        try:
            found = __import__(name)
        except ImportError:
            continue
    if found is None:
        assert not Tail(encoding).readable
    else:
        sent = found.compress(openai("", "stop"))
        assert end(told([sent[:5], sent[5:]], encoding)) == (True, "stop")


def test_an_encoded_body_has_no_plain_buffer() -> None:
    assert Tail("gzip").plain is None


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_is_cut_at_any_byte_says_what_came_and_raises_nothing(encoding: str) -> None:
    body = b"".join(openai(f"{n * n} ") for n in range(40)) + openai("", "stop") + DONE
    if encoding in ("br", "zstd"):
        sent = pytest.importorskip({"br": "brotli", "zstd": "zstandard"}[encoding]).compress(body)
    else:
        sent = packed(body, encoding)
    said = [end(told([sent[:cut]], encoding)) for cut in range(len(sent) + 1)]
    assert said[0] == (False, None)
    assert said[-1] == (True, "stop")
    assert set(said) <= {(False, None), (True, "stop")}
    assert said == sorted(said, key=lambda each: each == (True, "stop"))
