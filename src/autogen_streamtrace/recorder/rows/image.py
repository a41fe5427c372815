"""A part of the recorder's file that has an entry for each row, as it stands there: one write covers many rows."""

from collections.abc import Callable, Collection
from typing import Final

from autogen_streamtrace.recorder import layout

Part = tuple[bytes, int]
"""What to write, and where."""


class Image:
    """The entries of the rows, as far as they are used.

    Args:
        at: where they begin in the file.
        size: bytes of an entry.
    """

    def __init__(self, at: int, size: int) -> None:
        self._at: Final = at
        self._size: Final = size
        self._entries: Final = bytearray()

    def room(self, slot: int) -> bytearray:
        """The entries, with one for this row."""
        missing = (slot + 1) * self._size - len(self._entries)
        if missing > 0:
            self._entries.extend(bytes(missing))
        return self._entries

    def part(self, slots: Collection[int]) -> Part:
        """From the first to the last entry of these rows, of which there is one at least."""
        first, last = min(slots) * self._size, (max(slots) + 1) * self._size
        return bytes(self._entries[first:last]), self._at + first


class Marks:
    """A number for each row.

    Args:
        at: where they begin in the file.
    """

    def __init__(self, at: int) -> None:
        self._image: Final = Image(at, layout.MARK_SIZE)

    def put(self, slots: Collection[int], serial: Callable[[int], int], number: int) -> Part:
        """Gives these rows, of which there is one at least, a number.

        Args:
            slots: the rows.
            serial: finds the serial number of the stream that a row holds.
            number: the number.
        """
        for slot in slots:
            layout.write_mark(self._image.room(slot), slot, serial(slot), number)
        return self._image.part(slots)
