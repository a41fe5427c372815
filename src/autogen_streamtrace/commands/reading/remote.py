"""Reads streams from a store by its URL: a Loki or a VictoriaLogs (events), a Jaeger (spans), a Prometheus (counts)."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import httpx

from autogen_streamtrace.commands.reading import jaeger, loki, prometheus, victorialogs
from autogen_streamtrace.commands.reading.files import Progress, Streams
from autogen_streamtrace.commands.reading.pieces import InputError

TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)


class Store(NamedTuple):
    """A kind of store."""

    name: str
    path: str
    """Where one answers, and no other kind does."""
    asked: Mapping[str, str]
    read: Callable[[httpx.Client, str, float, str, Progress], Streams]
    counts_alone: bool = False
    """It has numbers of streams, and no stream by itself."""


STORES: Final = (
    Store("Loki", "/loki/api/v1/labels", {}, loki.read),
    Store("Prometheus", "/api/v1/query", {"query": "vector(1)"}, prometheus.read, counts_alone=True),
    Store("VictoriaLogs", victorialogs.QUERY, {"query": "*", "limit": "1"}, victorialogs.read),
    Store("Jaeger", jaeger.SERVICES, {}, jaeger.read),
)


def is_url(source: str) -> bool:
    """The source is a server's, not a file."""
    return source.startswith(("http://", "https://"))


def read(url: str, seconds: float, selector: str = "", progress: Progress = lambda _: None) -> Streams:
    """Every stream that ended in the last ``seconds``.

    Args:
        url: the base URL of one of ``STORES``.
        seconds: how far back.
        selector: which streams, in the store's own language: ``{service_name="desk"}`` on Loki, ``service.name:=desk``
            on VictoriaLogs, ``desk`` on Jaeger; all by default.
        progress: called with the number of entries that were read.

    Raises:
        InputError: it cannot be reached, is none of them, or refuses.
    """
    base = url.rstrip("/")
    try:
        with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
            return _found(client, base).read(client, base, seconds, selector, progress)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InputError(f"{url}: {type(error).__name__}: {error}") from None


def store(url: str) -> Store:
    """Which kind of store answers there.

    Raises:
        InputError: it cannot be reached, or is none.
    """
    try:
        with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
            return _found(client, url.rstrip("/"))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InputError(f"{url}: {type(error).__name__}: {error}") from None


def _found(client: httpx.Client, base: str) -> Store:
    for each in STORES:
        if _answers(client, base + each.path, each.asked):
            return each
    *others, last = [f"a {each.name} ({each.path})" for each in STORES]
    raise InputError(f"{base}: neither {', nor '.join(others)}, nor {last} answers there")


def _answers(client: httpx.Client, url: str, asked: Mapping[str, str]) -> bool:
    response = client.get(url, params=dict(asked))
    kind = response.headers.get("content-type", "")
    if response.status_code != 200:
        return False
    # Jaeger calls its JSON plain text, and shows its page at every path that it does not know.
    plain = kind.startswith("text/plain") and response.content.startswith(b"{")
    return plain or kind.startswith(("application/json", "application/stream+json"))
