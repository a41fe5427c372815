"""Rows of streams as one frame."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from autogen_streamtrace.commands.reading.columns import (
    COLUMNS,
    IDS,
    Column,
    Kind,
    Row,
    joined,
    nanoseconds,
    number,
    text,
    truth,
)

_TYPES: Final[dict[Kind, Any]] = {
    "label": pl.Categorical(),
    "labels": pl.Categorical(),
    "number": pl.Float64(),
    "truth": pl.Boolean(),
}

SCHEMA: Final[dict[str, Any]] = {
    "service": pl.Categorical(),
    **{name: pl.UInt64() for name in IDS},
    "start": pl.Int64(),
    "end": pl.Int64(),
    **{column.name: _TYPES[column.kind] for column in COLUMNS},
}
"""Times in nanoseconds since the epoch, numbers in seconds; ids as numbers."""


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    """The rows as a frame of ``SCHEMA``. A value of another type than its column's reads as absent."""
    if not rows:
        return pl.DataFrame(schema=SCHEMA)
    values = list(zip(*rows, strict=True))
    service, trace, span, parent, start, end, *attributes = values
    traces = _texts("trace", trace)
    series = [
        _texts("service", service).cast(pl.Categorical()),
        _hexadecimal("trace_high", traces.str.slice(0, 16)),
        _hexadecimal("trace_low", traces.str.slice(16, 16)),
        _hexadecimal("span", _texts("span", span)),
        _hexadecimal("parent", _texts("parent", parent)),
        _times("start", start),
        _times("end", end),
        *(_series(column, cells) for column, cells in zip(COLUMNS, attributes, strict=True)),
    ]
    return pl.DataFrame(series)


def _series(column: Column, cells: Sequence[Any]) -> pl.Series:
    if column.kind == "label":
        return pl.Series(column.name, _texts(column.name, cells), pl.Categorical())
    if column.kind == "labels":
        return pl.Series(column.name, [joined(cell) for cell in cells], pl.Categorical())
    if column.kind == "number":
        return _of(column.name, cells, pl.Float64(), number)
    return _of(column.name, cells, pl.Boolean(), truth)


def _texts(name: str, cells: Sequence[Any]) -> pl.Series:
    return _of(name, cells, pl.String(), text)


def _hexadecimal(name: str, texts: pl.Series) -> pl.Series:
    numbers: Any = texts.str.to_integer(base=16, dtype=pl.UInt64(), strict=False)
    return pl.Series(name, numbers)


def _times(name: str, cells: Sequence[Any]) -> pl.Series:
    """Nanoseconds: OTLP's JSON writes them as texts, some writers as numbers."""
    try:
        return pl.Series(name, cells, pl.String(), strict=True).str.to_integer(dtype=pl.Int64, strict=False)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(name, [nanoseconds(cell) for cell in cells], pl.Int64())


def _of(name: str, cells: Sequence[Any], kind: Any, clean: Any) -> pl.Series:
    try:
        return pl.Series(name, cells, kind, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(name, [clean(cell) for cell in cells], kind)


def whole(frames: Iterable[pl.DataFrame], starts: Mapping[str, Any]) -> pl.DataFrame:
    """All frames as one, each stream once: if one was written twice, its last row.

    Args:
        frames: frames of ``SCHEMA``.
        starts: start times that only the start's event shows, by span id in hexadecimal.
    """
    table = pl.concat([pl.DataFrame(schema=SCHEMA), *frames], how="vertical")
    twice = table["span"].is_duplicated() & table["span"].is_not_null()
    if twice.any():
        again = table.filter(twice).sort("start", nulls_last=False, maintain_order=True)
        table = pl.concat([table.filter(~twice), again.unique(["trace_high", "trace_low", "span"], keep="last")])
    if not starts:
        return table
    known = pl.DataFrame(
        [
            _hexadecimal("span", _texts("span", list(starts))),
            _times("started", list(starts.values())),
        ]
    ).unique("span")
    return table.join(known, on="span", how="left").with_columns(start=pl.coalesce("start", "started")).drop("started")
