"""*Compare*: two choices of turns side by side."""

import math
from typing import Any, Final

from autogen_streamtrace.commands.store.reading import Reader
from autogen_streamtrace.commands.ui.views.cuts import DISTRIBUTIONS, align, cuts
from autogen_streamtrace.commands.ui.views.filters import Filters

Document = dict[str, Any]

_SURE: Final = 2.58
"""Standard errors from which a difference of shares is no chance: 1 in 100."""


def compare(reader: Reader, first: Filters, second: Filters) -> Document:
    """Both views, and the figures in which they differ."""
    a, b = cuts(reader, first), cuts(reader, second)
    for name in DISTRIBUTIONS:
        align(a[name], b[name])
    rows = [_share("turns lost", a["lost"], a["turns"], b["lost"], b["turns"])]
    for outcome in sorted({*a["over_time"]["outcomes"], *b["over_time"]["outcomes"]}):
        counts = (sum(each["over_time"]["outcomes"].get(outcome, ())) for each in (a, b))
        rows.append(_share(outcome, next(counts), a["turns"], next(counts), b["turns"], good=outcome == "completed"))
    for what, name in _TIMES.items():
        medians = (a[name]["median"], b[name]["median"])
        told = {"what": what, "a": medians[0], "b": medians[1], "unit": "s"}
        rows.append({**told, "better": _less(*medians), "sure": False})
    return {"a": a, "b": b, "rows": rows}


_TIMES: Final = {
    "time to the first chunk, median": "first_chunk",
    "duration of complete turns, median": "duration_well",
    "silence before an early ending, median": "silence",
}
"""The distribution of each."""


def _share(what: str, a: int, of_a: int, b: int, of_b: int, *, good: bool = False) -> Document:
    first, second = (count / of if of else None for count, of in ((a, of_a), (b, of_b)))
    better = _less(second, first) if good else _less(first, second)
    sure = _differ(a, of_a, b, of_b)
    return {"what": what, "a": first, "b": second, "unit": "share", "better": better if sure else None, "sure": sure}


def _less(a: float | None, b: float | None) -> str | None:
    return None if a is None or b is None or a == b else "a" if a < b else "b"


def _differ(a: int, of_a: int, b: int, of_b: int) -> bool:
    """Whether two shares differ by more than chance."""
    if not of_a or not of_b:
        return False
    shared = (a + b) / (of_a + of_b)
    error = math.sqrt(shared * (1 - shared) * (1 / of_a + 1 / of_b))
    return error > 0 and abs(a / of_a - b / of_b) > _SURE * error
