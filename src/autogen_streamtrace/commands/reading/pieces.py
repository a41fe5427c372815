"""Cuts inputs into pieces of whole lines, small enough to be parsed one at a time."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple

PIECE: Final = 8 * 2**20
"""Bytes of a piece, at least one line."""
LONGEST_LINE: Final = 256 * 2**20
"""Bytes after which a line is given up, so that an input without line ends does not fill the memory."""
STDIN: Final = "-"
_GZIP: Final = b"\x1f\x8b"
_TORN: Final = (OSError, EOFError, zlib.error)


class InputError(Exception):
    """An input that cannot be opened. The message names it."""


class Piece(NamedTuple):
    """Whole lines of an input."""

    data: bytes
    consumed: int
    """Bytes of the input, as it lies on disk, up to the end of this piece."""
    problem: str = ""
    """What is wrong at its end: a torn archive, a line too long."""


def size(source: str) -> int:
    """Bytes of an input on disk; 0 where it has none that is known."""
    try:
        return 0 if source == STDIN else Path(source).stat().st_size
    except OSError:
        return 0


def pieces(source: str, limit: int = LONGEST_LINE) -> Iterator[Piece]:
    """The lines of a file, plain or gzip, or of standard input (``-``).

    Args:
        source: a path, or ``-``.
        limit: bytes of the longest line that is read.

    Raises:
        InputError: it cannot be opened.
    """
    try:
        raw: IO[bytes] = sys.stdin.buffer if source == STDIN else open(source, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InputError(f"{source}: {error.strerror or error}") from None
    with raw if source != STDIN else _Left(raw) as file:
        yield from _lines(_Source(file), limit)


class _Left:
    """A file that stays open."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __enter__(self) -> IO[bytes]:
        return self._file

    def __exit__(self, *_: object) -> None:
        pass


class _Source:
    """Reads a file that may be compressed, and counts the bytes that it has read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._head = file.read(2)
        self.consumed = len(self._head)
        self._torn: Exception | None = None
        self._plain = gzip.GzipFile(fileobj=self) if self._head == _GZIP else None  # type: ignore[call-overload]

    def read(self, count: int = -1) -> bytes:
        """Bytes as they lie on disk."""
        if self._head:
            head, self._head = self._head[:count] if count >= 0 else self._head, b""
            return head + self._more(count - len(head) if count >= 0 else -1)
        return self._more(count)

    def lines(self, count: int) -> bytes:
        """Bytes of the text. What stands before a tear is given, and the tear raised after it.

        Raises:
            OSError, EOFError, zlib.error: it cannot be read further.
        """
        if self._plain is None:
            return self.read(count)
        if self._torn is not None:
            raise self._torn
        found = bytearray()
        try:
            while len(found) < count and (data := self._plain.read1(count - len(found))):
                found += data
        except _TORN as error:
            self._torn = error
            if not found:
                raise
        return bytes(found)

    def _more(self, count: int) -> bytes:
        data = self._file.read(count) if count else b""
        self.consumed += len(data)
        return data


def _lines(source: _Source, limit: int) -> Iterator[Piece]:
    rest = b""
    skipping = False
    while True:
        problem = ""
        try:
            data = source.lines(PIECE)
        except _TORN as error:
            data, problem = b"", f"cannot be read further: {error}"
        if not data:
            if rest or problem:
                yield Piece(b"" if skipping else rest, source.consumed, problem)
            return
        end = data.rfind(b"\n") + 1
        if skipping:
            start = data.find(b"\n") + 1
            if not start:
                continue
            rest, data, skipping, end = b"", data[start:], False, end - start
        if not end:
            rest += data
            if len(rest) > limit:
                yield Piece(b"\n", source.consumed, f"a line longer than {limit // 2**20} MB was left out")
                rest, skipping = b"", True
            continue
        yield Piece(rest + data[:end], source.consumed)
        rest = data[end:]
