"""Limits in seconds that many deployments share, and the rows of the silence heat map that they mark."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from autogen_streamtrace.core import names as n

KNOWN: Final[dict[float, str]] = {
    5: "httpx",
    10: "often set by hand",
    15: "Envoy route",
    29: "API Gateway",
    30: "gunicorn, Google LB, CloudFront, Heroku's first byte",
    55: "Heroku",
    60: "nginx, AWS ALB, HAProxy",
    100: "Cloudflare (older)",
    120: "Cloudflare",
    230: "Azure App Service",
    300: "Envoy idle, Cloud Run",
    600: "openai SDK",
    900: "AWS Lambda",
}


def rows() -> Iterator[tuple[str, float | None, float | None]]:
    """Name, lower and upper edge of each bucket of the silence histogram, from below; ``None`` where it is open."""
    edges: list[float | None] = [None, *n.SILENCE_EDGES, None]
    for low, high in pairwise(edges):
        yield name(low, high), low, high


def marked() -> Iterator[tuple[str, float, float]]:
    """The rows around a known limit."""
    for row, low, high in rows():
        if low is not None and high is not None and limit(low, high) is not None:
            yield row, low, high


def name(low: float | None, high: float | None) -> str:
    """``58.5–61.5 s ◀ 60 s: nginx, AWS ALB``; the mark only where a known limit lies inside."""
    if low is None or high is None:
        return f"under {high:g} s" if high is not None else f"over {low:g} s"
    inside = limit(low, high)
    return f"{low:g}–{high:g} s" + (f" ◀ {inside:g} s: {KNOWN[inside]}" if inside is not None else "")


def limit(low: float, high: float) -> float | None:
    """The known limit inside a bucket."""
    return next((each for each in KNOWN if low < each < high), None)
