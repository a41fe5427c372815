"""When the event loops of a process were late: then words may have arrived that nobody read."""

from collections import OrderedDict, deque
from typing import Final

TOLD: Final = 0.25
"""Seconds of lateness that are worth telling."""
NOTED: Final = 0.1
"""Seconds of which something is kept: what is told may have begun a little earlier than it was seen."""
_LOOPS: Final = 64
"""Event loops of which something is kept, the last ones."""
_PERIODS: Final = 64
"""Periods of each that are kept, the last ones."""
_ALL: Final = 0
"""Stands for every event loop: the whole process could not run."""


class Lateness:
    """Of each event loop, by its identity, the periods in which it did not run. Times are on the records' clock."""

    def __init__(self) -> None:
        self._periods: OrderedDict[int, deque[tuple[float, float]]] = OrderedDict()

    def note(self, since: float, until: float, loop: int = _ALL) -> None:
        """It did not run in this time. Safe in any thread."""
        if until - since < NOTED:
            return
        self._periods.setdefault(loop, deque(maxlen=_PERIODS)).append((since, until))
        while len(self._periods) > _LOOPS:
            self._periods.popitem(last=False)

    def longest(self, loop: int, since: float, until: float) -> float:
        """Seconds: the longest of its periods, as far as it lies in this time."""
        found = (*self._periods.get(loop, ()), *self._periods.get(_ALL, ()))
        return max((min(end, until) - max(start, since) for start, end in found), default=0.0)
