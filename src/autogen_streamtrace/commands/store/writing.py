"""Writes what was received: each span and event once, whatever is sent twice, all of a batch or nothing."""

import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from autogen_streamtrace.commands.reading import otlp_json
from autogen_streamtrace.commands.reading.columns import (
    AT,
    BESIDE,
    COLUMNS,
    Kind,
    Row,
    joined,
    nanoseconds,
    number,
    text,
    truth,
)
from autogen_streamtrace.commands.reading.otlp_json import Group
from autogen_streamtrace.commands.store import connection as connections
from autogen_streamtrace.commands.store.numbers import Numbers
from autogen_streamtrace.commands.store.packing import Packing
from autogen_streamtrace.commands.store.schema import STREAM_COLUMNS, TURN_COLUMNS
from autogen_streamtrace.commands.store.turns import Member, turns
from autogen_streamtrace.core import semconv as sc


@dataclass
class Batch:
    """Export requests, taken apart."""

    spans: list[Group] = field(default_factory=list)
    records: list[Group] = field(default_factory=list)

    @staticmethod
    def of(document: Any) -> "Batch":
        """One export request of OTLP JSON.

        Raises:
            ShapeError: it is none.
        """
        otlp_json.check(document)
        return Batch(list(otlp_json.spans(document)), list(otlp_json.log_records(document)))

    @property
    def items(self) -> int:
        """Spans and log records in it."""
        return sum(len(group.items) for group in (*self.spans, *self.records))


_SPAN: Final = (
    "INSERT INTO spans (trace, span, source, scope, received, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (trace, span)"
    " DO UPDATE SET source = excluded.source, scope = excluded.scope, body = excluded.body RETURNING id"
)
_PLACE: Final = (
    "INSERT INTO spans (trace, span, source, received) VALUES (?, ?, ?, ?) ON CONFLICT (trace, span) DO NOTHING"
    " RETURNING id"
)
_EVENT: Final = (
    "INSERT OR IGNORE INTO events (trace, span, source, at, received, name, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_END: Final = (
    "INSERT INTO events (trace, span, source, at, received, name, body) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7"
    " WHERE ?1 IS NULL OR NOT EXISTS (SELECT 1 FROM events WHERE trace = ?1 AND span = ?2 AND name = ?6)"
)
"""A stream has one end: a dead process's is told anew with the time of each look at its recorder."""
_OPENED: Final = (
    "INSERT OR IGNORE INTO opened (trace, span, source, start, layer, name, last) SELECT ?, ?, ?, ?, ?, ?, ?"
    " WHERE NOT EXISTS (SELECT 1 FROM spans WHERE trace = ? AND span = ?)"
)
_STALLED: Final = "UPDATE opened SET stalled = ?, waiting_on = ?, last = ? WHERE trace = ? AND span = ?"
_ENDED: Final = "DELETE FROM opened WHERE trace = ? AND span = ? RETURNING start"


def _insert(table: str, names: Iterable[str]) -> str:
    listed = [f'"{name}"' for name in names]
    return f"INSERT OR REPLACE INTO {table} ({', '.join(listed)}) VALUES ({', '.join('?' * len(listed))})"


_STREAM: Final = _insert("streams", STREAM_COLUMNS)
_TURN: Final = _insert("turns", TURN_COLUMNS)
_MEMBERS: Final = "SELECT {} FROM spans s JOIN streams t ON t.id = s.id WHERE".format(
    ", ".join(f't."{name}"' for name in Member._fields)
)


class Writer:
    """The one writer of a store.

    Args:
        file: the store's file.

    Raises:
        sqlite3.Error: it cannot be used.
    """

    def __init__(self, file: Path) -> None:
        self.connection = connections.writing(file)
        self._packing = Packing(connections.shared_dictionary(self.connection))
        self._numbers = Numbers(self.connection)

    def close(self) -> None:
        """Closes the store."""
        self.connection.close()

    def forget(self) -> None:
        """Forgets the numbers of labels, some of which were removed."""
        self._numbers.forget()

    def write(self, batches: Iterable[Batch]) -> int:
        """Writes batches; returns how many spans and records among them have no usable ids or times.

        Raises:
            sqlite3.Error: nothing of these batches was written, such as for want of disk.
        """
        try:
            with connections.transaction(self.connection):
                writing = _Writing(self.connection, self._packing, self._numbers)
                for batch in batches:
                    for group in batch.spans:
                        writing.spans(group)
                    for group in batch.records:
                        writing.records(group)
                writing.turns()
        except BaseException:
            self._numbers.forget()
            raise
        return writing.refused


