"""A body in its units: server-sent events, JSON lines, or as it comes; and how much of a reply each delivers."""

import json
import re
from typing import Any, Final

_BLANK_LINE: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_DATA: Final = re.compile(rb"(?m)^data: ?([^\r\n]*)")
_DELTAS: Final = (
    ("choices", 0, "delta", "content"),
    ("choices", 0, "text"),
    ("delta", "text"),
    ("delta", "partial_json"),
    ("message", "content"),
    ("candidates", 0, "content", "parts", 0, "text"),
    ("response",),
    ("delta",),
)
"""Where the APIs of OpenAI, Anthropic, Ollama and Gemini put a piece of the reply's text."""
_KNOWN: Final = ("choices", "type", "message", "done", "candidates")
"""One of these is in each event of these APIs."""


class Splitter:
    """Cuts what arrives into units."""

    def __init__(self, content_type: bytes) -> None:
        kind = content_type.partition(b";")[0].strip().lower()
        self.document = not (kind == b"text/event-stream" or b"ndjson" in kind or b"jsonl" in kind)
        """The body is one document; its units are the pieces in which it arrives."""
        self._ends = _BLANK_LINE if kind == b"text/event-stream" else re.compile(rb"\n")
        self._rest = b""

    def units(self, data: bytes) -> list[bytes]:
        """The units that are whole now."""
        if self.document:
            return [data]
        data = self._rest + data
        found, start = [], 0
        for end in self._ends.finditer(data):
            found.append(data[start : end.end()])
            start = end.end()
        self._rest = data[start:]
        return found

    def rest(self) -> bytes:
        """What is left of a unit, at the end."""
        rest, self._rest = self._rest, b""
        return rest


def text(unit: bytes) -> str | None:
    """The piece of the reply's text in a unit; empty where it brings none, None where its form is not known."""
    data = b"\n".join(_DATA.findall(unit)) or unit
    if data.lstrip().startswith((b":", b"[DONE]", b"event:")) or not data.strip():
        return ""
    try:
        read = json.loads(data)
    except ValueError:
        return None
    if not isinstance(read, dict) or not any(key in read for key in _KNOWN):
        return None
    return next((found for path in _DELTAS if isinstance(found := _at(read, path), str)), "")


def halves(unit: bytes) -> tuple[bytes, bytes]:
    """A unit in two; an event is cut inside its data."""
    start = max(unit.find(b"{"), 0)
    middle = start + max(1, (len(unit.rstrip()) - start) // 2)
    return unit[:middle], unit[middle:]


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        if isinstance(value, list) and isinstance(step, int):
            value = value[step] if len(value) > step else None
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value
