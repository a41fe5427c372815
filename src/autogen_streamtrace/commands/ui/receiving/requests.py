"""Export requests as they come over the wire: how they are packed, and how large they may be."""

import zlib
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from autogen_streamtrace.commands.reading import otlp_protobuf
from autogen_streamtrace.commands.reading.otlp_json import ShapeError
from autogen_streamtrace.commands.reading.otlp_protobuf import Signal
from autogen_streamtrace.commands.store.writing import Batch

Form = Literal["protobuf", "json"]

MOST: Final = 16 * 2**20
"""Bytes of a request, packed or unpacked, at most."""
_GZIP: Final = b"\x1f\x8b"
_HEADERS: Final = 32
"""Tells zlib to accept gzip's header and its own."""


class RequestError(Exception):
    """A request that cannot be used. The message says why, and what to do."""

    def __init__(self, problem: str, *, large: bool = False) -> None:
        super().__init__(problem)
        self.large = large


@dataclass(frozen=True)
class ExportRequest:
    """A request as it came."""

    signal: Signal
    form: Form
    data: bytes
    packed: bool
    """With gzip or deflate."""

    def batch(self) -> Batch:
        """What it contains.

        Raises:
            RequestError: it is no export request, or too large.
        """
        data = unpacked(self.data) if self.packed else self.data
        try:
            return Batch.of(_json(data) if self.form == "json" else otlp_protobuf.document(self.signal, data))
        except ShapeError as error:
            raise RequestError(str(error)) from None


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"no JSON: {error}") from None


def is_packed(data: bytes) -> bool:
    """Whether a gRPC message is packed: no export request begins like gzip or zlib."""
    return data.startswith(_GZIP) or data[:1] == b"\x78"


def unpacked(data: bytes, most: int = MOST) -> bytes:
    """The content of gzip or deflate.

    Raises:
        RequestError: it is neither, or has more than ``most`` bytes; no more than these are unpacked.
    """
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | _HEADERS)
    try:
        found = unpacker.decompress(data, most + 1)
    except zlib.error as error:
        raise RequestError(f"it cannot be unpacked: {error}") from None
    if len(found) > most:
        raise RequestError(too_large(most), large=True)
    if not unpacker.eof:
        raise RequestError("it cannot be unpacked: its end is missing")
    return found


def too_large(most: int = MOST) -> str:
    """What to say of a request that is too large."""
    return (
        f"the request has more than {most // 2**20} MB; send fewer spans at once: OTEL_BSP_MAX_EXPORT_BATCH_SIZE, "
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE"
    )
