"""*What cuts them*: turns and their endings over time, and how long they were silent or lasted."""

import itertools
from bisect import bisect_left, bisect_right
from collections import defaultdict
from typing import Any, Final

from autogen_streamtrace.commands.store.reading import Reader
from autogen_streamtrace.commands.store.schema import EVERY, SAMPLED
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
    start, end = _range(reader, filters, chosen)
    step = _step((end - start) / 1e9)
    over_time = _over_time(reader, where(reader, filters.at_any_time()), start, end, step)
    turns = sum(map(sum, over_time["outcomes"].values()))
    lost = turns - sum(over_time["outcomes"].get(sc.COMPLETED, ()))
    ((healed,),) = reader.rows(f"SELECT count(*) FROM turns u WHERE {chosen.text} AND u.healed", chosen.values)
    return {
        "range": {"from": start / 1e6, "to": end / 1e6, "step": step},
        "turns": turns,
        "lost": lost,
        "healed": healed,
        "over_time": over_time,
        "silence": distribution(reader, chosen, "u.silence", "u.early", lost),
        "duration": distribution(reader, chosen, "u.origin_duration", "u.early", lost),
        "duration_well": distribution(reader, chosen, '(u."end" - u.start) / 1e9', "NOT u.early", turns - lost),
        "first_chunk": distribution(reader, chosen, "u.first", "1", turns),
        "by": _by(reader, chosen),
    }


def _range(reader: Reader, filters: Filters, chosen: Where) -> tuple[int, int]:
    """From when to when turns are drawn: an hour of turns in a day that was asked for is drawn as an hour."""
    start, end = filters.range()
    found = [
        reader.rows(f'SELECT {which}(u."end") FROM turns u WHERE {chosen.text}', chosen.values)[0][0]
        for which in ("min", "max")
    ]
    begin = max(found[0] or 0, start or 0)
    return begin, max(begin, (found[1] or begin) if end is None else end)


def _step(seconds: float) -> float:
    wanted = seconds / _BARS
    return float(next((step for step in _STEPS if step >= wanted), 86_400 * (1 + wanted // 86_400)))


def _over_time(reader: Reader, chosen: Where, start: int, end: int, step: float) -> Document:
    """Turns by bar and outcome. Those that completed are counted as the rest: SQLite counts fast and groups slowly."""
    width = round(step * 1e9)
    first = start // width
    bars = min(end // width - first + 1, 20 * _BARS)
    within = f'FROM turns u WHERE {chosen.text} AND u."end" >= ? AND u."end" < ?'
    edges = [start, *((first + bar) * width for bar in range(1, bars)), end + 1]
    well = [
        reader.rows(f"SELECT count(*) {within}", (*chosen.values, low, high))[0][0]
        for low, high in itertools.pairwise(edges)
    ]
    early = f'SELECT u."end" / {width} - {first}, u.outcome, count(*) {within} AND u.early GROUP BY 1, 2'
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * bars)
    for bar, outcome, count in reader.rows(early, (*chosen.values, edges[0], edges[-1])):
        if bar is not None and 0 <= bar < bars:
            counts[reader.text(outcome)][bar] += count
            well[bar] -= count
    if any(well):
        counts[sc.COMPLETED] = well
    return {
        "at": [(first + bar) * width / 1e6 for bar in range(bars)],
        "outcomes": {outcome: counts[outcome] for outcome in sc.OUTCOMES if outcome in counts},
    }


def distribution(reader: Reader, chosen: Where, measure: str, which: str, turns: int) -> Document:
    """How a measure is distributed, by outcome.

    Args:
        reader: of the store.
        chosen: the turns.
        measure: in seconds.
        which: a condition on the turns.
        turns: how many there are, about; of many a sample is looked at, and counted for all.
    """
    stride = _stride(turns)
    query = (
        f"SELECT {_FINE.format(measure)}, u.outcome, count(*) FROM turns u"
        f" WHERE {chosen.text} AND {which} AND {measure} >= 0{_sampled(stride)} GROUP BY 1, 2"
    )
    rows = [(fine, reader.text(outcome), count * stride) for fine, outcome, count in reader.rows(query, chosen.values)]
    last = len(_EDGES) - 2
    bars = [(min(max(bisect_right(_EDGES, _middle(fine)) - 1, 0), last), *rest) for fine, *rest in rows]
    if not bars:
        return {"edges": [], "outcomes": {}, "median": None}
    low, high = min(bars)[0], max(bars)[0]
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * (high + 1 - low))
    for bar, outcome, count in bars:
        counts[outcome][bar - low] += count
    return {
        "edges": list(_EDGES[low : high + 2]),
        "outcomes": {name: counts[name] for name in sc.OUTCOMES if name in counts},
        "median": _median([(fine, count) for fine, _, count in rows]),
    }


def _median(counts: list[tuple[int, int]]) -> float:
    ordered = sorted(counts)
    before = list(itertools.accumulate(count for _, count in ordered))
    return _middle(ordered[bisect_left(before, before[-1] / 2)][0])


def _stride(turns: int) -> int:
    """One turn in how many is looked at: all, or as few as an index holds apart."""
    return max(1, turns // SAMPLE // EVERY * EVERY)


def _sampled(stride: int) -> str:
    """The condition of one turn in so many."""
    return "".join(f" AND {SAMPLED.format(each)} = 0" for each in {EVERY, stride}) if stride > 1 else ""


SAMPLE: Final = 5_000
"""Turns that a distribution is made of, at least, where there are enough for a sample."""
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
