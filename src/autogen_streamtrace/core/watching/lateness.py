"""When the event loops of a process were late. Items may have arrived then that nobody read."""

from collections import OrderedDict, deque
from typing import Final

TOLD: Final = 0.25
"""Seconds of lateness that are worth reporting."""
NOTED: Final = 0.1
"""Seconds for which periods are remembered: a period may begin a little before it is noticed."""
_LOOPS: Final = 64
"""Event loops that are remembered, the latest ones."""
_PERIODS: Final = 64
"""Periods of each loop that are remembered, the latest ones."""
_ALL: Final = 0
"""Stands for every event loop: the whole process could not run."""


class Lateness:
    """The periods in which each event loop, by its identity, did not run. Times are seconds on ``clock``."""

    def __init__(self) -> None:
        self._periods: OrderedDict[int, deque[tuple[float, float]]] = OrderedDict()

    def note(self, since: float, until: float, loop: int = _ALL) -> None:
        """Takes a period in which a loop did not run. Safe in any thread."""
        if until - since < NOTED:
            return
        self._periods.setdefault(loop, deque(maxlen=_PERIODS)).append((since, until))
        while len(self._periods) > _LOOPS:
            self._periods.popitem(last=False)

    def longest(self, loop: int, since: float, until: float) -> float:
        """The longest of its periods within this time, in seconds."""
        found = (*self._periods.get(loop, ()), *self._periods.get(_ALL, ()))
        return max((min(end, until) - max(start, since) for start, end in found), default=0.0)
