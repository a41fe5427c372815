"""Where each part of the file begins, and how long it is."""

from typing import Final

VERSION: Final = 4
ROWS: Final = 16_384
"""Streams that can stand in a file at the same time."""

_PAGE: Final = 4096
HEADER_SIZE: Final = 8 * _PAGE
PULSE_AT: Final = HEADER_SIZE
PROGRESS_AT: Final = PULSE_AT + _PAGE
PROGRESS_SIZE: Final = 64
MARK_SIZE: Final = 16
RETIRED_AT: Final = PROGRESS_AT + ROWS * PROGRESS_SIZE
TOLD_AT: Final = RETIRED_AT + ROWS * MARK_SIZE
ROWS_AT: Final = TOLD_AT + ROWS * MARK_SIZE
ROW_SIZE: Final = 2048

# Inside a row; its birth comes first.
END: Final = 768
FINISHED: Final = ROW_SIZE - 16
_ENDS_AT: Final = ROWS_AT + END


def row_at(slot: int) -> int:
    """Where a row begins."""
    return ROWS_AT + slot * ROW_SIZE


def end_at(slot: int) -> int:
    """Where a row says how its stream ended."""
    return _ENDS_AT + slot * ROW_SIZE


def finished_at(slot: int) -> int:
    """Where a row says when its stream finished."""
    return row_at(slot) + FINISHED
