"""The counters' file: the counts of the streams that are retired from the recorder's file."""

import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from autogen_streamtrace.core.telemetry.counters import Counters
from autogen_streamtrace.core.telemetry.counts import Counter
from autogen_streamtrace.core.telemetry.limiters import Key
from autogen_streamtrace.core.watching.recorder import CounterLabels, Labels

_TABLES: Final = ("started", "ended", "cut")

Sums = dict[Key, int]


class CountersFile(NamedTuple):
    """The content of the file."""

    state: int
    """Grows with each file that replaces another."""
    tables: dict[str, list[tuple[Labels, int, int]]]
    """For each counter: attribute sets, their counts, and when they were first exported (nanoseconds; 0: never)."""
    stalled: list[Labels]
    """Attribute sets of ``stalled``."""

    @property
    def started(self) -> list[Labels]:
        """Attribute sets of ``started``."""
        return [labels for labels, _, _ in self.tables.get("started", ())]

    def load(self, counters: Counters) -> None:
        """Lets ``counters`` continue from here."""
        for name, table in self._of(counters).items():
            for labels, value, shown_ns in self.tables.get(name, ()):
                table.load(labels, value, shown_ns)
        for labels in self.started:
            counters.known(labels)
        for labels in self.stalled:
            counters.stalled.add(0, labels)

    @staticmethod
    def _of(counters: Counters) -> dict[str, Counter]:
        return dict(zip(_TABLES, (counters.started, counters.ended, counters.cut), strict=True))


class RetiredCounts:
    """The counts of retired streams."""

    def __init__(self) -> None:
        self._sums: dict[str, Sums] = {name: {} for name in _TABLES}

    @classmethod
    def of(cls, file: CountersFile) -> "RetiredCounts":
        """The counts in a file."""
        retired = cls()
        for name, rows in file.tables.items():
            retired._sums[name] = {tuple(labels.items()): value for labels, value, _ in rows if value}
        return retired

    @classmethod
    def so_far(cls, counters: Counters) -> "RetiredCounts":
        """The counts before a recorder starts."""
        retired = cls()
        for name, table in CountersFile._of(counters).items():
            retired._sums[name] = {key: value for key, value in table.values().items() if value}
        return retired

    def add(self, counted: CounterLabels, amount: int = 1) -> None:
        """Adds one stream; ``amount`` -1 removes it."""
        for name, labels in zip(_TABLES, counted, strict=True):
            if labels is not None:
                key = tuple(labels.items())
                self._sums[name][key] = self._sums[name].get(key, 0) + amount

    def file(self, state: int, counters: Counters) -> bytes:
        """The file's content, with every attribute set that ``counters`` has seen."""
        tables = {
            name: [
                [dict(key), self._sums[name].get(key, 0), shown_ns]
                for key, shown_ns in _with(table.shown(), self._sums[name])
            ]
            for name, table in CountersFile._of(counters).items()
        }
        return json.dumps([state, tables, [dict(key) for key in counters.stalled.keys()]]).encode()  # noqa: SIM118


def _with(shown: dict[Key, int], sums: Sums) -> Iterable[tuple[Key, int]]:
    return {**dict.fromkeys(sums, 0), **shown}.items()


def read(data: bytes) -> CountersFile:
    """The content of a file; empty where there was none.

    Raises:
        ValueError: it is damaged.
    """
    if not data:
        return CountersFile(0, {}, [])
    said: Any = json.loads(data)
    state, tables, stalled = said
    return CountersFile(int(state), {name: [tuple(row) for row in rows] for name, rows in tables.items()}, stalled)
