"""Reads the end of a model's reply as it came over HTTP: was a finish reason or a terminator in it?

Three formats: server-sent events as OpenAI sends them (``data: [DONE]``), as Anthropic sends them
(``message_stop``), and Ollama's JSON lines (``"done":true``); an unstreamed JSON reply has its finish reason
in the one object. A JSON text inside a string has its quotes escaped, so an unescaped key is a real one.
"""

import importlib
import json
import re
import zlib
from collections.abc import Callable
from typing import Final, NamedTuple

KEPT: Final = 2048
"""Bytes of a body's end that are kept at least: a finish reason may stand before a long usage event."""
TAIL: Final = 3072
"""Bytes beyond which it is cut to that."""

_DONE: Final = re.compile(rb"^data:[ \t]*\[DONE\]|^data:.*\"type\"\s*:\s*\"message_stop\"", re.MULTILINE)
_REASON: Final = rb'"(?:finish_reason|stop_reason)"\s*:\s*"([^"\\]{1,64})"'
_EVENT_REASON: Final = re.compile(rb"^data:.*?" + _REASON, re.MULTILINE)
_BARE_REASON: Final = re.compile(_REASON)
_OBJECT: Final = re.compile(rb"^\s*\{.*(?:_reason\"|\"done\"\s*:\s*true).*", re.MULTILINE)
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


class Wire(NamedTuple):
    """What the end of a body says."""

    terminator: bool
    """A finish reason or a terminator came."""
    finish: str | None
    """The last finish reason, in the provider's words."""


def read(tail: bytes, whole: bool) -> Wire:
    """Reads the last bytes of a decoded body; ``whole`` if nothing before them is missing."""
    torn = b""
    if not whole:
        cut = _LINE_END.search(tail)
        torn, tail = (tail[: cut.start()], tail[cut.end() :]) if cut else (tail, b"")
    finish = _last(_BARE_REASON, torn)  # of a torn line only an unescaped key is what it seems
    done = finish is not None
    for text in _OBJECT.findall(tail) if tail.startswith(b"{") or b"\n{" in tail else ():
        told = _of_object(text)
        done, finish = done or told.terminator, told.finish or finish
    finish = _last(_EVENT_REASON, tail) or finish
    if finish is None and tail.lstrip().startswith((b"{", b'"')):
        finish = _of_object(tail).finish
    return Wire(done or finish is not None or bool(_DONE.search(tail)), finish)


def _last(pattern: re.Pattern[bytes], text: bytes) -> str | None:
    found = pattern.findall(text)
    return found[-1].decode("ascii", "replace") if found else None


def _of_object(text: bytes) -> Wire:
    """One JSON object: a line of Ollama's, or a whole reply. Its tools' arguments are objects too, so it is parsed."""
    try:
        said = json.loads(text)
    except ValueError:
        return Wire(False, None)
    if not isinstance(said, dict):
        return Wire(False, None)
    done = said.get("done") is True
    reasons = [said.get("stop_reason"), said.get("done_reason") if done else None]
    choices = said.get("choices")
    if isinstance(choices, list):
        reasons += [choice.get("finish_reason") for choice in choices if isinstance(choice, dict)]
    finish = next((reason for reason in reversed(reasons) if isinstance(reason, str)), None)
    return Wire(done or finish is not None, finish)


class Tail:
    """The last bytes of a body, decoded: at most ``TAIL`` and the last read."""

    __slots__ = ("_decode", "_kept", "readable", "whole")

    def __init__(self, encoding: str = "") -> None:
        self._kept = bytearray()
        self._decode = decoder(encoding)
        self.readable = self._decode is not _nothing
        self.whole = True

    @property
    def plain(self) -> bytearray | None:
        """The buffer itself where nothing needs decoding, so that a reader can append to it without a call."""
        return self._kept if self._decode is None else None

    def feed(self, part: bytes) -> None:
        """Adds what was read."""
        if self._decode is not None:
            try:
                part = self._decode(part)
            except Exception:  # the reader of the body meets the same and says so
                self.readable = False
                return
        self._kept += part
        if len(self._kept) > TAIL:
            self.trim()

    def trim(self) -> None:
        """Drops all but the last bytes."""
        del self._kept[:-KEPT]
        self.whole = False

    def read(self) -> Wire | None:
        """What these bytes say of the reply's end; None where they could not be decoded."""
        return read(bytes(self._kept), self.whole) if self.readable else None


def decoder(encoding: str) -> Callable[[bytes], bytes] | None:
    """An incremental decoder for a ``Content-Encoding``; None where there is nothing to decode.

    Brotli and Zstandard need the packages with which the HTTP client itself decodes them.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip"):
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress
    if name == "deflate":
        return _deflate()
    if name == "br":
        return _first(("brotli", "Decompressor", "process"), ("brotlicffi", "Decompressor", "decompress"))
    if name == "zstd":
        return _zstd()
    return _nothing


def _deflate() -> Callable[[bytes], bytes]:
    wrapped, raw = zlib.decompressobj(), zlib.decompressobj(-zlib.MAX_WBITS)
    chosen: list[Callable[[bytes], bytes]] = []

    def decode(part: bytes) -> bytes:
        if not chosen:
            try:
                out = wrapped.decompress(part)
                chosen.append(wrapped.decompress)
                return out
            except zlib.error:
                chosen.append(raw.decompress)
        return chosen[0](part)

    return decode


def _zstd() -> Callable[[bytes], bytes]:
    try:
        made = importlib.import_module("zstandard").ZstdDecompressor().decompressobj()
    except ImportError:
        return _nothing
    decode: Callable[[bytes], bytes] = made.decompress
    return decode


def _first(*choices: tuple[str, str, str]) -> Callable[[bytes], bytes]:
    for module, cls, method in choices:
        try:
            decode: Callable[[bytes], bytes] = getattr(getattr(importlib.import_module(module), cls)(), method)
        except (ImportError, AttributeError):
            continue
        return decode
    return _nothing


def _nothing(part: bytes) -> bytes:
    return b""
