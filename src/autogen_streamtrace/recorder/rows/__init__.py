"""The states of the rows: open, waiting, retiring, free. ``flight`` has the theory; it writes what changes here."""

from collections import deque
from collections.abc import Collection, Iterable
from typing import Final

from autogen_streamtrace.core.stream.state import StreamState
from autogen_streamtrace.core.telemetry.counters import Counters
from autogen_streamtrace.core.watching.recorder import CounterLabels
from autogen_streamtrace.recorder import layout
from autogen_streamtrace.recorder.retired_counts import RetiredCounts
from autogen_streamtrace.recorder.rows.image import Marks, Part
from autogen_streamtrace.recorder.rows.slots import Slots

_MOST_WAITING: Final = layout.ROWS // 2
"""Rows that may wait for an export; beyond that the oldest retire."""


class Rows:
    """The rows of one file, and the sums of the streams that are retired from it.

    Args:
        counters: the process's counters.
    """

    def __init__(self, counters: Counters) -> None:
        self.slots: Final = Slots()
        self.retired: Final = RetiredCounts.so_far(counters)
        self.uncounted = False
        """A stream without a row is not in the counters' file yet."""
        self._open: dict[int, StreamState] = {}
        self._waiting: dict[int, int] = {}
        """By the ids of their spans."""
        self._retiring: deque[int] = deque()
        self._labels: dict[int, CounterLabels] = {}
        """How the streams of waiting and retiring rows are counted."""
        self._retired_marks: Final = Marks(layout.RETIRED_AT)
        self._told_marks: Final = Marks(layout.TOLD_AT)

    @property
    def used(self) -> bool:
        """Some row is not free."""
        return bool(self._waiting or self._open or self._retiring)

    @property
    def retiring(self) -> bool:
        """Some row, or a stream without one, has to be counted."""
        return bool(self._retiring) or self.uncounted

    @property
    def open(self) -> list[StreamState]:
        """The streams of the open rows."""
        return list(self._open.values())

    def take(self, state: StreamState) -> bool:
        """Opens a row for a stream; returns whether one was free."""
        slot = self.slots.take()
        if slot < 0:
            return False
        self.slots.hold(slot, state)
        self._open[slot] = state
        return True

    def give_back(self, state: StreamState) -> None:
        """Undoes ``take``."""
        slot, state.slot = state.slot, -1
        del self._open[slot]
        self.slots.give_back(slot)

    def holds(self, state: StreamState) -> bool:
        """Whether a stream has an open row."""
        return self._open.get(state.slot) is state

    def serial_of(self, state: StreamState | None) -> int:
        """The serial number of a stream's row: 0 for None, ``layout.UNKNOWN`` where it has none."""
        if state is None:
            return 0
        return state.serial if self.holds(state) else layout.UNKNOWN

    def judged(self, state: StreamState, counted: CounterLabels, span: int) -> None:
        """Lets a row wait for the export of ``span``; 0 is none, and the row retires."""
        slot = state.slot
        self._labels[slot] = counted
        del self._open[slot]
        state.slot = -1
        if span:
            self._waiting[span] = slot
        else:
            self._retiring.append(slot)

    def told(self, spans: Iterable[int]) -> Part | None:
        """Notes that the events of these spans have arrived: what to write, and where; None where no row waits."""
        slots = [slot for slot in map(self._waiting.get, spans) if slot is not None]
        return self._told_marks.put(slots, self.slots.serial, 1) if slots else None

    def exported(self, spans: Iterable[int]) -> None:
        """Lets the rows retire that waited for these spans."""
        for span in spans:
            slot = self._waiting.pop(span, None)
            if slot is not None:
                self._retiring.append(slot)

    def retire_oldest(self) -> int:
        """Lets the oldest waiting rows retire where too many wait; returns how many."""
        excess = max(0, len(self._waiting) - _MOST_WAITING)
        for _ in range(excess):
            self._retiring.append(self._waiting.pop(next(iter(self._waiting))))
        return excess

    def count_retiring(self) -> list[int]:
        """Adds the retiring rows to the sums; returns them. ``free`` or ``keep`` comes next."""
        batch = [self._retiring.popleft() for _ in range(len(self._retiring))]
        for slot in batch:
            self.retired.add(self._labels[slot])
        return batch

    def retired_in(self, batch: Collection[int], number: int) -> Part:
        """Notes that the counters' file with this number counts these rows: what to write, and where."""
        return self._retired_marks.put(batch, self.slots.serial, number)

    def free(self, batch: Iterable[int]) -> None:
        """Makes counted rows free: their sums are written."""
        self.uncounted = False
        for slot in batch:
            del self._labels[slot]
            self.slots.give_back(slot)

    def keep(self, batch: Iterable[int]) -> None:
        """Takes counted rows out of the sums, which could not be written. They retire later."""
        for slot in batch:
            self.retired.add(self._labels[slot], -1)
            self._retiring.append(slot)

    def drop_judged(self) -> int:
        """Counts every waiting and retiring row, and makes it free; returns how many."""
        slots = [*self._waiting.values(), *self._retiring]
        for slot in slots:
            self.retired.add(self._labels.pop(slot))
            self.slots.give_back(slot)
        self._waiting.clear()
        self._retiring.clear()
        return len(slots)
