"""The connection under an HTTP exchange: fresh or reused, how old, how long idle.

With a response, httpcore's ``network_stream`` identifies it; without one, httpcore's own connection does. Source: https://www.encode.io/httpcore/extensions/
"""

import contextlib
from types import TracebackType
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from autogen_streamtrace.neighbours import httpcore

_FRAMES: Final = 64
"""Frames of a failure's traceback that are searched for its connection."""
_VERSIONS: Final = {b"HTTP/1.0": "1.0", b"HTTP/1.1": "1.1", b"HTTP/2": "2", b"HTTP/3": "3"}


class Connection:
    """One connection of this process's HTTP clients."""

    __slots__ = ("local_port", "open", "released", "requests", "since")

    def __init__(self, since: float | None, requests: int, local_port: int | None) -> None:
        self.since = since
        """When it was made, in seconds on ``clock``; None where it was not watched then."""
        self.requests = requests
        self.local_port = local_port
        self.open = 0
        """Exchanges that are under way; with HTTP/2 there may be several."""
        self.released: float | None = None
        """When the last one ended."""


class Use(NamedTuple):
    """The condition of a connection when one request went out on it."""

    connection: Connection
    requests: int
    """The number of its requests, this one included."""
    age: float | None
    """Seconds since it was made, where that is known."""
    idle: float | None
    """Seconds for which it was idle; None where it is fresh, or that is not known."""

    @property
    def reused(self) -> bool:
        """Whether it had carried another request before."""
        return self.requests > 1

    def release(self, at: float) -> None:
        """Takes the end of the exchange."""
        self.connection.open -= 1
        self.connection.released = at


_known: Final[WeakKeyDictionary[Any, Connection]] = WeakKeyDictionary()


def of_response(extensions: dict[str, Any], body: Any, status: int, start: float) -> Use | None:
    """The connection of a response; None where its transport does not show it.

    Args:
        extensions: the response's extensions.
        body: the stream of its body, from the transport.
        status: its HTTP status.
        start: when the request started, in seconds on ``clock``.
    """
    stream = extensions.get("network_stream")
    if stream is None or status == 101:  # the stream of an upgrade is another one
        return None
    try:
        connection = _known.get(stream)
    except TypeError:  # a transport's own, to which nothing can refer weakly
        return None
    if connection is None:
        connection = _met(stream, _earlier(body), start)
    return _used(connection, start)


def after_failure(error: BaseException, start: float) -> Use | None:
    """The connection on which a request failed before a response came."""
    carrier = _carrier(error)
    if carrier is None:
        return None
    stream = httpcore.NETWORK_STREAM.of(carrier)
    connection = _known.get(stream)
    if connection is None:
        connection = _met(stream, httpcore.REQUEST_COUNT.of(carrier, 1), start)
    return _used(connection, start)


def version(extensions: dict[str, Any]) -> str:
    """The version of HTTP as the semantic conventions write it; empty where it is not known."""
    said = extensions.get("http_version")
    return _VERSIONS.get(said, "") if isinstance(said, bytes) else ""


def _met(stream: Any, requests: int, start: float) -> Connection:
    """A connection that was not seen before. If it has earlier requests, it is older than the watch."""
    fresh = requests <= 1
    connection = Connection(start if fresh else None, 0 if fresh else requests - 1, _local_port(stream))
    _known[stream] = connection
    return connection


def _used(connection: Connection, start: float) -> Use:
    connection.requests += 1
    busy, connection.open = connection.open, connection.open + 1
    reused = connection.requests > 1
    idle = None if connection.released is None or not reused else max(0.0, start - connection.released)
    age = None if connection.since is None else max(0.0, start - connection.since)
    return Use(connection, connection.requests, age, 0.0 if busy and idle is not None else idle)


def _earlier(body: Any) -> int:
    """How many requests a connection has had, as far as that is known."""
    count = httpcore.REQUEST_COUNT.of(httpcore.connection(body), 1)
    return count if isinstance(count, int) else 1


def _carrier(error: BaseException | None) -> Any:
    """httpcore's connection among the frames of a failure."""
    left = _FRAMES
    while error is not None and left:
        traceback: TracebackType | None = error.__traceback__
        while traceback is not None and left:
            left -= 1
            frame = traceback.tb_frame
            if frame.f_globals.get("__name__", "").partition(".")[0] in httpcore.PACKAGES:
                me = frame.f_locals.get("self")
                if httpcore.NETWORK_STREAM.of(me) is not None:
                    return me
            traceback = traceback.tb_next
        error = error.__cause__ or error.__context__
    return None


def _local_port(stream: Any) -> int | None:
    """The local port; None after a failure, when the socket is closed."""
    address = None
    with contextlib.suppress(Exception):  # each backend has its own
        address = stream.get_extra_info("client_addr")
    port = address[1] if isinstance(address, tuple) and len(address) > 1 else None
    return port if isinstance(port, int) else None
