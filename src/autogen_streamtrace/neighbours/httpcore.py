"""Private names of httpcore and httpcore2, and of the bodies that httpx and httpx2 make of theirs."""

from typing import Any, Final

from autogen_streamtrace.neighbours import Private

PACKAGES: Final = ("httpcore", "httpcore2")
"""The pool's connections."""

_FAILED: Final = "a request that fails before a response is reported without its connection"
_FRESH: Final = "a connection that is older than the watch counts as fresh"
_CONNECTION: Final = "AsyncHTTP11Connection"
_CONNECTIONS: Final = ("AsyncHTTP2Connection", "HTTP11Connection", "HTTP2Connection")

NETWORK_STREAM: Final = Private("httpcore", _CONNECTION, "_network_stream", _FAILED, _CONNECTIONS, ("httpcore2",))
REQUEST_COUNT: Final = Private("httpcore", _CONNECTION, "_request_count", _FRESH, _CONNECTIONS, ("httpcore2",))
# From a response's body to its connection.
BODY: Final = Private("httpx", "AsyncResponseStream", "_httpcore_stream", _FRESH, ("ResponseStream",), ("httpx2",))
POOLED: Final = Private("httpcore", "PoolByteStream", "_stream", _FRESH, (), ("httpcore2",))
CARRIED: Final = Private(
    "httpcore", "HTTP11ConnectionByteStream", "_connection", _FRESH, ("HTTP2ConnectionByteStream",), ("httpcore2",)
)


def connection(body: Any) -> Any:
    """httpcore's connection of a response's body; ``None`` where there is none."""
    return CARRIED.of(POOLED.of(BODY.of(body)))
