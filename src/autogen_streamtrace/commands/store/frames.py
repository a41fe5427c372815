"""The streams of the store as the frame that `diagnose` reads."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from autogen_streamtrace.commands.reading.columns import COLUMNS, Row
from autogen_streamtrace.commands.reading.frames import SCHEMA, frame, whole
from autogen_streamtrace.commands.store.place import existing
from autogen_streamtrace.commands.store.reading import Reader

_AT_ONCE: Final = 20_000
"""Rows that are in memory as Python's objects at once."""
MOST: Final = 120_000
"""Streams that the page's findings are found in, the latest."""
_LABELS: Final = [column.kind in ("label", "labels") for column in COLUMNS]
_TRUTHS: Final = [column.kind == "truth" for column in COLUMNS]
_CELLS: Final = ", ".join(f't."{column.name}"' for column in COLUMNS)
_SELECT: Final = (
    f'SELECT o.service, s.trace, s.span, t.parent, t.start, t."end", {_CELLS}'
    " FROM {from_} JOIN sources o ON o.id = t.source WHERE {condition}"
)


def stored(folder: Path | None) -> pl.DataFrame:
    """Every stream of the store in a folder, by default in the user's.

    Raises:
        StoreError: there is none.
        sqlite3.Error: it cannot be read.
    """
    reader = Reader(existing(folder))
    try:
        return all_streams(reader)
    finally:
        reader.close()


def all_streams(reader: Reader) -> pl.DataFrame:
    """Every stream of the store."""
    query = _SELECT.format(from_="streams t JOIN spans s ON s.id = t.id", condition="1")
    return _table(reader, query, ())


def chosen_streams(reader: Reader, condition: str, values: Sequence[Any]) -> tuple[pl.DataFrame, bool]:
    """The streams of the chosen turns, the latest first, and whether they are all.

    Args:
        reader: of the store.
        condition: on the table ``turns``, named ``u``.
        values: of its parameters.
    """
    # A turn without a trace is its own only stream.
    query = _SELECT.format(
        from_="turns u JOIN spans s ON s.trace = u.trace OR (u.trace IS NULL AND s.id = u.id)"
        " JOIN streams t ON t.id = s.id",
        condition=f"{condition} ORDER BY u.id DESC LIMIT {MOST + 1}",
    )
    table = _table(reader, query, values)
    return table.head(MOST), table.height <= MOST


def _table(reader: Reader, query: str, values: Sequence[Any]) -> pl.DataFrame:
    frames = [frame(rows) for rows in _rows(reader, query, values)]
    return whole(frames or [pl.DataFrame(schema=SCHEMA)], {})


def _rows(reader: Reader, query: str, values: Sequence[Any]) -> Iterator[list[Row]]:
    cursor = reader.connection.execute(query, values)
    while rows := cursor.fetchmany(_AT_ONCE):
        yield [_row(reader, row) for row in rows]


def _row(reader: Reader, row: tuple[Any, ...]) -> Row:
    service, trace, span, parent, start, end, *cells = row
    text = reader.text
    told = [
        (text(cell) if label else bool(cell) if truth else cell) if cell is not None else None
        for cell, label, truth in zip(cells, _LABELS, _TRUTHS, strict=True)
    ]
    ids = [each.hex() if each is not None else None for each in (trace, span, parent)]
    return [text(service), *ids, start, end, *told]
