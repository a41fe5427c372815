"""The limits that the distributions show: those that the findings name, and known ones at which many turns end."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from autogen_streamtrace.limits.catalogue import KnownLimit

Document = dict[str, Any]
Measure = Literal["silence", "duration"]

_LEAST: Final = 3
"""Turns that a bar must have for a limit to be marked there."""
_SHARE: Final = 0.05
"""Share of all turns of the distribution that it must have."""
_MOST: Final = 5
"""Limits of findings that are marked, of those that lost most turns: more could not be read."""
_COUNTED: Final[dict[Measure, tuple[str, ...]]] = {"silence": ("silence", "first_byte"), "duration": ("duration",)}


def marks(cuts: Document, findings: Iterable[Document], limits: Sequence[KnownLimit]) -> Document:
    """The marks of both distributions of the view *What cuts them*."""
    found = list(findings)
    return {
        "silence": _of("silence", cuts["silence"], found, limits),
        "duration": _of("duration", cuts["duration"], found, limits),
    }


def _of(measure: Measure, bars: Document, findings: list[Document], limits: Sequence[KnownLimit]) -> list[Document]:
    named = [
        {
            "seconds": each["seconds"],
            "label": " ".join(filter(None, (each["party"], each["setting"]))) or each["title"],
            "limit": each["limit"],
            "found": True,
        }
        for each in findings
        if each["seconds"] and each["counts"] in _COUNTED[measure]
    ]
    known = _known(measure, bars, limits)
    taken = [each["seconds"] for each in named]
    return named[:_MOST] + [each for each in known if all(abs(each["seconds"] - one) > 0.05 * one for one in taken)]


def _known(measure: Measure, bars: Document, limits: Sequence[KnownLimit]) -> list[Document]:
    edges = bars["edges"]
    if not edges or not bars["outcomes"]:
        return []
    counts = [sum(column) for column in zip(*bars["outcomes"].values(), strict=True)]
    least = max(_LEAST, _SHARE * sum(counts))
    at: dict[float, list[KnownLimit]] = defaultdict(list)
    for limit in limits:
        if limit.counts in _COUNTED[measure] and limit.seconds and edges[0] <= limit.seconds <= edges[-1]:
            at[limit.seconds].append(limit)
    found = []
    for seconds, those in sorted(at.items()):
        bar = min(bisect_right(edges, seconds) - 1, len(counts) - 1)
        if counts[bar] >= least:
            more = f" and {len(those) - 1} more" if len(those) > 1 else ""
            label = f"{those[0].vendor} {those[0].setting}{more}"
            found.append({"seconds": seconds, "label": label, "limit": those[0].id, "found": False})
    return found
