"""The bytes of Protocol Buffers (https://protobuf.dev/programming-guides/encoding)."""

from struct import Struct
from typing import Final

UINT32: Final = 2**32
_FIXED64: Final = Struct("<Q").pack
_SMALL: Final = tuple(bytes([number]) for number in range(0x80))


def varint(number: int) -> bytes:
    """An unsigned number, seven bits a byte."""
    if number < 0x80:
        return _SMALL[number]
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def delimited(tag: bytes, content: bytes) -> bytes:
    """A field of a length: bytes, text or a message."""
    return b"%b%b%b" % (tag, varint(len(content)), content)


def text(tag: bytes, content: str | None) -> bytes:
    """A field of text; nothing where there is none."""
    return delimited(tag, content.encode()) if content else b""


def count(tag: bytes, number: int) -> bytes:
    """A field of 32 bits; nothing for 0.

    Raises:
        OverflowError: the number does not fit.
    """
    if not 0 <= number < UINT32:
        raise OverflowError(number)
    return tag + varint(number) if number else b""


def time(tag: bytes, nanoseconds: int | None) -> bytes:
    """A field of a time; nothing where there is none.

    Raises:
        struct.error: the number does not fit.
    """
    return tag + _FIXED64(nanoseconds) if nanoseconds else b""
