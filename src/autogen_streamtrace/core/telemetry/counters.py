"""What the counters of streams say: their attribute sets, taken from a stream's opening and from its verdict."""

from typing import Final

from opentelemetry.context import Context

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.state import StreamInfo
from autogen_streamtrace.core.telemetry.baggage import Baggage
from autogen_streamtrace.core.telemetry.counts import Attributes, CardinalityLimiter, Tables
from autogen_streamtrace.core.watching.recorder import CounterLabels

_ENDED: Final = (sc.A_OUTCOME, sc.A_ENDED_BY, sc.A_FAULT, sc.A_ORIGIN, sc.A_OUTERMOST)
_CUT: Final = (sc.A_OUTCOME, sc.A_ENDED_BY, sc.A_WAITING_ON_TYPE, sc.A_LIMIT_ID, sc.A_CANCELLED_BY)


_NO_BAGGAGE: Final = Baggage({})


class Counters:
    """The counters of one process's streams, with capped labels.

    Args:
        max_names: distinct values of one label, the rest reads ``_OTHER``.
        baggage: the entries that may stand on metrics.
        tables: where they are counted.
    """

    def __init__(self, max_names: int, baggage: Baggage = _NO_BAGGAGE, tables: Tables | None = None) -> None:
        self._baggage = baggage
        self.tables = tables = tables or Tables()
        self.started, self.ended, self.cut = tables.started, tables.ended, tables.cut
        self.open, self.stalled = tables.open, tables.stalled
        self._name = {layer: CardinalityLimiter(max_names) for layer in sc.LAYERS}
        self._waiting_name = CardinalityLimiter(max_names)
        self.cause = CardinalityLimiter(max_names)

    @property
    def capped(self) -> int:
        """How often a value was not kept."""
        return sum(cap.capped for cap in (*self._name.values(), self._waiting_name, self.cause))

    def labels(self, info: StreamInfo) -> Attributes:
        """The attributes of ``started``."""
        labels = self._of(info)
        if info.layer == sc.MODEL:
            labels[sc.GEN_AI_REQUEST_STREAM] = info.streamed
        return labels

    def waiting(self, info: StreamInfo, waiting_on: str, name: str) -> Attributes:
        """The attributes of ``stalled``."""
        labels: Attributes = {**self._of(info), sc.A_WAITING_ON_TYPE: waiting_on}
        if name:
            labels[sc.A_WAITING_ON_NAME] = self._waiting_name(name)
        return labels

    def start(self, info: StreamInfo) -> None:
        """Counts a stream that started and is open."""
        self.started.add(self.labels(info))
        self.open.add(1, self._of(info))

    def end(self, info: StreamInfo, attributes: Attributes, context: Context | None = None) -> CounterLabels:
        """Counts a stream that ended as ``attributes`` say; exemplars find their trace in ``context``."""
        self.open.add(-1, self._of(info))
        return self._end(info, attributes, context)

    def never(self, info: StreamInfo, attributes: Attributes, context: Context | None = None) -> CounterLabels:
        """Counts a stream that was never read."""
        self.started.add(self.labels(info))
        return self._end(info, attributes, context)

    def known(self, labels: Attributes) -> None:
        """A set of ``started`` that another process has used: its name is kept here too, and open is 0 for it."""
        self._name[labels[sc.A_LAYER]](labels[sc.A_NAME])
        self.open.add(0, {sc.A_LAYER: labels[sc.A_LAYER], sc.A_NAME: labels[sc.A_NAME]})

    def clear(self) -> None:
        """Forgets what was counted."""
        self.tables.clear()

    def _end(self, info: StreamInfo, attributes: Attributes, context: Context | None) -> CounterLabels:
        labels = self.labels(info)
        ended: Attributes = {**labels, **{key: attributes[key] for key in _ENDED}}
        self.ended.add(ended)
        if not (attributes[sc.A_EARLY] and attributes[sc.A_ORIGIN]):
            return CounterLabels(labels, ended)
        cut: Attributes = {**self._of(info), **{key: attributes[key] for key in _CUT if key in attributes}}
        if sc.A_WAITING_ON_NAME in attributes:
            cut[sc.A_WAITING_ON_NAME] = self._waiting_name(attributes[sc.A_WAITING_ON_NAME])
        if sc.A_CAUSE_TYPE in attributes:
            cut[sc.A_CAUSE_TYPE] = self.cause(attributes[sc.A_CAUSE_TYPE])
        self.cut.add(cut, context)
        return CounterLabels(labels, ended, cut)

    def _of(self, info: StreamInfo) -> Attributes:
        name = self._name[info.layer](info.name)
        return {sc.A_LAYER: info.layer, sc.A_NAME: name, **self._baggage.labels(info)}
