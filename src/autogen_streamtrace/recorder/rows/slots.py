"""The rows of the recorder's file: which are free, whose stream each one holds, and what was last copied of it."""

import heapq
import itertools
from array import array
from collections.abc import Iterable
from typing import Final

from autogen_streamtrace.core.stream.state import StreamState
from autogen_streamtrace.recorder import layout
from autogen_streamtrace.recorder.rows.image import Image, Part


class Slots:
    """The rows, by their numbers. Readers take them in any thread; the watcher alone copies progress."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._unused = itertools.count()
        self._serial = itertools.count(1)
        self._serials = array("Q")
        self._copied = array("d")
        """For each row the sum of the two times that change with each item, when they were last copied."""
        self._progress: Final = Image(layout.PROGRESS_AT, layout.PROGRESS_SIZE)

    def prepare(self) -> None:
        """Takes the memory for all rows. A forked child needs none before its first stream."""
        if not self._serials:
            self._serials.frombytes(bytes(8 * layout.ROWS))
            self._copied.frombytes(bytes(8 * layout.ROWS))

    def take(self) -> int:
        """The lowest free row, so that the file stays small; -1 where there is none."""
        try:
            return heapq.heappop(self._free)
        except IndexError:
            slot = next(self._unused)
            return slot if slot < layout.ROWS else -1

    def give_back(self, slot: int) -> None:
        """Makes a row free."""
        heapq.heappush(self._free, slot)

    def hold(self, slot: int, state: StreamState) -> None:
        """Lets a row hold a stream, which gets the row's number and a serial number."""
        state.slot = slot
        state.serial = self._serials[slot] = next(self._serial)
        self._copied[slot] = state.asked + state.last

    def serial(self, slot: int) -> int:
        """The serial number of the stream that a row holds."""
        return self._serials[slot]

    def copy_again(self, slot: int) -> None:
        """Makes the next ``progress`` include this row."""
        if slot >= 0:
            self._copied[slot] = 0.0

    def progress(self, states: Iterable[StreamState]) -> Part | None:
        """The changed part of the file with the rows' progress, and where it belongs; None where nothing changed."""
        changed = [each for each in states if each.asked + each.last != self._copied[each.slot]]
        slots = []
        for state in changed:
            slot = state.slot
            if slot < 0:  # it was judged meanwhile
                continue
            slots.append(slot)
            self._copied[slot] = state.asked + state.last
            layout.write_progress(self._progress.room(slot), slot, self._serials[slot], state)
        return self._progress.part(slots) if slots else None
