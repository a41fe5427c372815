"""Reads the store, also while another process writes it."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from autogen_streamtrace.commands.store import connection as connections
from autogen_streamtrace.commands.store.packing import Packing

_KEPT: Final = 100_000
"""Texts that are kept in memory."""


class Reader:
    """A connection that changes nothing, for one thread at a time.

    Args:
        file: the store's file.

    Raises:
        sqlite3.Error: it cannot be read.
    """

    def __init__(self, file: Path) -> None:
        self.connection = connections.reading(file)
        self._packing = Packing(connections.shared_dictionary(self.connection))
        self._texts: dict[int, str] = {}
        self._casts: dict[int, frozenset[tuple[int, int]]] = {}
        self._cast_seen = 0

    def close(self) -> None:
        """Closes it."""
        self.connection.close()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.connection.execute(query, values).fetchall()

    def text(self, number: int | None) -> str:
        """A label; empty where there is none."""
        if number is None:
            return ""
        found = self._texts.get(number)
        if found is None:
            row = self.connection.execute("SELECT text FROM texts WHERE id = ?", (number,)).fetchone()
            found = str(row[0]) if row is not None else ""
            if len(self._texts) >= _KEPT:
                self._texts.clear()
            self._texts[number] = found
        return found

    def number(self, text: str) -> int | None:
        """The number of a label; none where no row has it."""
        row = self.connection.execute("SELECT id FROM texts WHERE text = ?", (text,)).fetchone()
        return None if row is None else int(row[0])

    def casts(self) -> dict[int, frozenset[tuple[int, int]]]:
        """What takes part in turns, by its number: pairs of the numbers of a layer and of a name."""
        for number, members in self.rows("SELECT id, members FROM casts WHERE id > ?", (self._cast_seen,)):
            pairs = (pair.split(":") for pair in members.split("|") if pair)
            self._casts[number] = frozenset((int(layer), int(name)) for layer, name in pairs)
            self._cast_seen = max(self._cast_seen, number)
        return self._casts

    def resource(self, source: int | None) -> dict[str, Any]:
        """The attributes of a resource."""
        row = self.connection.execute("SELECT resource FROM sources WHERE id = ?", (source,)).fetchone()
        try:
            found = orjson.loads(row[0]) if row is not None else {}
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    def unpack(self, body: bytes) -> Any:
        """The OTLP JSON of a span or a log record."""
        return self._packing.unpack(body)


class Readers:
    """Some connections to one store, for threads that read beside each other.

    Args:
        file: the store's file.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._free: list[Reader] = []
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[Reader]:
        """A reader of one state of the store, for as long as the context lasts.

        Raises:
            sqlite3.Error: the store cannot be read.
        """
        with self._lock:
            reader = self._free.pop() if self._free else None
        reader = reader or Reader(self.file)
        try:
            reader.connection.execute("BEGIN")
            yield reader
        except sqlite3.Error:
            reader.close()
            raise
        finally:
            if _usable(reader.connection):
                reader.connection.rollback()
                with self._lock:
                    self._free.append(reader)

    def close(self) -> None:
        """Closes those that are free."""
        with self._lock:
            for each in self._free:
                each.close()
            self._free.clear()


def _usable(connection: sqlite3.Connection) -> bool:
    try:
        connection.in_transaction  # noqa: B018 - it raises once the connection is closed
        connection.total_changes  # noqa: B018
    except sqlite3.ProgrammingError:
        return False
    return True
