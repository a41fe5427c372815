"""What the page of `ui` would ask its server for, out of the table of a diagnosis."""

from collections.abc import Sequence
from math import floor, log10
from typing import Any, Final

import polars as pl

from autogen_streamtrace.commands.diagnose.findings import Diagnosis
from autogen_streamtrace.commands.ui.causes.finding import as_document
from autogen_streamtrace.commands.ui.causes.marks import marks
from autogen_streamtrace.commands.ui.causes.runbooks import runbook
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits.catalogue import KnownLimit

Document = dict[str, Any]

_BARS: Final = 90
_PER_DECADE: Final = 20
_SHORTEST: Final = 0.001
"""Seconds of the first bar of a distribution."""
_TOP: Final = 10
_BY: Final = {"layer": "layer", "host": "host", "ended_by": "ended_by", "cause_type": "cause"}


def cuts(table: pl.DataFrame, diagnosis: Diagnosis, limits: Sequence[KnownLimit]) -> Document:
    """*What cuts them*: turns and their endings over time, and how long they were silent or lasted.

    Args:
        table: a row per stream.
        diagnosis: its causes.
        limits: the catalogue.
    """
    texts = ("outcome", *_BY.values())
    table = table.with_columns(*(pl.col(name).cast(pl.String()) for name in {*texts}))
    outermost = table.filter(pl.col("outermost"))
    origins = table.filter(pl.col("early") & pl.col("origin"))
    found = {
        "turns": diagnosis.turns or diagnosis.streams,
        "lost": diagnosis.lost,
        "healed": diagnosis.healed,
        "summary": diagnosis.summary,
        **_over_time(outermost if outermost.height else origins),
        "silence": _distribution(origins, pl.col("silence")),
        "duration": _distribution(origins, (pl.col("end") - pl.col("start")) / 1e9),
        "by": {name: _most(origins, column) for name, column in _BY.items()},
    }
    return {**found, "marks": marks(found, causes(diagnosis)["findings"], limits)}


def causes(diagnosis: Diagnosis) -> Document:
    """The findings."""
    findings = [as_document(each) for each in diagnosis.findings]
    return {"fresh": True, "again_in": None, "summary": diagnosis.summary, "findings": findings}


def runbooks(diagnosis: Diagnosis) -> dict[str, Document]:
    """The runbooks of the findings, by the address under which the page asks for them."""
    names = {each["runbook"] for each in causes(diagnosis)["findings"] if each["runbook"]}
    return {f"runbook/{name}": found for name in sorted(names) if (found := runbook(name)) is not None}


def _over_time(turns: pl.DataFrame) -> Document:
    """Turns by the time of their end, and by outcome."""
    ended = turns.filter(pl.col("end").is_not_null())
    if not ended.height:
        return {"range": {"from": 0, "to": 0, "step": 1}, "over_time": {"at": [], "outcomes": {}}}
    low: Any = ended["end"].min()
    high: Any = ended["end"].max()
    width = max(10**9, (high - low) // _BARS + 1)
    bars = int((high - low) // width) + 1
    counts = ended.group_by("outcome", bar=(pl.col("end") - low) // width).len()
    return {
        "range": {"from": low / 1e6, "to": (low + bars * width) / 1e6, "step": width / 1e9},
        "over_time": {
            "at": [(low + bar * width) / 1e6 for bar in range(bars)],
            "outcomes": _by_outcome(counts, 0, bars),
        },
    }


def _distribution(origins: pl.DataFrame, measure: pl.Expr) -> Document:
    """Early endings by a time in seconds, in bars of equal width on a logarithmic axis."""
    bar = (measure.clip(_SHORTEST).log10() * _PER_DECADE).floor().cast(pl.Int64())
    counted = origins.select("outcome", bar=bar).drop_nulls().group_by("outcome", "bar").len()
    if not counted.height:
        return {"edges": [], "outcomes": {}}
    lowest: Any = counted["bar"].min()
    highest: Any = counted["bar"].max()
    least, bars = floor(_PER_DECADE * log10(_SHORTEST)), int(highest - lowest) + 1
    first = max(least, int(lowest))
    edges = [10 ** (at / _PER_DECADE) for at in range(first, first + bars + 1)]
    return {"edges": edges, "outcomes": _by_outcome(counted, first, bars)}


def _by_outcome(counts: pl.DataFrame, first: int, bars: int) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for outcome in sc.OUTCOMES:
        own = counts.filter(pl.col("outcome") == outcome)
        if own.height:
            found[outcome] = [0] * bars
            for bar, count in own.select("bar", "len").iter_rows():
                found[outcome][bar - first] += count
    return found


def _most(origins: pl.DataFrame, column: str) -> list[Document]:
    counts = origins.filter(pl.col(column).is_not_null()).group_by(column).len().sort("len", column, descending=True)
    return [{"value": value, "lost": count} for value, count in counts.head(_TOP).iter_rows()]
