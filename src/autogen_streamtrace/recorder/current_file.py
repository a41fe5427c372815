"""The file in which this process records now, whatever becomes of it and of its disk."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.recorder import layout
from autogen_streamtrace.recorder.file import File

logger = logging.getLogger(__name__)


class CurrentFile:
    """The present file, if there is one. It warns once of the first trouble, and counts what it cannot write.

    Args:
        directory: where files are made.
        describe: returns the process's description for the header.
        counts: returns the content of the counters' file with a number.
    """

    def __init__(self, directory: Path, describe: Callable[[], dict[str, Any]], counts: Callable[[int], bytes]) -> None:
        self._directory: Final = directory
        self._describe: Final = describe
        self._counts: Final = counts
        self._warned = False
        self.slow = False
        """The disk was slow when the last file was closed."""
        self._file: File | None = None
        self.reset()

    def reset(self) -> None:
        """In a forked child: closes the parent's file, whose lock would otherwise last as long as this process."""
        if self._file is not None:
            self._file.close()
        self._file = None
        self.dropped = 0
        """Streams, or their verdicts, that could not be recorded."""
        self.failed = False
        """The last write failed."""
        self.number = 0
        """Of the counters' file; it grows with each file that replaces another."""
        self.postponed = False
        """The watcher will make the file, since the disk is slow. It writes all rows then."""
        self._size = 0
        self._described: dict[str, Any] = {}

    @property
    def path(self) -> Path | None:
        """Where the file is; None where there is none."""
        file = self._file
        return None if file is None else file.path

    def open(self) -> bool:
        """Makes a new file; returns whether that worked."""
        self.failed = False
        file = None
        try:
            self._described = self._describe()
            file = File(self._directory, layout.header(self._described))
            file.write_counts(self._counts(self.number))
        except OSError as error:
            if file is not None:  # without its counters it could not be recovered
                file.remove()
                file.close()
            file = None
            self.complain(str(error))
        self._file = file
        self._size = layout.HEADER_SIZE if file is None else 0
        self.postponed = False
        return file is not None

    def close(self, *, remove: bool) -> None:
        """Closes the file, and removes it where nothing in it is missing elsewhere."""
        file, self._file = self._file, None
        if file is not None:
            self.slow = file.slow
            if remove:
                file.remove()
            file.close()

    def write(self, data: bytes, at: int, *, count: bool = True, again: bool = False) -> bool:
        """Writes at a place of the file; returns whether that worked.

        Args:
            data: the bytes to write.
            at: the place.
            count: a failure counts as a dropped stream.
            again: the same place is written again soon, so a slow disk may skip this write.
        """
        file = self._file
        if self.postponed:
            return True
        try:
            if file is None:
                raise OSError("there is no file")
            file.write(data, at, again=again)
        except OSError as error:
            self.failed = True
            if count:
                self.drop(str(error))
            else:
                self.complain(str(error))
            return False
        if at + len(data) > self._size:
            self._size = at + len(data)
        return True

    def write_counts(self) -> bool:
        """Replaces the counters' file; returns whether that worked."""
        file = self._file
        if file is None:
            return False
        try:
            file.write_counts(self._counts(self.number + 1))
        except OSError as error:
            self.failed = True
            self.complain(str(error))
            return False
        self.number += 1
        return True

    def write_header(self) -> None:
        """Writes the header again where the process's description has changed, as a child's does after its fork."""
        described = self._describe()
        if described != self._described:
            self._described = described
            self.write(layout.header(described), 0, count=False)

    def trouble(self) -> str:
        """What is wrong with the file; empty where nothing is."""
        file = self._file  # another thread may close it
        return "there is no file" if file is None else file.trouble(self._size)

    def drop(self, why: str) -> None:
        """Counts a stream that cannot be recorded."""
        self.dropped += 1
        self.complain(why)

    def complain(self, why: str) -> None:
        """Warns, once."""
        if not self._warned:
            self._warned = True
            logger.warning(
                "The flight recorder in %s cannot record all streams: %s. The streams go on; those that would be lost"
                " with this process are counted in %s. Set AUTOGEN_STREAMTRACE_RECORDER_DIR to a directory on a disk"
                " with room, or AUTOGEN_STREAMTRACE_RECORDER to false. This warning appears once.",
                self._directory,
                why,
                sc.M_DROPPED,
            )
