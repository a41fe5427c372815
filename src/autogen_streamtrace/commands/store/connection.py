"""Connections to the store's file."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from autogen_streamtrace.commands.store.packing import dictionary
from autogen_streamtrace.commands.store.schema import SCHEMA

_CACHE: Final = 24_000
"""KiB of pages that the writer keeps in memory."""
_LOG: Final = 32 * 2**20
"""Bytes that the write-ahead log keeps between two checkpoints."""
_PATIENCE: Final = 5.0
"""Seconds to wait for another process's lock."""


def writing(file: Path) -> sqlite3.Connection:
    """The connection of the one process that writes; it makes the tables of a new store.

    Raises:
        sqlite3.Error: the file cannot be used.
    """
    connection = sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    for setting in (
        "auto_vacuum = INCREMENTAL",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        f"cache_size = -{_CACHE}",
        f"journal_size_limit = {_LOG}",
    ):
        connection.execute(f"PRAGMA {setting}")
    if not connection.execute("PRAGMA user_version").fetchone()[0]:
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
        connection.execute("INSERT INTO facts VALUES ('dictionary', ?)", (dictionary(),))
    return connection


def reading(file: Path) -> sqlite3.Connection:
    """A connection that changes nothing. It can be used by any one thread at a time.

    Raises:
        sqlite3.Error: there is no such file, or it cannot be used.
    """
    # A read-only one could not make the index of the write-ahead log.
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=_PATIENCE, check_same_thread=False
    )
    connection.execute("PRAGMA query_only = 1")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[Callable[..., sqlite3.Cursor]]:
    """All of what is executed meanwhile, or nothing of it.

    Raises:
        sqlite3.Error: it could not be written, and nothing of it was.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection.execute
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def shared_dictionary(connection: sqlite3.Connection) -> bytes:
    """The dictionary with which the bodies of this store are packed."""
    return bytes(connection.execute("SELECT value FROM facts WHERE name = 'dictionary'").fetchone()[0])
