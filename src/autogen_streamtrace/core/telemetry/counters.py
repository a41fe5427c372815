"""The counters of streams, and their attribute sets.

A stream's labels are fixed when it opens, and it is counted under them until it ends. Its verdict adds more labels.
"""

from operator import itemgetter
from threading import RLock
from typing import Final

from opentelemetry.context import Context

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.state import StreamInfo, StreamLabels
from autogen_streamtrace.core.telemetry.baggage import Baggage
from autogen_streamtrace.core.telemetry.counts import Tables
from autogen_streamtrace.core.telemetry.limiters import Attributes, CardinalityLimiter, Key
from autogen_streamtrace.core.watching.recorder import CounterLabels

_ENDED: Final = (sc.A_OUTCOME, sc.A_ENDED_BY, sc.A_FAULT, sc.A_ORIGIN, sc.A_OUTERMOST)
_values_of_end: Final = itemgetter(*_ENDED)
_CUT: Final = (sc.A_OUTCOME, sc.A_ENDED_BY, sc.A_WAITING_ON_TYPE, sc.A_LIMIT_ID, sc.A_CANCELLED_BY)
_CUT_CAPPED: Final = (sc.A_WAITING_ON_NAME, sc.A_CAUSE_TYPE)
OF_VERDICT: Final = frozenset({*_ENDED, *_CUT, *_CUT_CAPPED, sc.A_EARLY})
"""The attributes of a span that are labels of its end."""

_NO_BAGGAGE: Final = Baggage({})


class Counters:
    """The counters of one process's streams, with capped labels and bounded attribute sets.

    Args:
        max_names: distinct values of one label; the rest reads ``_OTHER``.
        baggage: the entries that may be on metrics.
        tables: hold the counts.
    """

    def __init__(self, max_names: int, baggage: Baggage = _NO_BAGGAGE, tables: Tables | None = None) -> None:
        self._baggage = baggage
        self.tables = tables = tables or Tables()
        self.started, self.ended, self.cut = tables.started, tables.ended, tables.cut
        self.open, self.stalled = tables.open, tables.stalled
        self._name = {layer: CardinalityLimiter(max_names) for layer in sc.LAYERS}
        self._waiting_name = CardinalityLimiter(max_names)
        self.cause = CardinalityLimiter(max_names)
        self._series: dict[Key, StreamLabels] = {}
        self._opening = RLock()
        """Streams open in any thread. It can be entered again, since a finaliser may open a stream meanwhile."""

    @property
    def capped(self) -> int:
        """How often a value became ``_OTHER``."""
        limits = (*self._name.values(), self._waiting_name, self.cause)
        return sum(limit.capped for limit in limits) + self.tables.capped

    def labels(self, info: StreamInfo) -> StreamLabels:
        """The labels of a stream that opens now."""
        key = (info.layer, info.name, info.streamed, info.framework, *self._baggage.labels(info).items())
        return self._series.get(key) or self._new_series(info, key)

    def _new_series(self, info: StreamInfo, key: Key) -> StreamLabels:
        with self._opening:
            name = self._name[info.layer](info.name)
            started: Attributes = {sc.A_LAYER: info.layer, sc.A_NAME: name, **self._baggage.labels(info)}
            if info.framework:
                started[sc.A_FRAMEWORK] = info.framework
            if info.layer == sc.MODEL:
                started[sc.GEN_AI_REQUEST_STREAM] = info.streamed
            labels = StreamLabels(self.tables.series(started))
            if name != sc.OTHER and labels.started == started:  # a folded name does not take a place of its own
                self._series[key] = labels
            return labels

    def start(self, labels: StreamLabels) -> None:
        """Counts a stream that started and is open."""
        self.started.add(labels.started)
        self.open.add(1, labels.open)

    def end(self, labels: StreamLabels, attributes: Attributes, context: Context | None = None) -> CounterLabels:
        """Counts a stream that ended as ``attributes`` say; exemplars find their trace in ``context``."""
        self.open.add(-1, labels.open)
        return self._end(labels, attributes, context)

    def end_again(self, labels: StreamLabels, counted: CounterLabels, context: Context) -> None:
        """Counts a stream that ended in a process that has died, as that process counted it."""
        self.open.add(-1, labels.open)
        self.ended.add(counted.ended)
        if counted.cut is not None:
            self.cut.add(counted.cut, context)

    def never(self, info: StreamInfo, attributes: Attributes, context: Context | None = None) -> CounterLabels:
        """Counts a stream that was never read."""
        labels = self.labels(info)
        self.started.add(labels.started)
        return self._end(labels, attributes, context)

    def waiting(self, labels: StreamLabels, waiting_on: str, name: str) -> Attributes:
        """The attributes of ``stalled``."""
        found: Attributes = {**labels.open, sc.A_WAITING_ON_TYPE: waiting_on}
        if name:
            found[sc.A_WAITING_ON_NAME] = self._waiting_name(name)
        return found

    def known(self, started: Attributes) -> None:
        """Takes a set of ``started`` that another process has used: open is 0 for it."""
        self.open.add(0, StreamLabels(started).open)

    def clear(self) -> None:
        """Sets every count to nothing."""
        self._opening = RLock()
        self._series.clear()
        self.tables.clear()

    def _end(self, labels: StreamLabels, attributes: Attributes, context: Context | None) -> CounterLabels:
        ended = self.ended.add(ended_labels(labels, attributes))
        if not (attributes[sc.A_EARLY] and attributes[sc.A_ORIGIN]):
            return CounterLabels(labels.started, ended)
        cut = cut_labels(labels, attributes)
        for key, limit in zip(_CUT_CAPPED, (self._waiting_name, self.cause), strict=True):
            if key in cut:
                cut[key] = limit(cut[key])
        return CounterLabels(labels.started, ended, self.cut.add(cut, context))


def ended_labels(labels: StreamLabels, attributes: Attributes) -> Attributes:
    """The labels of ``ended`` for a stream whose span has these attributes; streams that end alike share them."""
    values = _values_of_end(attributes)
    known = labels.ended.get(values)
    if known is None:
        known = labels.ended[values] = {**labels.started, **dict(zip(_ENDED, values, strict=True))}
    return known


def cut_labels(labels: StreamLabels, attributes: Attributes) -> Attributes:
    """The labels of ``cut``, with every value as on the span."""
    return {**labels.open, **{key: attributes[key] for key in (*_CUT, *_CUT_CAPPED) if key in attributes}}
