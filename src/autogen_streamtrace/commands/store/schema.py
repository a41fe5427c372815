"""The tables of the store.

SQLite with a write-ahead log: one process writes, any number of others read meanwhile.

spans: each span once, by trace and span id, with its OTLP JSON, packed · streams: what `diagnose` reads of a stream
that ended, under the same id · events: log records · turns: an outermost stream with what took part in it and how it
ended, for the page's counts, which read its indexes alone · opened: streams that started and have not ended · sources:
resources · casts: what takes part in turns · texts: every label, which the other tables have by its number.
"""

from typing import Final

from autogen_streamtrace.commands.reading.columns import COLUMNS, Kind

VERSION: Final = 2
"""In ``user_version`` of the file. Another one's file is set aside."""

_TYPES: Final[dict[Kind, str]] = {"label": "INTEGER", "labels": "INTEGER", "number": "REAL", "truth": "INTEGER"}

STREAM_COLUMNS: Final = ("id", "parent", "source", "start", "end", *(column.name for column in COLUMNS))

TURN_LABELS: Final = (
    "layer",
    "name",
    "outcome",
    "ended_by",
    "waiting_on",
    "waiting_on_name",
    "cause",
    "cancelled_by",
    "limit",
    "origin_layer",
    "host",
    "framework",
)
"""Columns of a turn that are numbers of texts. From ``waiting_on`` to ``host`` they are the origin's."""
TURN_NUMBERS: Final = ("status", "silence", "first", "longest_gap", "origin_duration", "limit_value")
TURN_TRUTHS: Final = ("early", "fault", "healed")
TURN_COLUMNS: Final = (
    "id",
    "trace",
    "source",
    "actors",
    "start",
    "end",
    *TURN_LABELS,
    *TURN_NUMBERS,
    *TURN_TRUTHS,
)

OF_FILTERS: Final = ("source", "actors", "layer", "outcome", "ended_by", "framework")
"""Columns of a turn that the page's filters look at."""
EVERY: Final = 8
"""An index holds one turn in so many apart, to draw distributions of."""
SAMPLED: Final = "(id * 2654435761 >> 16) % {}"
"""0 for one turn in so many, whatever the order of their numbers."""


def _columns(names: tuple[str, ...], kind: str) -> str:
    return ", ".join(f'"{name}" {kind}' for name in names)


_FILTERS: Final = ", ".join(OF_FILTERS)
SCHEMA: Final = f"""
CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE texts (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT UNIQUE NOT NULL);
CREATE TABLE sources (
    id INTEGER PRIMARY KEY AUTOINCREMENT, resource TEXT UNIQUE NOT NULL, service INTEGER, version INTEGER,
    environment INTEGER);
CREATE TABLE casts (id INTEGER PRIMARY KEY AUTOINCREMENT, members TEXT UNIQUE NOT NULL);
CREATE TABLE spans (
    id INTEGER PRIMARY KEY, trace BLOB, span BLOB, source INTEGER, scope INTEGER, received INTEGER, body BLOB);
CREATE UNIQUE INDEX span_of ON spans (trace, span);
CREATE TABLE streams (id INTEGER PRIMARY KEY, parent BLOB, source INTEGER, start INTEGER, "end" INTEGER,
    {", ".join(f'"{column.name}" {_TYPES[column.kind]}' for column in COLUMNS)});
CREATE TABLE events (
    id INTEGER PRIMARY KEY, trace BLOB, span BLOB, source INTEGER, at INTEGER, received INTEGER, name INTEGER,
    body BLOB);
CREATE UNIQUE INDEX event_of ON events (trace, span, name, at);
CREATE TABLE turns (id INTEGER PRIMARY KEY, trace BLOB, source INTEGER, actors INTEGER, start INTEGER, "end" INTEGER,
    {_columns(TURN_LABELS, "INTEGER")}, {_columns(TURN_NUMBERS, "REAL")}, {_columns(TURN_TRUTHS, "INTEGER")});
CREATE INDEX turn_of ON turns (trace);
CREATE INDEX turn_at ON turns ("end", {_FILTERS}, early, healed, first, start);
CREATE INDEX turn_sort ON turns ({_FILTERS}, "end");
CREATE INDEX turn_sample ON turns ("end", {_FILTERS}, early, first, start) WHERE {SAMPLED.format(EVERY)} = 0;
CREATE INDEX turn_early ON turns ("end", {_FILTERS}, early, origin_layer, host, cause, silence, origin_duration)
    WHERE early;
CREATE INDEX turn_healed ON turns ("end") WHERE healed;
CREATE TABLE opened (trace BLOB, span BLOB, source INTEGER, start INTEGER, layer INTEGER, name INTEGER,
    last INTEGER, stalled INTEGER, waiting_on INTEGER, PRIMARY KEY (trace, span)) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
"""
