"""Reads files of OTLP JSON into one frame: pieces are parsed in other processes, a core each."""

import contextlib
import gc
import io
import itertools
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import polars as pl

from autogen_streamtrace.commands.reading.frames import SCHEMA, frame, whole
from autogen_streamtrace.commands.reading.otlp_json import BadLine, parse
from autogen_streamtrace.commands.reading.pieces import PIECE, InputError, Piece, pieces, size

SMALL: Final = 4 * PIECE
"""Bytes of input below which other processes do not pay."""
BAD_KEPT: Final = 20
"""Bad lines that are listed one by one."""

Progress = Callable[[int], None]
"""Called with the number of bytes or entries that have been read."""


@dataclass
class Streams:
    """What the inputs contain."""

    table: pl.DataFrame
    """A row per stream that ended, in the columns of ``frames.SCHEMA``."""
    lines: int = 0
    others: int = 0
    """Spans and log records that are not of a stream."""
    bad: int = 0
    """Lines, or files, that could not be used, wholly or in part."""
    told: list[str] = field(default_factory=list)
    """The first of them: its place, and its fault."""
    remark: str = ""
    """Facts that the source does not have."""

    def note(self, where: str, problem: str) -> None:
        """Counts something that could not be used."""
        self.bad += 1
        if len(self.told) < BAD_KEPT:
            self.told.append(f"{where}: {problem}")


class _Done(NamedTuple):
    """A parsed piece, in a form that passes quickly between processes."""

    frame: bytes
    starts: dict[str, Any]
    lines: int
    used: int
    others: int
    bad: list[BadLine]


def read(sources: Sequence[str], progress: Progress = lambda _: None) -> Streams:
    """Every stream in these files, each once.

    Args:
        sources: paths of OTLP JSON lines, plain or gzip; ``-`` is standard input.
        progress: called with the bytes on disk that were read.

    Raises:
        InputError: a file that cannot be opened, is empty, or contains no OTLP.
    """
    streams = Streams(pl.DataFrame(schema=SCHEMA))
    frames: list[pl.DataFrame] = []
    starts: dict[str, Any] = {}
    before = 0
    small = all(0 < size(source) < SMALL for source in sources) and sum(map(size, sources)) < SMALL
    with _Workers(1 if small else _cores()) as workers:
        for source in sources:
            line = consumed = used = 0
            problem = ""
            for piece, done in workers.each(pieces(source)):
                frames.append(pl.read_ipc(io.BytesIO(done.frame)))
                starts.update(done.starts)
                for bad in done.bad:
                    streams.note(f"{source}:{line + bad.line}", bad.problem)
                    problem = problem or bad.problem
                line += done.lines
                used += done.used
                if piece.problem:
                    streams.note(f"{source}:{line}", piece.problem)
                    problem = problem or piece.problem
                streams.others += done.others
                consumed = piece.consumed
                progress(before + consumed)
            if not used:
                raise InputError(f"{source} has no line of OTLP JSON ({problem})" if problem else f"{source} is empty")
            before += consumed
            streams.lines += line
    streams.table = whole(frames, starts)
    return streams


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return min(8, len(affinity(0)) if affinity is not None else os.cpu_count() or 1)


def _work(data: bytes) -> _Done:
    with _uncollected():
        parsed = parse(data)
    buffer = io.BytesIO()
    frame(parsed.rows).write_ipc(buffer)
    return _Done(buffer.getvalue(), parsed.starts, parsed.lines, parsed.used, parsed.others, parsed.bad)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection: it would look at every list of a document again and again, and none is in a cycle."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Workers:
    """Parses pieces in so many processes, in order, with few pieces under way at once."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "_Workers":
        if self._count > 1:
            # A forked child would inherit the locks of this process's threads.
            self._pool = ProcessPoolExecutor(self._count, multiprocessing.get_context("spawn"), _alone)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def each(self, waiting: Iterable[Piece]) -> Iterator[tuple[Piece, _Done]]:
        """Each piece, parsed."""
        if self._pool is None:
            for piece in waiting:
                yield piece, _work(piece.data)
            return
        source = iter(waiting)
        under_way: deque[tuple[Piece, Future[_Done]]] = deque()
        while True:
            for piece in itertools.islice(source, self._count + 1 - len(under_way)):
                under_way.append((piece._replace(data=b""), self._pool.submit(_work, piece.data)))
            if not under_way:
                return
            piece, future = under_way.popleft()
            yield piece, future.result()


def _alone() -> None:
    """A worker is one core: its libraries start no threads of their own."""
    os.environ["POLARS_MAX_THREADS"] = "1"
