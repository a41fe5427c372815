"""Counters as tables of our own, which the metrics SDK observes: adding costs one dictionary access."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.telemetry.limiters import Attributes, Key, SetLimiter

SERIES: Final = 1_000
"""Sets of labels at opening before names read ``_OTHER``."""


class Counter:
    """One monotonic counter.

    The first collection of a new attribute set exports 0, the next its count, so that Prometheus' ``increase()`` sees
    the first event.
    """

    def __init__(self, name: str = "") -> None:
        self.limit = SetLimiter(name)
        self._rows: dict[Key, _Row] = {}
        self.about_to_show: Callable[[], object] | None = None
        """Called just before attribute sets are exported for the first time."""

    def add(self, attributes: Attributes, context: Context | None = None) -> Attributes:
        """Adds one, and returns the attributes that it counts under; an exemplar takes its trace from ``context``."""
        row = self._rows.get(tuple(attributes.items())) or self._row(self.limit(attributes))
        row.value += 1
        row.context = context
        return row.attributes

    def load(self, attributes: Attributes, value: int, shown_ns: int) -> None:
        """Continues from ``value``, first exported at ``shown_ns``; 0 if it was never exported."""
        self.limit.note(attributes)
        row = self._row(attributes)
        row.value, row.shown_ns = value, shown_ns

    def shown(self) -> dict[Key, int]:
        """Every attribute set with the time of its first export in nanoseconds since the epoch; 0 before that."""
        return {key: row.shown_ns for key, row in list(self._rows.items())}

    def values(self) -> dict[Key, int]:
        """Every attribute set with its count."""
        return {key: row.value for key, row in list(self._rows.items())}

    def clear(self) -> None:
        """Forgets every attribute set."""
        self.limit.clear()
        self._rows.clear()

    def observe(self, options: CallbackOptions) -> Iterable[Observation]:
        """The callback of an observable counter."""
        rows = list(self._rows.values())
        new = [row for row in rows if not row.shown_ns]
        shown = [row.observe() for row in rows]
        if new and self.about_to_show is not None:
            self.about_to_show()
        return shown

    def _row(self, attributes: Attributes) -> "_Row":
        key = tuple(attributes.items())
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = _Row(attributes)
        return row


class _Row:
    __slots__ = ("attributes", "context", "shown_ns", "value")

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        self.value = 0
        self.context: Context | None = None
        self.shown_ns = 0

    def observe(self) -> Observation:
        if not self.shown_ns:
            self.shown_ns = time.time_ns()
            return Observation(0, self.attributes)
        return Observation(self.value, self.attributes, self.context)


class UpDownCounter:
    """One up-down counter: an explicit 0 for every attribute set once seen."""

    def __init__(self, name: str = "") -> None:
        self.limit = SetLimiter(name)
        self._rows: dict[Key, list[int]] = {}

    def add(self, amount: int, attributes: Attributes) -> None:
        """Adds ``amount``, which may be negative."""
        row = self._rows.get(tuple(attributes.items()))
        if row is None:
            row = self._rows.setdefault(tuple(self.limit(attributes).items()), [0])
        row[0] += amount

    def keys(self) -> list[Key]:
        """Every attribute set once seen."""
        return list(self._rows)

    def zero(self) -> None:
        """Back to 0 in every attribute set."""
        for value in list(self._rows.values()):
            value[0] = 0

    def clear(self) -> None:
        """Forgets every attribute set."""
        self.limit.clear()
        self._rows.clear()

    def observe(self, options: CallbackOptions) -> Iterable[Observation]:
        """The callback of an observable up-down counter."""
        return [Observation(value[0], dict(key)) for key, value in list(self._rows.items())]


class Tables:
    """The counters of one meter provider. The next ``instrument()`` continues them."""

    def __init__(self) -> None:
        self.started, self.ended, self.cut = Counter(sc.M_STARTED), Counter(sc.M_ENDED), Counter(sc.M_CUT)
        self.open, self.stalled = UpDownCounter(sc.M_OPEN), UpDownCounter(sc.M_STALLED)
        self.series = SetLimiter(sc.M_STARTED, SERIES)
        """Bounds the labels of streams at their opening."""

    @property
    def capped(self) -> int:
        """How often an attribute set was folded."""
        tables = (self.started, self.ended, self.cut, self.open, self.stalled)
        return self.series.capped + sum(table.limit.capped for table in tables)

    def clear(self) -> None:
        """Forgets what was counted."""
        self.series.clear()
        for table in (self.started, self.ended, self.cut, self.open, self.stalled):
            table.clear()


class Total:
    """A number that only grows, even where its source is replaced by one that starts at 0."""

    def __init__(self) -> None:
        self._before = self._since = 0
        self._value: Callable[[], int] | None = None

    def follow(self, value: Callable[[], int]) -> None:
        """``value`` is the source from now on."""
        if self._value is not None or self._before:
            self._before, self._since = self.read(), value()
        self._value = value

    def rest(self) -> None:
        """There is no source for now."""
        self._before, self._since, self._value = self.read(), 0, None

    def clear(self) -> None:
        """Starts at 0 again."""
        self._before = self._since = 0

    def read(self) -> int:
        """The number."""
        return self._before + (self._value() - self._since if self._value is not None else 0)
