"""What the counters of streams say: their attribute sets, taken from a stream's opening and from its verdict."""

from typing import Final

from opentelemetry.context import Context

from . import names as n
from .baggage import Baggage
from .counts import Attributes, Cap, Count, Level
from .record import Opening
from .recording import Counted

_ENDED: Final = (n.A_OUTCOME, n.A_ENDED_BY, n.A_FAULT, n.A_ORIGIN, n.A_OUTERMOST)
_CUT: Final = (n.A_OUTCOME, n.A_ENDED_BY, n.A_WAITING_ON_TYPE, n.A_LIMIT_ID, n.A_CANCELLED_BY)


_NO_BAGGAGE: Final = Baggage({})


class Tally:
    """The counters of one process's streams, with capped labels.

    Args:
        max_names: distinct values of one label, the rest reads ``_OTHER``.
        baggage: the entries that may stand on metrics.
    """

    def __init__(self, max_names: int, baggage: Baggage = _NO_BAGGAGE) -> None:
        self._baggage = baggage
        self.started, self.ended, self.cut = Count(), Count(), Count()
        self.open, self.stalled = Level(), Level()
        self._name = {layer: Cap(max_names) for layer in n.LAYERS}
        self._waiting_name = Cap(max_names)
        self.cause = Cap(max_names)

    @property
    def capped(self) -> int:
        """How often a value was not kept."""
        return sum(cap.capped for cap in (*self._name.values(), self._waiting_name, self.cause))

    def labels(self, opening: Opening) -> Attributes:
        """The attributes of ``started``."""
        labels = self._of(opening)
        if opening.layer == n.MODEL:
            labels[n.GEN_AI_REQUEST_STREAM] = opening.streamed
        return labels

    def waiting(self, opening: Opening, waiting_on: str, name: str) -> Attributes:
        """The attributes of ``stalled``."""
        labels: Attributes = {**self._of(opening), n.A_WAITING_ON_TYPE: waiting_on}
        if name:
            labels[n.A_WAITING_ON_NAME] = self._waiting_name(name)
        return labels

    def start(self, opening: Opening) -> None:
        """Counts a stream that started and is open."""
        self.started.add(self.labels(opening))
        self.open.add(1, self._of(opening))

    def end(self, opening: Opening, attributes: Attributes, context: Context | None = None) -> Counted:
        """Counts a stream that ended as ``attributes`` say; exemplars find their trace in ``context``."""
        self.open.add(-1, self._of(opening))
        return self._end(opening, attributes, context)

    def never(self, opening: Opening, attributes: Attributes, context: Context | None = None) -> Counted:
        """Counts a stream that was never read."""
        self.started.add(self.labels(opening))
        return self._end(opening, attributes, context)

    def known(self, labels: Attributes) -> None:
        """A set of ``started`` that another process has used: its name is kept here too, and open is 0 for it."""
        self._name[labels[n.A_LAYER]](labels[n.A_NAME])
        self.open.add(0, {n.A_LAYER: labels[n.A_LAYER], n.A_NAME: labels[n.A_NAME]})

    def clear(self) -> None:
        """Forgets what was counted."""
        for table in (self.started, self.ended, self.cut, self.open, self.stalled):
            table.clear()

    def _end(self, opening: Opening, attributes: Attributes, context: Context | None) -> Counted:
        labels = self.labels(opening)
        ended: Attributes = {**labels, **{key: attributes[key] for key in _ENDED}}
        self.ended.add(ended)
        if not (attributes[n.A_EARLY] and attributes[n.A_ORIGIN]):
            return Counted(labels, ended)
        cut: Attributes = {**self._of(opening), **{key: attributes[key] for key in _CUT if key in attributes}}
        if n.A_WAITING_ON_NAME in attributes:
            cut[n.A_WAITING_ON_NAME] = self._waiting_name(attributes[n.A_WAITING_ON_NAME])
        if n.A_CAUSE_TYPE in attributes:
            cut[n.A_CAUSE_TYPE] = self.cause(attributes[n.A_CAUSE_TYPE])
        self.cut.add(cut, context)
        return Counted(labels, ended, cut)

    def _of(self, opening: Opening) -> Attributes:
        name = self._name[opening.layer](opening.name)
        return {n.A_LAYER: opening.layer, n.A_NAME: name, **self._baggage.labels(opening)}
