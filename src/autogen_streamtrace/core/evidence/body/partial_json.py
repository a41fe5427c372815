"""JSON texts of which only the beginning or only the end is there, or whose long strings are shortened."""

import json
import re
from typing import Any, Final

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.?)*"?|[][{},]', re.DOTALL)
"""A string, of which the end may be missing, a bracket or a comma."""
_CLOSING: Final = {b"{": b"}", b"[": b"]"}
_STRING: Final = re.compile(rb'"([^"\\]{0,40})([^"\\]*(?:\\.[^"\\]*)*)("?)', re.DOTALL)
"""Its first characters, up to an escape; the rest of them; its end, which may be missing."""
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


def objects(text: bytes) -> list[dict[str, Any]]:
    """The objects that a JSON text is, or is a list of; empty where it is no JSON."""
    if not text.lstrip().startswith(b"["):
        said = parsed(text)
        return [] if said is None else [said]
    try:
        return [said for said in json.loads(text) if isinstance(said, dict)]
    except (ValueError, RecursionError):
        return []


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
    """The text after the string in which it may begin. The text ends outside a string: so it shows where it begins."""
    edge = _EDGE.match(text)
    text = text[edge.end() if edge else 0 :]
    quotes = [found.start() for found in _QUOTE.finditer(text) if found.group(1)]
    return text[quotes[0] + 1 :] if len(quotes) % 2 else text


def _odd_backslashes(text: bytes) -> bool:
    """What follows the text is escaped, where the text begins with nothing that is."""
    return bool((len(text) - len(text.rstrip(b"\\"))) % 2)


class LongLine:
    """The beginning of a line of JSON that arrives in pieces: all but strings, and the first characters of each string.

    It stores ``LIMIT`` bytes at most, and the same ones however the line was cut into pieces.
    """

    __slots__ = ("_left", "_piece", "_short")

    LIMIT: Final = 16384
    STEP: Final = 4096
    STRING: Final = 40
    """Bytes of a string that are stored, as ``_STRING`` has it; of one with an escape those before it."""

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._piece = b""
        """The part that is not shortened yet: most lines are short, and are never shortened."""
        self._short = bytearray()
        self._left: int | None = None
        """How many bytes of the string in which the stored part ends may still be added."""

    def went_on(self, text: bytearray, start: int, cut: int) -> int:
        """Takes the text before ``cut``; returns where it was cut instead, so that no escape is split.

        Args:
            text: begins where the last piece ended.
            start: where its last line before ``cut`` begins; 0 if that line began in an earlier piece.
            cut: where the piece ends.
        """
        if start:
            self._begin_anew()
        elif self._piece:
            self._shorten(self._piece)
        self._piece = bytes(text[start:cut])
        if _odd_backslashes(self._piece):
            self._piece = self._piece[:-1]
            cut -= 1
        return cut

    def shortened(self) -> bytes | None:
        """The shortened line; None if it reached ``LIMIT``."""
        self._shorten(self._piece)
        self._piece = b""
        return None if self.full else bytes(self._short)

    @property
    def full(self) -> bool:
        """Whether the rest of the line is dropped."""
        return len(self._short) >= self.LIMIT

    def _shorten(self, piece: bytes) -> None:
        """A little at a time: a search through many escapes takes memory for each."""
        at = 0
        while at < len(piece) and not self.full:
            part = piece[at : at + self.STEP]
            if _odd_backslashes(part):  # they would part an escape
                part = piece[at : at + self.STEP + 1]
            self._shorten_part(part)
            at += len(part)

    def _shorten_part(self, piece: bytes) -> None:
        at = 0
        if self._left is not None:
            at = self._went_on_string(piece)
        if self._left is not None or self.full:
            return
        for string in _STRING.finditer(piece, at):
            text, rest, closing = string.groups()
            self._short += piece[at : string.start() + 1] + text + closing
            at = string.end()
            if not closing:
                self._left = 0 if rest else self.STRING - len(text)
            if self.full:
                return
        self._short += piece[at:][: self.LIMIT]

    def _went_on_string(self, piece: bytes) -> int:
        """The piece begins in a string. Where it goes on after it."""
        found = _STRING.match(b'"' + piece)
        assert found is not None and self._left is not None
        text, rest, closing = found.groups()
        self._short += text[: self._left] + closing
        self._left = None if closing else 0 if rest else max(self._left - len(text), 0)
        return found.end() - 1
