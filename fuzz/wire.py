"""Fuzzes what is read of a model's reply: any bytes, in any reads and content encoding.

    python fuzz/wire.py -dict=fuzz/wire.dict -max_total_time=3600 build/corpus fuzz/seeds

Inputs that reach new code go to the first folder. One that breaks a rule ends the run and is written to a file.
"""

import gzip
import sys
import zlib

import atheris

with atheris.instrument_imports(include=["autogen_streamtrace.core"]):
    from autogen_streamtrace.core.evidence.body import aws_frames, partial_json, server_sent, wire
    from autogen_streamtrace.core.evidence.body.encodings import decoder

ENCODINGS = ("", "gzip", "deflate", "raw")
LONGEST = 60_000
"""Bytes of a body; a short one is repeated."""


def fuzz(data: bytes) -> None:
    """One input: the first bytes say how the rest is used."""
    if len(data) < 6:
        return
    how, times, one, other, head, shift = data[:6]
    body = data[6:]
    long = (body * (times % 40 + 1))[:LONGEST]
    encoding = ENCODINGS[how % 4]
    sent, name = packed(long, encoding), encoding.replace("raw", "deflate")
    if how & 4:  # as it came, whatever it says of itself
        sent = body
    for kind in ("", aws_frames.CONTENT_TYPE):
        told = read(sent, name, kind, one + 2)
        assert told == read(sent, name, kind, other * 30 + 2), "the reads decide"
        check(told)
    check(wire.read(body[shift:], body[:head]))
    check(wire.read(body[shift:], body[:head], body[:one]))
    check(wire.read_frames(body[shift:], body[:head]))
    server_sent.is_document(body)
    partial_json.beginning(body)
    partial_json.ending(body)


def packed(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.compress(body, 1)
    if not encoding:
        return body
    squeeze = zlib.compressobj(1, wbits=zlib.MAX_WBITS if encoding == "deflate" else -zlib.MAX_WBITS)
    return squeeze.compress(body) + squeeze.flush()


def read(sent: bytes, encoding: str, kind: str, step: int) -> wire.Wire | None:
    """The body in reads of so many bytes, by the way that the HTTP reader goes; ``kind`` is its content type."""
    tail = wire.Tail(encoding, kind)
    kept = tail.plain
    for at in range(0, len(sent), step):
        part = sent[at : at + step]
        if kept is None:
            tail.feed(part)
        else:
            kept += part
            if len(kept) > wire.TAIL:
                tail.trim()
    assert decoder(encoding) is None or kept is None
    return tail.read()


def check(told: wire.Wire | None) -> None:
    """What holds of every answer: it can be exported."""
    if told is None:
        return
    assert {type(each) for each in (told.terminator, told.error, told.over, told.document)} == {bool}
    for word in (told.finish, told.response_id, told.response_model):
        assert word is None or (0 < len(word) <= 256 and word.encode())
    for count in (told.input_tokens, told.output_tokens):
        assert count is None or (type(count) is int and 0 <= count < 2**62)
    assert told.terminator or told.finish is None


if __name__ == "__main__":
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()
