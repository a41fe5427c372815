"""Packs attributes: their names and types as a text that is made once, their values as numbers and texts behind it.

Most verdicts of a process have the same names and types, so packing one is a handful of calls into C.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import compress
from struct import Struct, error
from typing import Any, Final, NamedTuple

from autogen_streamtrace.recorder.layout.row import long, short

_NUMBERS: Final[dict[type, str]] = {bool: "?", int: "q", float: "d"}
_TEXTS: Final[dict[type, str]] = {str: "s", tuple: "t", list: "t"}
"""``s`` a text, ``t`` a sequence of texts; ``j`` any other value, as JSON."""
_BETWEEN, _INSIDE = "\0", "\1"
"""Stand between two texts, and between those of a sequence."""
_LENGTH: Final = Struct("<H")


class _Shape(NamedTuple):
    """The names and types of some attributes."""

    said: bytes
    """The same as it stands in the file, behind its length."""
    numbers: Struct
    is_number: list[bool]
    is_text: list[bool]
    others: list[tuple[int, Callable[[Any], str]]]
    """Which of the texts are made of another value, and how."""


def packed(attributes: Mapping[str, Any]) -> bytes:
    """The attributes, for ``unpacked``.

    Raises:
        TypeError: a value is neither a number, nor text, nor JSON.
    """
    names, values = tuple(attributes), tuple(attributes.values())
    try:
        return _packed(_shape(names, tuple(map(type, values))), values)
    except (error, TypeError, ValueError):  # a number of more than 64 bits, a text that needs JSON's escapes
        return _packed(_shape(names, (object,) * len(names)), values)


def unpacked(data: bytes) -> dict[str, Any]:
    """The attributes that were packed into ``data``. A sequence comes back as a tuple."""
    (length,) = _LENGTH.unpack_from(data)
    begin = _LENGTH.size + length
    shape: dict[str, str] = json.loads(data[_LENGTH.size : begin])
    numbers = Struct("<" + "".join(code for code in shape.values() if code in _NUMBERS.values()))
    end = begin + numbers.size
    texts = iter(data[end:].decode().split(_BETWEEN))
    values = iter(numbers.unpack(data[begin:end]))
    return {
        long(name): next(values) if code in _NUMBERS.values() else _of_text(code, next(texts))
        for name, code in shape.items()
    }


def _packed(shape: _Shape, values: tuple[Any, ...]) -> bytes:
    texts = [*compress(values, shape.is_text)]
    for at, made in shape.others:
        texts[at] = made(texts[at])
    text = _BETWEEN.join(texts)
    if text.count(_BETWEEN) >= max(1, len(texts)):
        raise ValueError("a text contains what stands between two")
    return shape.said + shape.numbers.pack(*compress(values, shape.is_number)) + text.encode()


@lru_cache(maxsize=256)
def _shape(names: tuple[str, ...], types: tuple[type, ...]) -> _Shape:
    codes = [_NUMBERS.get(each) or _TEXTS.get(each, "j") for each in types]
    is_number, is_text = ([(each in _NUMBERS) is wanted for each in types] for wanted in (True, False))
    said = json.dumps(dict(zip(map(short, names), codes, strict=True)), separators=(",", ":")).encode()
    made: dict[str, Callable[[Any], str]] = {"t": _joined, "j": json.dumps}
    return _Shape(
        _LENGTH.pack(len(said)) + said,
        Struct("<" + "".join(compress(codes, is_number))),
        is_number,
        is_text,
        [(at, made[code]) for at, code in enumerate(compress(codes, is_text)) if code in made],
    )


def _joined(texts: tuple[str, ...]) -> str:
    text = _INSIDE.join(texts)
    if not text or text.count(_INSIDE) >= len(texts):
        raise ValueError("it would be read as another sequence")
    return text


def _of_text(code: str, text: str) -> Any:
    if code == "t":
        return tuple(text.split(_INSIDE))
    value = json.loads(text) if code == "j" else text
    return tuple(value) if isinstance(value, list) else value
