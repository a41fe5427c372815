"""Values of histograms, noted in rows and added to the SDK's aggregations before each collection.

The SDK takes 6 µs for a value, most of them to find its aggregation. Here they are found once for many values.
"""

from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Observation

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.telemetry.limiters import Attributes, Key, SetLimiter
from autogen_streamtrace.neighbours import opentelemetry_histograms

MOST: Final = 4_096
"""Values that are noted before they are added at once."""

_NO_SPAN: Final = Context()


class Row:
    """The values of one attribute set of a histogram."""

    __slots__ = ("_attributes", "_histogram", "note", "values")

    def __init__(self, histogram: Histogram, attributes: Attributes, *, mergeable: bool) -> None:
        self._histogram = histogram
        self._attributes = attributes
        self.values: list[float] = []
        """The values that are not added yet."""
        self.note: Callable[[float], object] = self._note_first if mergeable else self.record
        """Takes a value without a span."""

    def record(self, value: float, context: Context = _NO_SPAN) -> None:
        """Records a value at once; an exemplar takes its trace from ``context``."""
        self._histogram.record(value, self._attributes, context)

    def _note_first(self, value: float) -> None:
        """The SDK's aggregation starts with the first value, so it has to be recorded when it comes."""
        self.record(value)
        self.note = self.values.append

    def add(self) -> None:
        """Adds the values so far to the SDK's aggregations. Meanwhile the judge may note more."""
        count = len(self.values)
        if count:
            noted = self.values[:count]
            del self.values[:count]
            opentelemetry_histograms.add_values(self._histogram, self._attributes, noted)


class Rows:
    """All rows of one meter provider."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forgets every row, with its values."""
        self._rows: list[Row] = []
        self._noted = 0
        self._adding = Lock()
        """Two readers may collect at once. No finaliser takes this lock."""

    def new(self, histogram: Histogram, attributes: Attributes, *, mergeable: bool) -> Row:
        """A row more."""
        row = Row(histogram, attributes, mergeable=mergeable)
        self._rows.append(row)
        return row

    def noted(self, count: int) -> None:
        """Takes that so many values were noted."""
        self._noted += count
        if self._noted >= MOST:
            self.add()

    def add(self, options: CallbackOptions | None = None) -> Iterable[Observation]:
        """Adds what is noted. As the callback of an observable instrument, before each collection."""
        with contained("adding up histograms"), self._adding:
            self._noted = 0
            for row in list(self._rows):
                row.add()
        return ()


class BoundedHistogram:
    """A histogram whose attribute sets are bounded."""

    def __init__(self, histogram: Histogram, limit: SetLimiter, rows: Rows) -> None:
        self._histogram = histogram
        self._limit = limit
        self._all = rows
        self._rows: dict[Key, Row] = {}
        self._mergeable = opentelemetry_histograms.takes_values(histogram)

    def row(self, attributes: Attributes) -> Row:
        """The row of an attribute set, or of the set into which it is folded."""
        folded = self._limit(attributes)
        key = tuple(folded.items())
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = self._all.new(self._histogram, folded, mergeable=self._mergeable)
        return row

    def clear(self) -> None:
        """Forgets every row."""
        self._rows.clear()
