"""Finds the times at which suspiciously many streams end: a timer's mark. Pure.

A timer ends streams within a narrow band, whatever else goes on; other causes spread. So a band counts as a cluster
where it holds far more than its neighbourhood lets expect by chance.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

SHORTEST: Final = 0.8
"""Seconds below which a band is no timer's mark: streams that are cut while they flow end there."""
FEWEST: Final = 5
"""Streams below which nothing is called a cluster."""
_UNIT: Final = 0.02
_KNEE: Final = 10.0
_STEPS: Final = 4
"""Bins of a band."""
_NEIGHBOURS: Final = 10
"""Bands on each side that are its neighbourhood."""
_BANDS: Final = 360
"""Bands between 0 and some hours."""
_CHANCE: Final = -16.5
"""Logarithm of the probability, 1 in 10,000 over all bands and places of their edges, below which it is no chance."""
_MOST: Final = 12
"""Clusters that are looked for in one group."""


class Cluster(NamedTuple):
    """A band of time in which many streams end."""

    shortest: float
    longest: float
    """Seconds: its edges."""
    median: float
    """Seconds."""
    streams: int
    expected: float
    """How many the neighbourhood lets expect by chance."""


def clusters(seconds: Iterable[float]) -> list[Cluster]:
    """The clusters among these times, the largest first.

    Args:
        seconds: silences, or durations; what is negative or not finite is left out.
    """
    values = sorted(value for value in seconds if 0 <= value < 1e7)
    bins = Counter(_bin(value) for value in values)
    if len(values) < FEWEST:
        return []
    total, found = len(values), []
    for _ in range(_MOST):
        best = _densest(bins, total)
        if best is None:
            break
        first, last, expected = best
        members = [value for value in values if first <= _bin(value) <= last]
        found.append(Cluster(members[0], members[-1], _middle(members), len(members), expected))
        values = [value for value in values if not first <= _bin(value) <= last]
        for at in range(first, last + 1):
            bins.pop(at, None)
    return sorted(found, key=lambda cluster: -cluster.streams)


def _bin(seconds: float) -> int:
    """Bands grow with the time: 0.2 s wide near zero, 2 % of the time where it is long."""
    return int(math.log1p(seconds / _KNEE) / _UNIT * _STEPS)


def _densest(bins: Counter[int], total: int) -> tuple[int, int, float] | None:
    """First and last bin of the least probable band, widened to its feet, and what was to be expected in it."""
    best: tuple[float, int, float] | None = None
    lowest = _bin(SHORTEST)
    for start in {at - back for at in bins for back in range(_STEPS)}:
        count = _sum(bins, start)
        if start < lowest or count < FEWEST:
            continue
        expected = _expected(bins, start, total)
        chance = count - expected - count * math.log(count / expected)
        if count > 2 * expected and chance < _CHANCE and (best is None or chance < best[0]):
            best = chance, start, expected
    if best is None:
        return None
    _, start, expected = best
    first, last = start, start + _STEPS - 1
    foot = max(1.0, 3 * expected / _STEPS)
    while first - 1 >= lowest and bins[first - 1] > foot and start - first < 3 * _STEPS:
        first -= 1
    while bins[last + 1] > foot and last - start < 4 * _STEPS:
        last += 1
    return first, last, expected * (last + 1 - first) / _STEPS


def _sum(bins: Counter[int], start: int) -> int:
    return sum(bins[start + step] for step in range(_STEPS))


def _expected(bins: Counter[int], start: int, total: int) -> float:
    """What three quarters of the neighbouring bands stay below, or an even spread over all bands.

    A quarter of the neighbours may be clusters themselves. The edge of a broad hump is none: half of its neighbours
    are as full.
    """
    around = [
        _sum(bins, start + side * band * _STEPS)
        for side in (-1, 1)
        for band in range(1, _NEIGHBOURS + 1)
        if start + side * band * _STEPS > -_STEPS
    ]
    return max(_quantile(sorted(around), 0.75), total / _BANDS)


def _quantile(values: Sequence[int], share: float) -> float:
    return float(values[min(len(values) - 1, int(share * len(values)))]) if values else 0.0


def _middle(values: Sequence[float]) -> float:
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2
