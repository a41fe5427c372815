"""Private names of httpcore and httpcore2, and of how httpx and httpx2 hold them."""

from typing import Final

from autogen_streamtrace.neighbours import Private

_CONNECTIONS: Final = ("AsyncHTTP11Connection", "HTTP2Connection", "AsyncHTTP2Connection")

NETWORK_STREAM: Final = Private(
    "httpcore",
    "HTTP11Connection",
    "_network_stream",
    "where a connection is lost before a response, it is not told whether it was a kept one",
    _CONNECTIONS,
)
REQUEST_COUNT: Final = Private(
    "httpcore",
    "HTTP11Connection",
    "_request_count",
    "a connection that is older than the watch is told as a fresh one",
    _CONNECTIONS,
)
BODY_TO_CONNECTION: Final = ("_httpcore_stream", "_stream", "_connection")
"""From a response's body to its connection. Without them as without ``REQUEST_COUNT``."""
