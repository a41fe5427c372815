"""Attributes as OTLP has them: each a ``KeyValue``.

The same few hundred pairs come again and again, so their bytes are kept.
"""

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from types import MappingProxyType
from typing import Any, Final, TypeVar

from opentelemetry.attributes import BoundedAttributes

from autogen_streamtrace.otlp.encoding.wire import delimited, varint

KeyT = TypeVar("KeyT")

_MAX_KEPT: Final = 2_048
_MAX_KEPT_BYTES: Final = 128
"""Bytes of a pair that is kept."""
_DOUBLE: Final = Struct("<d").pack
_INT64: Final = 2**63
_WRAP: Final = 2**64 - 1
_KEPT_TYPES: Final = frozenset((str, bool, int))
_SLOW: Final = (MappingProxyType, BoundedAttributes)
"""What the SDK keeps attributes in. Their copy is a dictionary, and much faster to read."""

_kept: Final[dict[tuple[str, type, Any], bytes]] = {}
"""Pairs, by key and value. ``True == 1``, so the type belongs to them."""
_before_doubles: Final[dict[str, bytes]] = {}
"""What stands before a float, by key: pairs with a float are all of one length."""


def attributes(tag: bytes, pairs: Mapping[str, Any] | None) -> bytes:
    """A field for each attribute.

    Raises:
        TypeError, ValueError, OverflowError: there is a value that the SDK would leave out, or of an unknown type.
    """
    if not pairs:
        return b""
    found = []
    for key, value in (pairs.copy() if isinstance(pairs, _SLOW) else pairs).items():
        kind = type(value)
        known = _kept.get((key, kind, value)) if kind in _KEPT_TYPES else None
        found.append(known or _pair(key, kind, value))
    return tag + tag.join(found)


def _pair(key: str, kind: type, value: Any) -> bytes:
    """A pair with its length before it."""
    if kind is float:
        return (_before_doubles.get(key) or _before_double(key)) + _DOUBLE(value)
    content = _key_value(key, value)
    pair = varint(len(content)) + content
    if kind in _KEPT_TYPES and len(pair) <= _MAX_KEPT_BYTES:
        _keep(_kept, (key, kind, value), pair)
    return pair


def _before_double(key: str) -> bytes:
    whole = _key_value(key, 0.0)
    before = varint(len(whole)) + whole[:-8]
    _keep(_before_doubles, key, before)
    return before


def _keep(where: dict[KeyT, bytes], key: KeyT, value: bytes) -> None:
    if len(where) >= _MAX_KEPT:
        where.clear()
    where[key] = value


def _key_value(key: str, value: Any) -> bytes:
    return delimited(b"\x0a", key.encode()) + delimited(b"\x12", any_value(value))


def any_value(value: Any) -> bytes:
    """An ``AnyValue``.

    Raises:
        TypeError: a type that is not known here.
        ValueError, OverflowError: a value that OTLP cannot hold.
    """
    encode = _KINDS.get(type(value))
    if encode is None:
        raise TypeError(type(value))
    return encode(value)


def _integer(value: int) -> bytes:
    if not -_INT64 <= value < _INT64:
        raise OverflowError(value)
    return b"\x18" + varint(value & _WRAP)


def _array(values: Sequence[Any]) -> bytes:
    return delimited(b"\x2a", b"".join([delimited(b"\x0a", any_value(each)) for each in values]))


def _entries(values: Mapping[Any, Any]) -> bytes:
    pairs = [delimited(b"\x0a", _key_value(str(key), value)) for key, value in values.items()]
    return delimited(b"\x32", b"".join(pairs))


_KINDS: Final[dict[type, Callable[[Any], bytes]]] = {
    str: lambda value: delimited(b"\x0a", value.encode()),
    bool: lambda value: b"\x10\x01" if value else b"\x10\x00",
    int: _integer,
    float: lambda value: b"\x21" + _DOUBLE(value),
    bytes: lambda value: delimited(b"\x3a", value),
    tuple: _array,
    list: _array,
    dict: _entries,
}
"""By exact type. A subclass is rare, and left to the SDK."""
