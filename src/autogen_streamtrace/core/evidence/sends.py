"""What was being sent to an end user who took nothing more, until a deadline of the program's gave it up."""

import asyncio
from collections.abc import Iterable
from typing import Final
from weakref import WeakSet

from autogen_streamtrace.core.evidence import deadlines

_HELD_UP: Final = 0.1
"""Seconds for which a piece must have been held up, for a deadline that strikes then to be its own."""

_given_up: Final["WeakSet[BaseException]"] = WeakSet()
"""The cancellations by which that was given up: whatever carries one of them is the end user's leaving."""


def gives_up(error: BaseException, held: float) -> bool:
    """Whether a deadline for a piece that had been held up for so many seconds struck; if so, notes it."""
    deadline = deadlines.striking(error) if isinstance(error, asyncio.CancelledError) else None
    if deadline is None or held < max(_HELD_UP, (deadline.seconds or 0.0) / 2):
        return False
    _given_up.add(error)
    return True


def given_up(chain: Iterable[BaseException]) -> bool:
    """Whether an exception comes from one that ``gives_up`` has noted."""
    return bool(_given_up) and any(link in _given_up for link in chain if isinstance(link, asyncio.CancelledError))
