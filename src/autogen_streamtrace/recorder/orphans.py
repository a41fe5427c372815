"""The recorders of other processes: which processes have died, what their files hold, and who may recover them.

Two locks. A process holds the lock of its recorder's file as long as it lives. A process that recovers a dead one
holds the lock of a claim file beside it, so that no other process recovers the same.
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from autogen_streamtrace.core.watching.supervision import Timer
from autogen_streamtrace.recorder import directory, layout, retired_counts
from autogen_streamtrace.recorder.file import claim, identity, lock, opened, release, write_whole
from autogen_streamtrace.recorder.retired_counts import CountersFile

_MOST: Final = layout.row_at(layout.ROWS)

_MAKING: Final = 60.0
"""Seconds after which an unfinished file is abandoned."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Orphan:
    """The content of a dead or living process's recorder."""

    path: Path
    described: dict[str, Any]
    seen: tuple[float, int]
    """When its process was last seen alive: in seconds on its ``clock``, and in nanoseconds since the epoch."""
    rows: list[layout.Row]
    """In the order in which their streams started."""
    counters: CountersFile
    damaged: list[str] = field(default_factory=list)
    """What could not be read."""
    timers: tuple[Timer, ...] = ()
    """The timers by which its server would have ended the process, as they ran when it was last seen."""

    @property
    def pid(self) -> int:
        """The process id, in the process's own namespace."""
        return int(self.described.get("pid", 0))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of its process."""
        return dict(self.described.get("settings", {}))


def read(path: Path, descriptor: int | None = None) -> Orphan:
    """Reads a recorder's file, and the counters' beside it.

    Raises:
        Unreadable: it is no recorder's file, or its header is damaged, or it has another version.
        OSError: it cannot be read.
    """
    data = _content(path, descriptor)
    described = layout.read_header(data)
    rows, damaged = [], []
    for slot in range(max(0, -(-(len(data) - layout.ROWS_AT) // layout.ROW_SIZE))):
        try:
            row = layout.read_row(data, slot)
        except (layout.Unreadable, ValueError, TypeError, IndexError) as error:
            damaged.append(f"row {slot}: {error}")
            continue
        if row is not None:
            rows.append(row)
    counted = CountersFile(0, {}, [])
    try:
        counted = retired_counts.read(path.with_suffix(directory.COUNTS_SUFFIX).read_bytes())
    except FileNotFoundError:
        damaged.append("its counters are gone")
    except (ValueError, TypeError, KeyError) as error:
        damaged.append(f"its counters: {error}")
    rows = [row for row in rows if not row.retired_in or row.retired_in > counted.state]
    rows.sort(key=lambda row: row.serial)
    return Orphan(path, described, layout.read_pulse(data), rows, counted, damaged, layout.read_timers(data))


def read_header(path: Path) -> dict[str, Any]:
    """What the header of a recorder's file describes.

    Raises:
        Unreadable: it is no recorder's file, or is damaged, or has another version.
        OSError: it cannot be read.
    """
    with path.open("rb") as opened_file:
        return layout.read_header(opened_file.read(layout.HEADER_SIZE))


def _content(path: Path, descriptor: int | None) -> bytes:
    own = os.open(path, os.O_RDONLY | os.O_CLOEXEC) if descriptor is None else descriptor
    try:
        return os.pread(own, min(_MOST, os.fstat(own).st_size), 0)
    finally:
        if descriptor is None:
            os.close(own)


@contextmanager
def orphaned(path: Path) -> Iterator[int | None]:
    """Opens a recorder whose process has died; None where it lives, or there is no file. Several may do so at once.

    Raises:
        OSError: it cannot be opened, or there are no file locks.
    """
    try:
        descriptor = opened(path)
    except FileNotFoundError:
        yield None
        return
    with _kept(descriptor):
        # Another process may have recovered and removed it between our opening and our lock.
        yield descriptor if lock(descriptor, shared=True) and _still(path, descriptor) else None


@contextmanager
def claimed(path: Path) -> Iterator[int | None]:
    """Claims a recorder whose process has died, so that nobody else recovers it; None where that is not possible.

    Raises:
        OSError: it cannot be opened or claimed, or there are no file locks.
    """
    with orphaned(path) as descriptor:
        if descriptor is None:
            yield None
            return
        with _claim_lock(path) as mine:
            yield descriptor if mine and _still(path, descriptor) else None


@contextmanager
def _claim_lock(path: Path) -> Iterator[bool]:
    """Holds the claim file's lock; yields whether nobody else holds it."""
    descriptor = claim(path)
    name = path.with_suffix(directory.CLAIM_SUFFIX)
    with _kept(descriptor):
        mine = lock(descriptor) and _still(name, descriptor)
        try:
            yield mine
        finally:
            if mine:
                name.unlink(missing_ok=True)


_descriptors: Final[set[int]] = set()
"""Open descriptors with a lock. A forked child gets copies of them."""


@contextmanager
def _kept(descriptor: int) -> Iterator[None]:
    _descriptors.add(descriptor)
    try:
        yield
    finally:
        if descriptor in _descriptors:
            _descriptors.remove(descriptor)
            release(descriptor)


def _forked() -> None:
    """In a forked child: closes the copies, which would otherwise hold the locks as long as the child lives."""
    for each in _descriptors:
        os.close(each)
    _descriptors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def alive(path: Path) -> bool:
    """Whether its process lives, and so holds the lock."""
    try:
        with orphaned(path) as descriptor:
            return descriptor is None and path.exists()
    except OSError:
        return False


def replace_counters(path: Path, content: bytes) -> None:
    """Replaces the counters' file of a claimed recorder."""
    write_whole(path.with_suffix(directory.COUNTS_SUFFIX), content)


def remove(path: Path) -> None:
    """Removes a recorder whose streams have been recovered."""
    for each in (path, path.with_suffix(directory.COUNTS_SUFFIX)):
        each.unlink(missing_ok=True)


def set_aside(path: Path, why: str) -> Path:
    """Renames a file that cannot be read, and warns."""
    aside = path.with_name(path.name + directory.ASIDE_SUFFIX)
    path.rename(aside)
    logger.warning("The flight recorder %s could not be recovered completely: %s. It is now %s.", path, why, aside.name)
    return aside


def sweep(chosen: directory.Chosen = None) -> None:
    """Removes the fragments of processes that died while they made or removed a file."""
    for path in directory.own(chosen).glob("*"):
        try:
            if _is_fragment(path):
                path.unlink(missing_ok=True)
        except OSError as error:
            logger.debug("%s stays: %s", path, error)


def _is_fragment(path: Path) -> bool:
    rows = path.with_suffix(directory.ROWS_SUFFIX)  # it is made before the others, and its name is never used again
    if path.suffix == directory.NEW_SUFFIX:
        return time.time() - path.lstat().st_mtime > _MAKING
    if path.suffix == directory.CLAIM_SUFFIX:
        return not rows.exists()
    if path.suffix == directory.COUNTS_SUFFIX:
        return not rows.exists() and not rows.with_name(rows.name + directory.ASIDE_SUFFIX).exists()
    return False


def _still(path: Path, descriptor: int) -> bool:
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return identity(there) == identity(os.fstat(descriptor))
