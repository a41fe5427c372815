"""A body's ``Content-Encoding``: decoders for it, read by read."""

import importlib
import zlib
from collections.abc import Callable


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
    return nothing


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
        return nothing
    decode: Callable[[bytes], bytes] = made.decompress
    return decode


def _first(*choices: tuple[str, str, str]) -> Callable[[bytes], bytes]:
    for module, cls, method in choices:
        try:
            decode: Callable[[bytes], bytes] = getattr(getattr(importlib.import_module(module), cls)(), method)
        except (ImportError, AttributeError):
            continue
        return decode
    return nothing


def nothing(part: bytes) -> bytes:
    """Stands for an encoding that cannot be decoded."""
    return b""
