"""Keeps the store within its size and age: the oldest goes first, a little at a time."""

import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from autogen_streamtrace.commands.reading.columns import COLUMNS
from autogen_streamtrace.commands.store.connection import transaction
from autogen_streamtrace.commands.store.schema import TURN_LABELS
from autogen_streamtrace.core import semconv as sc

_STEP: Final = 2000
"""Rows that are removed in one transaction."""
_ROOM: Final = 0.95
"""Share of the size down to which a full store is emptied."""


_OPENED: Final = 50_000
"""Streams that started and did not end, at most."""
_LABELS: Final = 50_000
"""Labels that may have come since the last look before those that no row has are looked for."""
_SOURCES: Final = ("spans", "events", "opened")
_TEXTS: Final = {
    "streams": tuple(column.name for column in COLUMNS if column.kind in ("label", "labels")),
    "turns": TURN_LABELS,
    "sources": ("service", "version", "environment"),
    "spans": ("scope",),
    "events": ("name",),
    "opened": ("layer", "name", "waiting_on"),
}
"""The columns that are numbers of texts."""


def _used(column: str, tables: Iterable[str]) -> str:
    return " UNION ".join(f'SELECT "{column}" FROM {table} WHERE "{column}" IS NOT NULL' for table in tables)


@dataclass(frozen=True)
class Bounds:
    """How much is kept."""

    size: int = 10**9
    """Bytes of the store's file."""
    age: float = 14 * 86_400.0
    """Seconds since it was received."""


class Keeper:
    """Removes what is too old or too much.

    Args:
        connection: of the process that writes.
        bounds: how much is kept.
        forget: called when labels were removed, whose numbers must not be used any more.
    """

    def __init__(self, connection: sqlite3.Connection, bounds: Bounds, forget: Callable[[], None]) -> None:
        self._connection = connection
        self._bounds = bounds
        self._forget = forget
        self._emptying = False
        self._labels = self._label_count()

    def size(self) -> int:
        """Bytes of the file that are in use."""
        pages, free, each = (self._pragma(name) for name in ("page_count", "freelist_count", "page_size"))
        return (pages - free) * each

    def keep(self, busy: Callable[[], bool]) -> bool:
        """Removes what has to go, until ``busy`` says that something waits to be written; whether it removed any.

        Raises:
            sqlite3.Error: the store cannot be written.
        """
        self._remove_opened()
        removed = False
        while self._remove():
            removed = True
            if busy():
                break
        if removed:
            self._connection.execute("PRAGMA incremental_vacuum(2000)")
        if self._label_count() > 2 * self._labels + _LABELS:
            self._remove_labels()
        return removed

    def _remove(self) -> bool:
        before = time.time_ns() - round(self._bounds.age * 1e9)
        size = self.size()
        self._emptying = size > self._bounds.size * (_ROOM if self._emptying else 1.0)
        if self._emptying:
            return self._remove_step(time.time_ns())
        return self._remove_step(before)

    def _remove_step(self, before: int) -> bool:
        """Removes some of the rows that were received before a moment; whether there were any."""
        removed = 0
        with transaction(self._connection) as execute:
            for table in ("spans", "events"):
                last = execute(
                    f"SELECT max(id) FROM (SELECT id, received FROM {table} ORDER BY id LIMIT {_STEP})"
                    " WHERE received < ?",
                    (before,),
                ).fetchone()[0]
                if last is None:
                    continue
                removed += execute(f"DELETE FROM {table} WHERE id <= ?", (last,)).rowcount
                if table == "spans":
                    execute("DELETE FROM streams WHERE id <= ?", (last,))
                    execute("DELETE FROM turns WHERE id <= ?", (last,))
        return removed > 0

    def _remove_opened(self) -> None:
        """Removes streams whose end never came, where they are too old or too many."""
        before = time.time_ns() - round(self._bounds.age * 1e9)
        newest = f"SELECT last FROM opened ORDER BY last DESC LIMIT 1 OFFSET {_OPENED}"
        with transaction(self._connection) as execute:
            execute(f"DELETE FROM opened WHERE last < ? OR last <= ifnull(({newest}), -1)", (before,))

    def _label_count(self) -> int:
        ((count,),) = self._connection.execute("SELECT count(*) FROM texts").fetchall()
        return int(count)

    def _remove_labels(self) -> None:
        """Removes the resources, casts and labels that no row has any more."""
        with transaction(self._connection) as execute:
            execute(f"DELETE FROM sources WHERE id NOT IN ({_used('source', _SOURCES)})")
            execute(f"DELETE FROM casts WHERE id NOT IN ({_used('actors', ('turns',))})")
            labels = " UNION ".join(_used(column, (table,)) for table, columns in _TEXTS.items() for column in columns)
            names = [
                pair.partition(":")[2]
                for (members,) in execute("SELECT members FROM casts")
                for pair in members.split("|")
                if pair
            ]
            execute("CREATE TEMP TABLE kept (id INTEGER PRIMARY KEY)")
            execute(f"INSERT OR IGNORE INTO kept {labels}")
            for name in names:
                execute("INSERT OR IGNORE INTO kept VALUES (?)", (int(name),))
            marks = ", ".join("?" * len(sc.LAYERS))
            execute(f"DELETE FROM texts WHERE id NOT IN kept AND text NOT IN ({marks})", sc.LAYERS)
            execute("DROP TABLE kept")
        self._forget()
        self._labels = self._label_count()

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])
