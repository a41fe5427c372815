"""Where the store lies: one file of this user's alone, and the lock of the process that writes it."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from autogen_streamtrace.commands.store.schema import VERSION
from autogen_streamtrace.recorder import directory
from autogen_streamtrace.recorder.file import lock, release

FILE: Final = "streams.sqlite3"
LOCK: Final = "writer.lock"
OLDEST: Final = (3, 35)
"""The SQLite that is needed."""
BESIDE: Final = ("", "-wal", "-shm")
"""Ends of the names of SQLite's files."""

logger = logging.getLogger(__name__)


class StoreError(Exception):
    """The store cannot be used. The message names it and says what to do."""


def default() -> Path:
    """The store's directory in the user's state directory.

    Raises:
        StoreError: this user has no home directory.
    """
    try:
        return directory.base() / "ui"
    except directory.UnusableError as error:
        raise StoreError(f"there is no place for the store: {error}; name one with --store") from None


def existing(folder: Path | None) -> Path:
    """The file of the store that is there.

    Raises:
        StoreError: there is none.
    """
    file = (folder or default()) / FILE
    if not file.exists():
        raise StoreError(
            f"name a FILE: nothing was received yet that could be read instead, since {file} does not exist;"
            " `autogen-streamtrace ui` makes it"
        )
    return file


@contextmanager
def held(folder: Path) -> Iterator[Path]:
    """The store's file, made if needed with mode 0600, for the one process that writes it.

    Raises:
        StoreError: another process writes it, or it cannot be made.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        needed, there = ".".join(map(str, OLDEST)), sqlite3.sqlite_version
        raise StoreError(f"the store needs SQLite {needed}, and this Python has {there}; use a newer Python")
    try:
        directory.made(folder)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"the store {folder} cannot be made: {error}; name another with --store") from None
    try:
        if not lock(descriptor):
            other = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
            raise StoreError(f"the store {folder} is in use: {other or 'another `autogen-streamtrace ui` writes it'}")
        yield _sound(folder / FILE)
    except OSError as error:
        raise StoreError(f"the store {folder} cannot be used: {error}; name another with --store") from None
    finally:
        release(descriptor)


def say(folder: Path, text: str) -> None:
    """Lets whoever finds the store in use know what uses it."""
    try:
        (folder / LOCK).write_text(text, encoding="utf-8")
    except OSError as error:
        logger.debug("%s: %s", folder, error)


def _sound(file: Path) -> Path:
    """The file itself; one that is damaged or of another version is set aside before."""
    if file.exists() and (fault := _fault(file)):
        aside = file.with_name(f"{file.name}.{os.getpid()}.aside")
        for end in BESIDE:
            try:
                os.rename(f"{file}{end}", f"{aside}{end}")
            except FileNotFoundError:
                continue
        logger.warning("The store %s cannot be read (%s). It is now %s; a new one begins.", file, fault, aside.name)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    os.chmod(file, 0o600)
    return file


def _fault(file: Path) -> str:
    if not file.stat().st_size:
        return ""
    try:
        connection = sqlite3.connect(file)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute("SELECT count(*) FROM (SELECT 1 FROM turns ORDER BY id DESC LIMIT 1)").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if version == VERSION else f"it has version {version}, and this is version {VERSION}"
