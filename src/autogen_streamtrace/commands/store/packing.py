"""Packs the OTLP JSON of a span or a log record."""

import zlib
from typing import Any, Final

import orjson

from autogen_streamtrace.core import semconv as sc

_LEVEL: Final = 1
_MOST: Final = 64 * 2**20
"""Bytes of one span, unpacked, at most."""


def dictionary() -> bytes:
    """What most spans have in common, for a new store; the store keeps its own."""
    names = [value for name, value in sorted(vars(sc).items()) if isinstance(value, str) and not name.startswith("_")]
    beginnings = b'{"traceId":"","spanId":"","parentSpanId":"","name":"","kind":1,"startTimeUnixNano":'
    pairs = [f'{{"key":"{name}","value":{{"stringValue":"' for name in names]
    numbers = '"}},{"key":"","value":{"doubleValue":0.0}},{"key":"","value":{"boolValue":false}},{"intValue":1}}'
    return ("".join(pairs) + numbers).encode() + beginnings


class Packing:
    """Packs and unpacks with the dictionary of one store.

    Args:
        shared: the store's dictionary.
    """

    def __init__(self, shared: bytes) -> None:
        self._shared = shared

    def pack(self, item: Any) -> bytes:
        """An item of OTLP JSON, in few bytes."""
        packer = zlib.compressobj(_LEVEL, zdict=self._shared)
        return packer.compress(orjson.dumps(item)) + packer.flush()

    def unpack(self, data: bytes) -> Any:
        """The item again.

        Raises:
            ValueError, zlib.error: it is damaged.
        """
        unpacker = zlib.decompressobj(zdict=self._shared)
        return orjson.loads(unpacker.decompress(data, _MOST))
