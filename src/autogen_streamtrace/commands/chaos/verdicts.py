"""What the program's telemetry says of each exchange, found by the trace that the request named."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from autogen_streamtrace.commands.chaos.tally import Done
from autogen_streamtrace.commands.extras import require
from autogen_streamtrace.commands.reading.pieces import InputError
from autogen_streamtrace.commands.statuses import wrong
from autogen_streamtrace.commands.store.place import StoreError, existing
from autogen_streamtrace.core import semconv as sc

if TYPE_CHECKING:
    import polars as pl

    from autogen_streamtrace.commands.reading.files import Streams

PAGE: Final = "ui"
"""The source that is the store of `autogen-streamtrace ui`."""
SKEW: Final = 60.0
"""Seconds by which a store's clock may be behind."""
_WORDS: Final = ("outcome", "ended_by", "limit", "intermediary")
_COLUMNS: Final = ("trace_high", "trace_low", "parent", "end", "layer", "outermost", *_WORDS, "early")
NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True)
class Verdict:
    """What one HTTP exchange was told to be."""

    outcome: str
    ended_by: str
    limit: str
    intermediary: str
    early: bool

    def __str__(self) -> str:
        limit = f", {self.limit}" if self.limit else ""
        return f"{self.outcome}, {self.ended_by}{limit}"


@dataclass(frozen=True)
class Told:
    """What was told of one stream."""

    parent: str
    """The span around it; empty where it has none, or where a store has log events alone."""
    ended: float
    """Seconds since the epoch."""
    http: bool
    """It is an HTTP exchange."""
    outermost: bool
    verdict: Verdict


class Verdicts:
    """The telemetry at a file or URL. It is read at the end of the run.

    Args:
        source: a file, which may be written during the run, the URL of a store, or ``ui`` for what
            `autogen-streamtrace ui` has received.
    """

    def __init__(self, source: str) -> None:
        require("polars", "orjson", "httpx", what="chaos --verdicts")
        self.source = source
        self._began = time.time()

    def check(self) -> None:
        """Finds out at the beginning whether there will be something to read.

        Raises:
            click.BadParameter: there will be nothing; the message says why.
        """
        with _told_as_wrong():
            if self.source == PAGE:
                _file_of_page()
            elif "://" in self.source:
                _check_url(self.source)
            elif problem := _problem(Path(self.source)):
                raise InputError(f"{self.source}: {problem}")

    def of(self, exchanges: Iterable[Done]) -> dict[int, Verdict]:
        """The verdict on each exchange of which something is told, by its number.

        Raises:
            click.BadParameter: the source cannot be read.
        """
        streams: dict[str, list[Told]] = {}
        for row in self.table().select(_COLUMNS).iter_rows(named=True):
            streams.setdefault(_trace(row), []).append(_told(row))
        found: dict[int, Verdict] = {}
        for trace, asked in _by_trace(exchanges).items():
            found |= _matched(asked, streams.get(trace, []))
        return found

    def table(self) -> "pl.DataFrame":
        """A row per stream that ended, as `diagnose` reads it.

        Raises:
            click.BadParameter: the source cannot be read.
        """
        with _told_as_wrong():
            if self.source == PAGE:
                from autogen_streamtrace.commands.store.frames import stored

                return stored(_file_of_page().parent)
            return self._streams().table

    def _streams(self) -> "Streams":
        from autogen_streamtrace.commands.reading import files, remote

        if remote.is_url(self.source):
            return remote.read(self.source, time.time() - self._began + SKEW)
        return files.read([self.source])


@contextlib.contextmanager
def _told_as_wrong() -> Iterator[None]:
    """What cannot be read is a wrong use of the option."""
    try:
        yield
    except (InputError, StoreError, sqlite3.Error) as error:
        raise wrong("--verdicts", error) from None


def _file_of_page() -> Path:
    """Where `autogen-streamtrace ui` keeps what it gets."""
    named = os.environ.get("AUTOGEN_STREAMTRACE_UI_STORE")
    return existing(Path(named) if named else None)


def _check_url(url: str) -> None:
    from autogen_streamtrace.commands.reading import remote

    if not remote.is_url(url):
        raise InputError(f"{url} is no http or https URL")
    found = remote.store(url)
    if found.counts_alone:
        raise InputError(f"{url}: a {found.name} counts streams, and knows none by itself")


def _matched(exchanges: list[Done], streams: list[Told]) -> dict[int, Verdict]:
    """The verdicts on the exchanges of one trace.

    Spans say under which span each was. Log events do not: an exchange that ended early has one of its own at about
    that time, and of one that did not the turn's is all that is told.
    """
    found: dict[int, Verdict] = {}
    if not any(stream.parent for stream in streams):
        for turn in (stream for stream in streams if stream.outermost):
            found = {each.number: turn.verdict for each in exchanges}
    for stream in (stream for stream in streams if stream.http):
        its = [each for each in exchanges if stream.parent in ("", each.span)]
        if its:
            found[min(its, key=lambda each: abs(each.ended - stream.ended)).number] = stream.verdict
    return found


def _by_trace(exchanges: Iterable[Done]) -> dict[str, list[Done]]:
    found: dict[str, list[Done]] = {}
    for each in exchanges:
        if each.trace:
            found.setdefault(each.trace, []).append(each)
    return found


def _problem(file: Path) -> str:
    """Why nothing can be read there, now or when the program has written it; empty where it can."""
    if file.is_dir():
        return "a folder, not a file"
    if file.exists() and not os.access(file, os.R_OK):
        return "it may not be read"
    return "" if file.parent.is_dir() else f"there is no folder {file.parent}"


def _trace(row: Mapping[str, Any]) -> str:
    return f"{row['trace_high'] or 0:016x}{row['trace_low'] or 0:016x}"


def _told(row: Mapping[str, Any]) -> Told:
    outcome, ended_by, limit, intermediary = (str(row[key] or "") for key in _WORDS)
    parent = f"{row['parent']:016x}" if row["parent"] else ""
    verdict = Verdict(outcome, ended_by, limit, intermediary, bool(row["early"]))
    return Told(parent, (row["end"] or 0) / NANOSECONDS, row["layer"] == sc.HTTP, bool(row["outermost"]), verdict)
