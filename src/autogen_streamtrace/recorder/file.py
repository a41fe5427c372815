"""A recorder's file: made, locked for as long as its owner lives, written without a buffer."""

import errno
import functools
import os
import stat
from pathlib import Path
from typing import Final
from uuid import uuid4

from autogen_streamtrace.recorder.directory import (
    CLAIM_SUFFIX,
    COUNTS_SUFFIX,
    NEW_SUFFIX,
    ROWS_SUFFIX,
    UnusableError,
    made,
)
from autogen_streamtrace.recorder.writing import Writer

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

_HIGH: Final = (4000, 900, 200, 64)
"""Numbers for the descriptor: a program that closes all its descriptors and opens others does not reuse these soon."""


def check_locks() -> None:
    """Raises ``UnusableError`` where this platform has no file locks."""
    if fcntl is None:
        raise UnusableError("this platform has no file locks")


def lock(descriptor: int, *, shared: bool = False) -> bool:
    """Takes the file's lock; False where another process holds it. The kernel releases it when its holder dies.

    Several processes may share it, as long as none has it alone.

    Raises:
        OSError: there are no file locks here.
    """
    if fcntl is None:
        raise OSError(errno.ENOSYS, "this platform has no file locks")
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def release(descriptor: int) -> None:
    """Releases a lock and closes the descriptor. A child forked meanwhile has a copy of it, but not the lock."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


_LAST: Final = 1.0
"""Seconds that a slow disk gets for the last writes."""


class File:
    """The file of this process.

    Args:
        directory: the directory, which is made.
        header: the first bytes.

    Raises:
        OSError: it cannot be made, or there are no file locks.
    """

    def __init__(self, directory: Path, header: bytes) -> None:
        name = f"{os.getpid()}-{uuid4().hex[:12]}"
        self.path: Final = made(directory) / (name + ROWS_SUFFIX)
        self.counts: Final = directory / (name + COUNTS_SUFFIX)
        new = self.path.with_suffix(NEW_SUFFIX)
        self._owner = os.getpid()
        self._descriptor = _up(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW | os.O_CLOEXEC, 0o600))
        self._writer = Writer(functools.partial(os.pwrite, self._descriptor))
        self.write: Final = self._writer.write
        """Writes at a place of the file, or lets a thread write where the disk is slow."""
        try:
            if not lock(self._descriptor):
                raise OSError(errno.EAGAIN, "a new file is locked")
            self._header: Final = header[:8]
            self.write(header, 0)
            os.rename(new, self.path)  # under this name it is always locked, with a whole header
            self._identity = identity(os.fstat(self._descriptor))
        except BaseException:
            if self._writer.end(_LAST):
                os.close(self._descriptor)
            new.unlink(missing_ok=True)
            raise

    @property
    def slow(self) -> bool:
        """Its disk is slow, so a thread writes."""
        return self._writer.slow

    def write_counts(self, data: bytes) -> None:
        """Replaces the file of the counters as a whole.

        Raises:
            OSError: it could not be written.
        """
        write_whole(self.counts, data)

    def trouble(self, size: int) -> str:
        """What is wrong with the file, which should have ``size`` bytes at least; empty where nothing is."""
        waits = self.slow  # what a thread has yet to write is missing without any trouble
        try:
            if identity(os.fstat(self._descriptor)) != self._identity:
                return "its descriptor was closed"
            there = os.stat(self.path, follow_symlinks=False)
            begins = os.pread(self._descriptor, len(self._header), 0) == self._header
        except FileNotFoundError:
            return "it was removed"
        except OSError as error:
            return str(error)
        if identity(there) != self._identity:
            return "it was replaced"
        return "" if waits or (there.st_size >= size and begins) else "it was truncated"

    def close(self) -> None:
        """Closes this process's descriptor. A lock that a parent holds through another descriptor stays."""
        if self._owner == os.getpid() and not self._writer.end(_LAST):
            return  # who still writes must not meet another file under its number
        try:
            if identity(os.fstat(self._descriptor)) == self._identity:
                os.close(self._descriptor)
        except OSError:
            pass

    def remove(self) -> None:
        """Removes the file and the counters' file."""
        for path in (self.path, self.counts):
            try:
                path.unlink(missing_ok=True)
            except OSError:
                pass


_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)


def write_whole(path: Path, data: bytes) -> None:
    """Replaces a file. A reader finds the old content or the new one.

    Raises:
        OSError: it could not be written; the old file stays.
    """
    new = path.with_name(path.name + NEW_SUFFIX)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.ENOSPC, "no space is left on the device")
        finally:
            os.close(descriptor)
        os.replace(new, path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def identity(found: os.stat_result) -> tuple[int, int]:
    """What identifies a file, whatever its name."""
    return found.st_dev, found.st_ino


def _up(descriptor: int) -> int:
    if fcntl is not None:
        for high in _HIGH:
            try:
                moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, high)
            except OSError:
                continue
            os.close(descriptor)
            return int(moved)
    return descriptor


def opened(path: Path) -> int:
    """Opens a recorder's file of another process.

    Raises:
        UnusableError: it is no regular file of this user's.
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | _NOFOLLOW | os.O_CLOEXEC)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or (found.st_uid != os.geteuid() and os.geteuid() != 0):
        os.close(descriptor)
        raise UnusableError(f"{path} is no regular file of user {os.geteuid()}")
    return descriptor


def claim(path: Path) -> int:
    """Opens the claim file of the recorder ``path``; makes it if needed. Its lock is the right to recover.

    Raises:
        OSError: it cannot be made.
    """
    owner = path.stat()
    descriptor = os.open(path.with_suffix(CLAIM_SUFFIX), os.O_RDWR | os.O_CREAT | _NOFOLLOW | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:  # the recorder's user must be able to recover it, should this process die
        try:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        except OSError:
            os.close(descriptor)
            raise
    return descriptor
