"""Lets the official HTTP instrumentation take the URL of a request as it is.

It writes the URL of each request out and parses that anew. ``docs/upstream.md`` has the same as a patch for it.
"""

import functools
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Final

from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.neighbours.opentelemetry import EXTRACT_PARAMETERS

_DEFAULT_PORTS: Final = frozenset({21, 80, 443})


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Replaces the function of ``opentelemetry.instrumentation.httpx`` that reads a request."""
    patcher.attribute(module, EXTRACT_PARAMETERS.attribute, _as_it_is)


def _as_it_is(original: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
    @functools.wraps(original)
    def extract_parameters(args: Sequence[Any], *others: Any) -> tuple[Any, ...]:
        request = args[0]
        url = getattr(request, "url", None)  # the transports of httpx before 0.20 are given no request
        if url is None or not _is_settled(url):
            return original(args, *others)
        return request.method.encode(), url, request.headers, request.stream, request.extensions

    return extract_parameters


def _is_settled(url: Any) -> bool:
    """Its text, parsed, is the same URL. It is not where the first parse left a default port, or escaped the host."""
    return url.port not in _DEFAULT_PORTS and b"%" not in url.raw_host
