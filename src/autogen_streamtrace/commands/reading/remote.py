"""Reads streams from a store by its URL: a Loki or a VictoriaLogs (log events), a Prometheus (counters)."""

from typing import Final

import httpx

from autogen_streamtrace.commands.reading import loki, prometheus, victorialogs
from autogen_streamtrace.commands.reading.files import Progress, Streams
from autogen_streamtrace.commands.reading.pieces import InputError

TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)


def is_url(source: str) -> bool:
    """The source is a server's, not a file."""
    return source.startswith(("http://", "https://"))


def read(url: str, seconds: float, selector: str = "", progress: Progress = lambda _: None) -> Streams:
    """Every stream that ended in the last ``seconds``.

    Args:
        url: the base URL of a Loki, a VictoriaLogs or a Prometheus.
        seconds: how far back.
        selector: which logs, in the store's own language: ``{service_name="desk"}`` on Loki, ``service.name:=desk``
            on VictoriaLogs; all by default.
        progress: called with the number of entries that were read.

    Raises:
        InputError: it cannot be reached, is none of them, or refuses.
    """
    base = url.rstrip("/")
    try:
        with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
            if _answers(client, f"{base}/loki/api/v1/labels"):
                return loki.read(client, base, seconds, selector or loki.SELECTOR, progress)
            if _answers(client, f"{base}/api/v1/query", query="vector(1)"):
                return prometheus.read(client, base, seconds, selector)
            if _answers(client, base + victorialogs.QUERY, query="*", limit="1"):
                return victorialogs.read(client, base, seconds, selector, progress)
    except httpx.HTTPError as error:
        raise InputError(f"{url}: {type(error).__name__}: {error}") from None
    raise InputError(
        f"{url}: neither a Loki (/loki/api/v1/labels), nor a Prometheus (/api/v1/query), nor a VictoriaLogs "
        f"({victorialogs.QUERY}) answers there"
    )


def _answers(client: httpx.Client, url: str, **parameters: str) -> bool:
    response = client.get(url, params=parameters)
    kind = response.headers.get("content-type", "")
    return response.status_code == 200 and kind.startswith(("application/json", "application/stream+json"))
