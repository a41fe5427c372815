"""Finds the times at which suspiciously many streams end: a timer's mark. Pure.

A timer ends streams within a narrow band; endings by other causes spread. So a band counts as a cluster if it has far
more endings than its neighbourhood predicts by chance. The width of the band differs from timer to timer: bands of
several widths are tried, and the least probable one wins.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

SHORTEST: Final = 0.8
"""Seconds below which a band is no timer's mark: streams that are cut while they flow end there."""
FEWEST: Final = 5
"""Streams below which nothing is called a cluster."""
BANDS: Final = (0.1, 0.2, 0.4)
"""Seconds: how wide bands are near zero. Where times are long they are 2 % of them."""
ENOUGH: Final = 0.85
"""Share of a cluster's streams that a narrower band needs to replace it."""
_UNIT: Final = 0.02
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
    chance: float
    """Logarithm of the probability that it is chance."""


def clusters(seconds: Iterable[float], bands: Sequence[float] = BANDS) -> list[Cluster]:
    """The clusters among these times, the largest first.

    Args:
        seconds: silences, or durations; negative and infinite ones and NaN are ignored.
        bands: widths to try, in seconds near zero.
    """
    values = sorted(value for value in seconds if 0 <= value < 1e7)
    total, found = len(values), []
    for _ in range(_MOST):
        best = densest(values, total, bands)
        if best is None:
            break
        found.append(best)
        values = [value for value in values if not best.shortest <= value <= best.longest]
    return sorted(found, key=lambda cluster: -cluster.streams)


def densest(values: Sequence[float], total: int, bands: Sequence[float] = BANDS) -> Cluster | None:
    """The least probable cluster of all bands, if there is one.

    Args:
        values: seconds, sorted.
        total: how many there were before others were taken out.
        bands: widths to try, in seconds near zero, the narrowest first.
    """
    if len(values) < FEWEST:
        return None
    found = [cluster for band in bands if (cluster := _densest(values, total, band)) is not None]
    best = min(found, key=lambda cluster: cluster.chance, default=None)
    if best is None:
        return None
    alike = [each for each in found if each.shortest <= best.longest and each.longest >= best.shortest]
    most = max(each.streams - each.expected for each in alike)
    return next(each for each in alike if each.streams - each.expected >= ENOUGH * most)


def _densest(values: Sequence[float], total: int, band: float) -> Cluster | None:
    """The least probable band, widened to its feet."""
    knee = band / _UNIT
    at = [_bin(value, knee) for value in values]
    bins = Counter(at)
    last = at[-1] + _STEPS * (_NEIGHBOURS + 2)
    lowest = _bin(max(SHORTEST, band), knee)
    if at[-1] < lowest:
        return None
    below = [0, *accumulate(bins[each] for each in range(last + 1))]

    def count(start: int) -> int:
        return below[min(max(start + _STEPS, 0), last + 1)] - below[min(max(start, 0), last + 1)]

    best: tuple[float, int, float] | None = None
    least = max(FEWEST, 2 * total / _BANDS)
    for start in sorted({each - back for each in bins for back in range(_STEPS) if each - back >= lowest}):
        streams = count(start)
        if streams < least:
            continue
        around = [
            count(start + side * each * _STEPS)
            for side in (-1, 1)
            for each in range(1, _NEIGHBOURS + 1)
            if start + side * each * _STEPS > -_STEPS
        ]
        beside = max((count(start + 2 * side * _STEPS) + count(start + 3 * side * _STEPS)) / 2 for side in (-1, 1))
        expected = max(_quantile(sorted(around), 0.75), beside, total / _BANDS)
        chance = streams - expected - streams * math.log(streams / expected)
        if streams > 2 * expected and chance < _CHANCE and (best is None or chance < best[0]):
            best = chance, start, expected
    return None if best is None else _widened(values, at, bins, lowest, best)


def _bin(seconds: float, knee: float) -> int:
    return int(math.log1p(seconds / knee) / _UNIT * _STEPS)


def _widened(
    values: Sequence[float], at: Sequence[int], bins: Counter[int], lowest: int, best: tuple[float, int, float]
) -> Cluster:
    chance, start, expected = best
    first, last = start, start + _STEPS - 1
    foot = max(1.0, 3 * expected / _STEPS)
    while first - 1 >= lowest and bins[first - 1] > foot and start - first < 3 * _STEPS:
        first -= 1
    while bins[last + 1] > foot and last - start < 4 * _STEPS:
        last += 1
    members = [value for value, bin_ in zip(values, at, strict=True) if first <= bin_ <= last]
    expected *= (last + 1 - first) / _STEPS
    return Cluster(members[0], members[-1], _middle(members), len(members), expected, chance)


def _quantile(values: Sequence[int], share: float) -> float:
    """What three quarters of the neighbours stay below.

    A quarter of the neighbours may be clusters themselves. The edge of a broad hump is none: half of its neighbours
    are as full.
    """
    return float(values[min(len(values) - 1, int(share * len(values)))]) if values else 0.0


def _middle(values: Sequence[float]) -> float:
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2