class _Writing:
    """One transaction."""

    def __init__(self, connection: sqlite3.Connection, packing: Packing, numbers: Numbers) -> None:
        self._execute = connection.execute
        self._pack = packing.pack
        self._numbers = numbers
        self._received = time.time_ns()
        self._traces: set[bytes] = set()
        self._alone: list[int] = []
        self.refused = 0

    def spans(self, group: Group) -> None:
        """Writes spans."""
        source = self._numbers.source(group.resource)
        scope = self._numbers.text(group.scope[:200])
        ours = group.scope == sc.SCOPE
        for item in group.items:
            trace, span = identity(item)
            if trace is None or span is None or not isinstance(item.get("name", ""), str):
                self.refused += 1
                continue
            row = otlp_json.span_row(group.service, item) if ours else None
            cells = (trace, span, source, scope, self._received, self._pack(item))
            (key,) = self._execute(_SPAN, cells).fetchone()
            if row is not None:
                self._stream(key, source, row)
                self._execute(_ENDED, (trace, span))
                self._traces.add(trace)

    def records(self, group: Group) -> None:
        """Writes log records that belong to a trace, or tell of a stream."""
        source = self._numbers.source(group.resource)
        for item in group.items:
            trace, span = identity(item)
            row = otlp_json.event_row(group.service, item) if group.scope == sc.SCOPE else None
            if trace is None and row is None:
                self.refused += not isinstance(item, dict)
                continue
            at = nanoseconds(item.get("timeUnixNano")) or self._received
            name = text(item.get("eventName"))
            label = self._numbers.text(name)
            statement = _END if name == sc.E_END else _EVENT
            self._execute(statement, (trace, span, source, at, self._received, label, self._pack(item)))
            if row is not None:
                self._told(name, trace, span, source, at, row)

    def _told(self, name: str | None, trace: bytes | None, span: bytes | None, source: int, at: int, row: Row) -> None:
        """What an event says of its stream."""
        if row[_OUTCOME] is not None:
            self._ended(trace, span, source, row)
        elif trace is None or span is None:
            return
        elif name == sc.E_START:
            layer, label = (self._numbers.text(text(row[at_])) for at_ in (_LAYER, _NAME))
            self._execute(_OPENED, (trace, span, source, at, layer, label, at, trace, span))
        elif name == sc.E_STALL:
            waiting = " ".join(filter(None, (text(row[_WAITING]), text(row[_WAITING_NAME]))))
            silence = number(row[_SILENCE]) or 0.0
            self._execute(_STALLED, (at, self._numbers.text(waiting), at - round(silence * 1e9), trace, span))

    def _ended(self, trace: bytes | None, span: bytes | None, source: int, row: Row) -> None:
        """The end of a stream whose span may never come, since it was not sampled."""
        start = self._execute(_ENDED, (trace, span)).fetchone()
        key = self._execute(_PLACE, (trace, span, source, self._received)).fetchone()
        if key is None:
            return
        row[_START] = start[0] if start is not None else None
        self._stream(key[0], source, row)
        if trace is None:
            self._alone.append(key[0])
        else:
            self._traces.add(trace)

    def _stream(self, key: int, source: int, row: Row) -> None:
        number_of = self._numbers.text
        cells = [_CLEAN[column.kind](cell) for column, cell in zip(COLUMNS, row[len(BESIDE) :], strict=True)]
        labels = [number_of(cell) if at in _LABELS else cell for at, cell in enumerate(cells)]
        parent = _hexadecimal(row[_PARENT], 8)
        self._execute(_STREAM, (key, parent, source, nanoseconds(row[_START]), nanoseconds(row[_FINISH]), *labels))

    def turns(self) -> None:
        """Makes the turns of all traces that were written to."""
        layers: dict[str, int] = {layer: self._numbers.text(layer) or 0 for layer in sc.LAYERS}
        for trace in self._traces:
            members = [Member(*row) for row in self._execute(f"{_MEMBERS} s.trace = ?", (trace,))]
            self._execute("DELETE FROM turns WHERE trace = ?", (trace,))
            for cells in turns(trace, members, layers, self._numbers.cast):
                self._execute(_TURN, cells)
        for key in self._alone:
            members = [Member(*row) for row in self._execute(f"{_MEMBERS} s.id = ?", (key,))]
            for cells in turns(None, members, layers, self._numbers.cast):
                self._execute(_TURN, cells)


_CLEAN: Final[dict[Kind, Any]] = {"label": text, "labels": joined, "number": number, "truth": truth}
_LABELS: Final = {at for at, column in enumerate(COLUMNS) if column.kind in ("label", "labels")}
_PARENT, _START, _FINISH = (AT[name] for name in ("parent", "start", "end"))
_LAYER, _NAME, _OUTCOME, _SILENCE = (AT[name] for name in ("layer", "name", "outcome", "silence"))
_WAITING, _WAITING_NAME = AT["waiting_on"], AT["waiting_on_name"]


def identity(item: Any) -> tuple[bytes | None, bytes | None]:
    """Trace and span id of an item of OTLP JSON; none where they are none."""
    if not isinstance(item, dict):
        return None, None
    trace, span = _hexadecimal(item.get("traceId"), 16), _hexadecimal(item.get("spanId"), 8)
    return (trace, span) if trace is not None and any(trace) else (None, None)


def _hexadecimal(given: Any, length: int) -> bytes | None:
    if not isinstance(given, str) or len(given) != 2 * length:
        return None
    try:
        return bytes.fromhex(given)
    except ValueError:
        return None
