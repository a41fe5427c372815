"""What the program's telemetry says of each exchange, found by the trace that the request named."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from autogen_streamtrace.commands.chaos.tally import Done
from autogen_streamtrace.commands.extras import require
from autogen_streamtrace.commands.statuses import wrong

if TYPE_CHECKING:
    import polars as pl

    from autogen_streamtrace.commands.reading.files import Streams

BACK: Final = 86_400.0
"""Seconds of a backend's past that are asked for."""
_WORDS: Final = ("outcome", "ended_by", "limit", "intermediary")
_COLUMNS: Final = ("trace_high", "trace_low", "parent", *_WORDS, "early")


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


class Verdicts:
    """The telemetry at a file or URL. It is read at the end of the run.

    Args:
        source: as `diagnose` reads it.
    """

    def __init__(self, source: str) -> None:
        require("polars", "orjson", "httpx", what="chaos --verdicts")
        self.source = source

    def read(self) -> "Mapping[tuple[str, str], Verdict]":
        """The verdicts on HTTP exchanges, by the ids of trace and parent span.

        Raises:
            click.BadParameter: the source cannot be read.
        """
        table = self.table()
        rows = table.filter(table["layer"].cast(str) == "http").select(_COLUMNS).iter_rows(named=True)
        return {_ids(row): _verdict(row) for row in rows}

    def table(self) -> "pl.DataFrame":
        """A row per stream that ended, as `diagnose` reads it.

        Raises:
            click.BadParameter: the source cannot be read.
        """
        from autogen_streamtrace.commands.reading.pieces import InputError

        try:
            return self._streams().table
        except InputError as error:
            raise wrong("--verdicts", error) from None

    def _streams(self) -> "Streams":
        from autogen_streamtrace.commands.reading import files, remote

        if remote.is_url(self.source):
            return remote.read(self.source, BACK, "", lambda _: None)
        return files.read([self.source])


def of(done: Done, told: "Mapping[tuple[str, str], Verdict]") -> Verdict | None:
    """The verdict on an exchange; None where the telemetry has none."""
    trace, _, span = done.trace.partition("-")
    return told.get((trace, span))


def _ids(row: Mapping[str, Any]) -> tuple[str, str]:
    trace = f"{row['trace_high'] or 0:016x}{row['trace_low'] or 0:016x}"
    return trace, f"{row['parent'] or 0:016x}"


def _verdict(row: Mapping[str, Any]) -> Verdict:
    outcome, ended_by, limit, intermediary = (str(row[key] or "") for key in _WORDS)
    return Verdict(outcome, ended_by, limit, intermediary, bool(row["early"]))
