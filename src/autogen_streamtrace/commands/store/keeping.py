"""Keeps the store within its size and age: the oldest goes first, a little at a time."""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_STEP: Final = 2000
"""Rows that are removed in one transaction."""
_ROOM: Final = 0.95
"""Share of the size down to which a full store is emptied."""


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
    """

    def __init__(self, connection: sqlite3.Connection, bounds: Bounds) -> None:
        self._connection = connection
        self._bounds = bounds
        self._emptying = False

    def size(self) -> int:
        """Bytes of the file that are in use."""
        pages, free, each = (self._pragma(name) for name in ("page_count", "freelist_count", "page_size"))
        return (pages - free) * each

    def keep(self, busy: Callable[[], bool]) -> bool:
        """Removes what has to go, until ``busy`` says that something waits to be written; whether it removed any.

        Raises:
            sqlite3.Error: the store cannot be written.
        """
        removed = False
        while self._remove():
            removed = True
            if busy():
                break
        if removed:
            self._connection.execute("PRAGMA incremental_vacuum(2000)")
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
        with _Transaction(self._connection) as execute:
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
            execute("DELETE FROM opened WHERE last < ?", (time.time_ns() - round(self._bounds.age * 1e9),))
        return removed > 0

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])


class _Transaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> Callable[..., sqlite3.Cursor]:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection.execute

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._connection.in_transaction:
            self._connection.execute("COMMIT" if kind is None else "ROLLBACK")
