"""Counters as tables of our own, observed by the metrics SDK: an addition costs nothing but a dictionary's."""

from collections.abc import Iterable
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation

from . import names as n

Attributes = dict[str, Any]


class Count:
    """One monotonic counter.

    A new attribute set is exported as 0 at its first collection and with its count from the next, so that
    Prometheus' ``increase()`` sees the first one.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[tuple[str, Any], ...], _Row] = {}

    def add(self, attributes: Attributes, context: Context | None = None) -> None:
        """Adds one; ``context`` is where an exemplar finds its trace."""
        key = tuple(attributes.items())
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = _Row(attributes)
        row.value += 1
        row.context = context

    def clear(self) -> None:
        """Forgets every attribute set."""
        self._rows.clear()

    def observe(self, options: CallbackOptions) -> Iterable[Observation]:
        """The callback of an observable counter."""
        return [row.observe() for row in list(self._rows.values())]


class _Row:
    __slots__ = ("attributes", "context", "shown", "value")

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        self.value = 0
        self.context: Context | None = None
        self.shown = False

    def observe(self) -> Observation:
        if not self.shown:
            self.shown = True
            return Observation(0, self.attributes)
        return Observation(self.value, self.attributes, self.context)


class Level:
    """One up-down counter: an explicit 0 for every attribute set once seen."""

    def __init__(self) -> None:
        self._rows: dict[tuple[tuple[str, Any], ...], list[int]] = {}

    def add(self, amount: int, attributes: Attributes) -> None:
        """Adds ``amount``, which may be negative."""
        self._rows.setdefault(tuple(attributes.items()), [0])[0] += amount

    def zero(self) -> None:
        """Back to 0 in every attribute set."""
        for value in list(self._rows.values()):
            value[0] = 0

    def clear(self) -> None:
        """Forgets every attribute set."""
        self._rows.clear()

    def observe(self, options: CallbackOptions) -> Iterable[Observation]:
        """The callback of an observable up-down counter."""
        return [Observation(value[0], dict(key)) for key, value in list(self._rows.items())]


class Cap:
    """Keeps the number of distinct values of one metric label bounded; the rest reads ``_OTHER``."""

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._known: set[str] = set()
        self.capped = 0

    def __call__(self, value: str) -> str:
        if value in self._known:
            return value
        if len(self._known) < self._most:
            self._known.add(value)
            return value
        self.capped += 1
        return n.OTHER
