"""One row per stream: which columns there are, and how a batch of rows becomes a frame."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import polars as pl

from autogen_streamtrace.core import semconv as sc

Kind = Literal["label", "labels", "number", "truth"]


class Column(NamedTuple):
    """A column that comes from an attribute."""

    name: str
    attribute: str
    kind: Kind


COLUMNS: Final = (
    Column("layer", sc.A_LAYER, "label"),
    Column("name", sc.A_NAME, "label"),
    Column("outcome", sc.A_OUTCOME, "label"),
    Column("ended_by", sc.A_ENDED_BY, "label"),
    Column("waiting_on", sc.A_WAITING_ON_TYPE, "label"),
    Column("waiting_on_name", sc.A_WAITING_ON_NAME, "label"),
    Column("cause", sc.A_CAUSE_TYPE, "label"),
    Column("cancelled_by", sc.A_CANCELLED_BY, "label"),
    Column("limit", sc.A_LIMIT_ID, "label"),
    Column("limit_source", sc.A_LIMIT_SOURCE, "label"),
    Column("intermediary", sc.A_INTERMEDIARY, "label"),
    Column("host", sc.SERVER_ADDRESS, "label"),
    Column("early", sc.A_EARLY, "truth"),
    Column("fault", sc.A_FAULT, "truth"),
    Column("origin", sc.A_ORIGIN, "truth"),
    Column("outermost", sc.A_OUTERMOST, "truth"),
    Column("silence", sc.A_SILENCE, "number"),
    Column("longest_gap", sc.A_LONGEST_GAP, "number"),
    Column("first", sc.A_FIRST_CHUNK, "number"),
    Column("limit_value", sc.A_LIMIT_VALUE, "number"),
    Column("status", sc.HTTP_STATUS, "number"),
    Column("chunks", sc.A_CHUNKS, "number"),
    Column("loop_late", sc.A_LOOP_LATE, "number"),
    Column("intermediaries", sc.A_INTERMEDIARIES, "labels"),
    Column("upstream_server", sc.A_UPSTREAM_SERVER, "label"),
    Column("reused", sc.A_CONNECTION_REUSED, "truth"),
    Column("idle", sc.A_CONNECTION_IDLE, "number"),
    Column("keep_alive", sc.A_CONNECTION_KEEP_ALIVE, "number"),
    Column("http_version", sc.NETWORK_PROTOCOL_VERSION, "label"),
    Column("close_type", sc.A_CLOSE_TYPE, "label"),
    Column("within_event", sc.A_CLOSE_WITHIN_EVENT, "truth"),
    Column("to_headers", sc.A_TIME_TO_HEADERS, "number"),
    Column("page", sc.A_REFUSAL_PAGE, "label"),
    Column("missing", sc.A_REFUSAL_MISSING, "labels"),
    Column("survived", sc.A_SURVIVED_SILENCE, "number"),
    Column("expected_timeout", sc.A_EXPECTED_TIMEOUT, "number"),
    Column("grace", sc.A_DISCONNECT_GRACE, "number"),
)

IDS: Final = ("trace_high", "trace_low", "span", "parent")
BESIDE: Final = ("service", "trace", "span", "parent", "start", "end")
"""What a row has that is no attribute, in this order, before the columns."""

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

LABEL_LENGTH: Final = 200
"""Characters of a label, at most."""

Row = list[Any]
"""The values of ``BESIDE``, then one per column; none where there is none."""


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
        return pl.Series(column.name, [_joined(cell) for cell in cells], pl.Categorical())
    if column.kind == "number":
        return _of(column.name, cells, pl.Float64(), _number)
    return _of(column.name, cells, pl.Boolean(), _truth)


def _texts(name: str, cells: Sequence[Any]) -> pl.Series:
    return _of(name, cells, pl.String(), _text)


def _hexadecimal(name: str, texts: pl.Series) -> pl.Series:
    numbers: Any = texts.str.to_integer(base=16, dtype=pl.UInt64(), strict=False)
    return pl.Series(name, numbers)


def _times(name: str, cells: Sequence[Any]) -> pl.Series:
    """Nanoseconds: OTLP's JSON writes them as texts, some writers as numbers."""
    try:
        return pl.Series(name, cells, pl.String(), strict=True).str.to_integer(dtype=pl.Int64, strict=False)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(name, [_nanoseconds(cell) for cell in cells], pl.Int64())


def _of(name: str, cells: Sequence[Any], kind: Any, clean: Any) -> pl.Series:
    try:
        return pl.Series(name, cells, kind, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(name, [clean(cell) for cell in cells], kind)


def _text(cell: Any) -> str | None:
    return cell[:LABEL_LENGTH] if isinstance(cell, str) else None


def _joined(cell: Any) -> str | None:
    """The texts of OTLP's list, or of a JSON text of one, as logs' stores give it, between spaces."""
    if isinstance(cell, str):
        texts = re.findall(r"[a-z0-9_]+", cell)
    else:
        values = cell.get("values") if isinstance(cell, dict) else cell
        members = values if isinstance(values, list) else []
        texts = [
            text
            for each in members
            if isinstance(text := each.get("stringValue") if isinstance(each, dict) else each, str)
        ]
    return " ".join(texts)[:LABEL_LENGTH] or None


def _truth(cell: Any) -> bool | None:
    if isinstance(cell, str):
        return {"true": True, "false": False}.get(cell)
    return cell if isinstance(cell, bool) else None


def _number(cell: Any) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, (int, float, str)):
        return None
    try:
        number = float(cell)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _nanoseconds(cell: Any) -> int | None:
    if isinstance(cell, bool) or not isinstance(cell, (int, str)):
        return None
    try:
        number = int(cell)
    except ValueError:
        return None
    return number if 0 <= number < 2**63 else None


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
