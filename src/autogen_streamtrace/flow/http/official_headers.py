"""Lets the official HTTP instrumentation normalise headers only where it captures some.

It normalises every header of each request and response, and then drops them all unless a variable
``OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_*`` names some. ``docs/upstream.md`` has the same as a patch for it.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.neighbours.opentelemetry import NORMALIZE_HEADERS

Headers = Mapping[str, list[str]]


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Replaces the function of ``opentelemetry.instrumentation.httpx`` that normalises headers."""
    patcher.attribute(module, NORMALIZE_HEADERS.attribute, _when_read)


def _when_read(original: Callable[..., Headers]) -> Callable[..., Headers]:
    @functools.wraps(original)
    def normalize_headers(*args: Any, **kwargs: Any) -> Headers:
        return _WhenRead(functools.partial(original, *args, **kwargs))

    return normalize_headers


class _WhenRead(Mapping[str, list[str]]):
    """Headers that are normalised when they are first read."""

    __slots__ = ("_headers", "_normalized")

    def __init__(self, normalized: Callable[[], Headers]) -> None:
        self._normalized = normalized
        self._headers: Headers | None = None

    def __bool__(self) -> bool:
        return True  # asked for each message, before the names that are captured

    def __getitem__(self, name: str) -> list[str]:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> Headers:
        if self._headers is None:
            self._headers = self._normalized()
        return self._headers
