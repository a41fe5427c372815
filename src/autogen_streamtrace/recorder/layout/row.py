"""A stream's row: what it holds, and how its parts are packed."""

import struct
from typing import Any, Final, NamedTuple

from autogen_streamtrace.core.stream.state import Ending, How, StreamState

UNKNOWN: Final = 2**64 - 1
"""The serial number of a stream that has no row."""

PROGRESS: Final = struct.Struct("<QQQddddH")
BIRTH: Final = struct.Struct("<HBBQ16s8s8sQQd")
STAGE: Final = struct.Struct("<HBQ")
"""How an end begins, whatever its stage: the length of its text, the stage, the serial number."""
ENDED_AT: Final = struct.Struct("<HBQHdIQQddddHIId")
JUDGED_AT: Final = struct.Struct("<HBQQQ")
CHECKSUM: Final = struct.Struct("<I")
FINISHED: Final = struct.Struct("<Qd")
MARK: Final = struct.Struct("<QQ")

# Flags of a birth.
SAMPLED, STREAMED = 1, 2

# Flags of an end; the two lowest bits say how it ended.
HELD, THROWN_IN, BY_TOKEN, FINISHED_NOW, TERMINAL, TERMINATED, GONE, SHUTDOWN = (1 << bit for bit in range(2, 10))
INSIDE, ERROR, DOCUMENT, EMPTY = (1 << bit for bit in range(10, 14))
HOWS: Final[tuple[How, ...]] = ("returned", "raised", "closed", "unread")

# Stages of an end.
ENDED, JUDGED = 1, 2

OF_ENDED, OF_CUT = "ended ", "cut "
"""How the names of labels begin that differ from the attributes."""

NO_NUMBER: Final = 0xFFFFFFFF
"""Stands for a count of tokens that is not known."""

_PREFIX: Final = "streamtrace."


class Ids(NamedTuple):
    """Where a stream's span belongs."""

    trace: int
    span: int
    """0 where the span starts only at the stream's end."""
    parent: int
    sampled: bool


class Judged(NamedTuple):
    """A stream's verdict."""

    span: int
    end_ns: int
    attributes: dict[str, Any]
    ended: dict[str, Any]
    """Labels of ``ended`` that differ from the attributes, because they are capped."""
    cut: dict[str, Any]
    """The same for ``cut``."""


class Row(NamedTuple):
    """A stream as it stands in the file."""

    serial: int
    """Numbers the streams of the process in the order in which they started."""
    parent: int
    """Serial number of the stream around it; 0 if there is none."""
    ids: Ids
    state: StreamState
    ending: Ending | None
    finished_at: float | None
    """Seconds on ``clock``."""
    judged: Judged | None
    retired_in: int
    """Number of the counters' file that counts it; 0 if none does."""
    told: bool
    """The event of its end has arrived."""


def short(key: str) -> str:
    """An attribute's name as it stands in a row."""
    return "." + key.removeprefix(_PREFIX) if key.startswith(_PREFIX) else key


def long(key: str) -> str:
    """An attribute's name as it stood before ``short``."""
    return _PREFIX + key[1:] if key.startswith(".") else key
