"""JSON texts of which only the beginning or only the end is there."""

import json
import re
from typing import Any, Final

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.?)*"?|[][{},]', re.DOTALL)
"""A string, of which the end may be missing, a bracket or a comma."""
_CLOSING: Final = {b"{": b"}", b"[": b"]"}
_EDGE: Final = re.compile(rb"\\*.?", re.DOTALL)
"""Where a text begins it is not known whether its first character is escaped."""
_QUOTE: Final = re.compile(rb'\\.|(")', re.DOTALL)


def parsed(text: bytes) -> dict[str, Any] | None:
    """A JSON object, as the clients accept it; None where it is none."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def beginning(text: bytes) -> dict[str, Any]:
    """The object that begins a text; where the text is cut in it, those of its members that are whole."""
    open_now: list[bytes] = []
    end, closing = 0, b""
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark in _CLOSING:
            open_now.append(_CLOSING[mark])
        elif mark == b",":
            end, closing = token.start(), b"".join(reversed(open_now))
        elif mark in (b"}", b"]") and open_now:
            open_now.pop()
            if not open_now:
                end, closing = token.end(), b""
                break
    return parsed(text[:end] + closing) or {}


def ending(text: bytes) -> list[dict[str, Any]]:
    """The objects and lists that end in a text and begin before it, the outermost last.

    Of each object those members that are whole; of a list nothing.
    """
    if not text.rstrip().endswith(b"}"):
        return []
    text = _out_of_string(text)
    levels: list[dict[str, Any]] = []
    depth, start = 0, -1
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark in _CLOSING:
            depth += 1
        elif mark == b",":
            if not depth and start < 0:
                start = token.end()
        elif mark in (b"}", b"]"):
            if depth:
                depth -= 1
            else:
                levels.append((parsed(b"{" + text[start : token.start()] + b"}") if start >= 0 else None) or {})
                start = -1
    return levels


def _out_of_string(text: bytes) -> bytes:
    """What follows the string in which a text may begin. It ends in none, which tells whether it begins in one."""
    edge = _EDGE.match(text)
    text = text[edge.end() if edge else 0 :]
    quotes = [found.start() for found in _QUOTE.finditer(text) if found.group(1)]
    return text[quotes[0] + 1 :] if len(quotes) % 2 else text
