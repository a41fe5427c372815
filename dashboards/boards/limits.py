"""The rows of the silence heat map, and which of them surround a limit of the catalogue."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits import catalogue

NARROW: Final = 1.25
"""How much larger the upper edge of a bucket may be than its lower one, for what is inside to be one limit's doing."""
VENDORS: Final = 2
"""As many as a row names: first those whose limit counts silence, and whose default it is."""


def rows() -> Iterator[tuple[str, float | None, float | None]]:
    """Name, lower and upper edge of each bucket of the silence histogram, from below; ``None`` where it is open."""
    edges: list[float | None] = [None, *sc.SILENCE_EDGES, None]
    for low, high in pairwise(edges):
        yield name(low, high), low, high


def marked() -> Iterator[tuple[str, float, float]]:
    """The limits, and the edges of the bucket around each."""
    for low, high in pairwise(sc.SILENCE_EDGES):
        if mark := limits(low, high):
            yield mark, low, high


def name(low: float | None, high: float | None) -> str:
    """``58.5–61.5 s ◀ 60 s: nginx, …``; the mark only where known limits lie inside."""
    if low is None or high is None:
        return f"under {high:g} s" if high is not None else f"over {low:g} s"
    mark = limits(low, high)
    return f"{low:g}–{high:g} s" + (f" ◀ {mark}" if mark else "")


def limits(low: float, high: float) -> str:
    """The known limits inside a narrow bucket: their seconds, and whose they are."""
    if high > NARROW * low:
        return ""
    found = [(each, value) for each in catalogue.builtin() for value in each.values if low < value < high]
    found.sort(key=lambda pair: (pair[0].counts != "silence", pair[0].seconds != pair[1]))
    seconds = sorted({value for _, value in found})
    vendors = list(dict.fromkeys(each.vendor for each, _ in found))
    whose = ", ".join(vendors[:VENDORS]) + (", …" if len(vendors) > VENDORS else "")
    return f"{'/'.join(f'{value:g}' for value in seconds)} s: {whose}" if found else ""
