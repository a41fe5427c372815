"""*What cuts them*: turns and their endings over time, and how long they were silent or lasted."""

from bisect import bisect_right
from collections import defaultdict
from typing import Any, Final

from autogen_streamtrace.commands.store.reading import Reader
from autogen_streamtrace.commands.ui.views.filters import Filters, Where, where
from autogen_streamtrace.core import semconv as sc

Document = dict[str, Any]

_BARS: Final = 60
_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
"""Seconds of a bar."""
_PER_DECADE: Final = 20
_EDGES: Final = tuple(10 ** (at / _PER_DECADE) for at in range(-3 * _PER_DECADE, 5 * _PER_DECADE + 1))
"""Seconds: the edges of the distributions' bars."""
_TOP: Final = 10


def cuts(reader: Reader, filters: Filters) -> Document:
    """The view of the turns that the filters choose."""
    chosen = where(reader, filters)
    start, end, turns, lost, healed = _totals(reader, filters, chosen)
    step = _step((end - start) / 1e9)
    return {
        "range": {"from": start / 1e6, "to": end / 1e6, "step": step},
        "turns": turns,
        "lost": lost,
        "healed": healed,
        "over_time": _over_time(reader, chosen, start, end, step),
        **_distributions(reader, chosen),
        "by": _by(reader, chosen),
    }


def _totals(reader: Reader, filters: Filters, chosen: Where) -> tuple[int, int, int, int, int]:
    query = (
        f'SELECT min(u."end"), max(u."end"), count(*), total(u.early), total(u.healed) FROM turns u WHERE {chosen.text}'
    )
    first, last, turns, lost, healed = reader.rows(query, chosen.values)[0]
    start, end = filters.range()
    # An hour of turns in a day that was asked for is drawn as an hour.
    begin = max(first or 0, start or 0)
    finish = max(begin, (last or begin) if end is None else end)
    return begin, finish, turns, int(lost), int(healed)


def _step(seconds: float) -> float:
    wanted = seconds / _BARS
    return float(next((step for step in _STEPS if step >= wanted), 86_400 * (1 + wanted // 86_400)))


def _over_time(reader: Reader, chosen: Where, start: int, end: int, step: float) -> Document:
    width = round(step * 1e9)
    first = start // width
    bars = min(end // width - first + 1, 20 * _BARS)
    query = f'SELECT u."end" / {width} - {first}, u.outcome, count(*) FROM turns u WHERE {chosen.text} GROUP BY 1, 2'
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * bars)
    for bar, outcome, count in reader.rows(query, chosen.values):
        if bar is not None and 0 <= bar < bars:
            counts[reader.text(outcome)][bar] += count
    return {
        "at": [(first + bar) * width / 1e6 for bar in range(bars)],
        "outcomes": {outcome: counts[outcome] for outcome in sc.OUTCOMES if outcome in counts},
    }


def _distributions(reader: Reader, chosen: Where) -> Document:
    return {
        "silence": _distribution(reader, chosen, "u.silence", "u.early"),
        "duration": _distribution(reader, chosen, "u.origin_duration", "u.early"),
        "duration_well": _distribution(reader, chosen, '(u."end" - u.start) / 1e9', "NOT u.early"),
        "first_chunk": _distribution(reader, chosen, "u.first", "u.first IS NOT NULL"),
    }


def _distribution(reader: Reader, chosen: Where, measure: str, which: str) -> Document:
    query = (
        f"SELECT {_FINE.format(measure)}, u.outcome, count(*) FROM turns u"
        f" WHERE {chosen.text} AND {which} AND {measure} >= 0 GROUP BY 1, 2"
    )
    last = len(_EDGES) - 2
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * (last + 1))
    low, high = last, 0
    for fine, outcome, count in reader.rows(query, chosen.values):
        at = min(max(bisect_right(_EDGES, _middle(fine)) - 1, 0), last)
        counts[reader.text(outcome)][at] += count
        low, high = min(low, at), max(high, at)
    if not counts:
        return {"edges": [], "outcomes": {}}
    return {
        "edges": list(_EDGES[low : high + 2]),
        "outcomes": {name: counts[name][low : high + 1] for name in sc.OUTCOMES if name in counts},
    }


_FINE: Final = (
    "CASE WHEN {0} < 1 THEN CAST({0} * 1000 AS INTEGER) WHEN {0} < 100 THEN 1000 + CAST({0} * 50 AS INTEGER)"
    " ELSE 10000 + CAST(min({0}, 1e6) AS INTEGER) END"
)
"""A bar far narrower than those that are shown: SQLite has no logarithm everywhere."""


def _middle(fine: int) -> float:
    """Seconds in the middle of such a bar."""
    if fine < 1000:
        return (fine + 0.5) / 1000
    return (fine - 1000 + 0.5) / 50 if fine < 10_000 else fine - 10_000 + 0.5


def align(first: Document, second: Document) -> None:
    """Gives two distributions the same edges."""
    edges = sorted({*first["edges"], *second["edges"]})
    if not first["edges"] or not second["edges"]:
        first["edges"] = second["edges"] = edges
        return
    whole = [edge for edge in _EDGES if edges[0] <= edge <= edges[-1]]
    for each in (first, second):
        before = whole.index(each["edges"][0])
        after = len(whole) - 1 - whole.index(each["edges"][-1])
        each["outcomes"] = {name: [0] * before + bars + [0] * after for name, bars in each["outcomes"].items()}
        each["edges"] = whole


DISTRIBUTIONS: Final = ("silence", "duration", "duration_well", "first_chunk")


def _by(reader: Reader, chosen: Where) -> Document:
    """The turns that were lost, by what the origin of their ending was."""
    columns = ("layer", "host", "ended_by", "cause_type")
    query = (
        "SELECT u.origin_layer, u.host, u.ended_by, u.cause, count(*) FROM turns u"
        f" WHERE {chosen.text} AND u.early GROUP BY 1, 2, 3, 4"
    )
    lost: dict[str, dict[int, int]] = {column: defaultdict(int) for column in columns}
    for *numbers, count in reader.rows(query, chosen.values):
        for column, number in zip(columns, numbers, strict=True):
            if number is not None:
                lost[column][number] += count
    return {
        column: [
            {"value": reader.text(number), "lost": count}
            for number, count in sorted(found.items(), key=lambda item: -item[1])[:_TOP]
        ]
        for column, found in lost.items()
    }
