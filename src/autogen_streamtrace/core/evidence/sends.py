"""Sends to an end user that a deadline of the program gave up, because the end user read nothing more."""

import asyncio
from collections.abc import Iterable
from typing import Final
from weakref import WeakSet

from autogen_streamtrace.core.evidence import deadlines

_HELD_UP: Final = 0.1
"""Seconds that a send must have waited, for a deadline that is due then to be the send's own."""

_given_up: Final["WeakSet[BaseException]"] = WeakSet()
"""The cancellations that gave a send up. An exception with one of them in its chain means that the end user left."""


def gives_up(error: BaseException, held: float) -> bool:
    """Whether a deadline for a send that has waited ``held`` seconds struck; if so, notes the cancellation."""
    deadline = deadlines.striking(error) if isinstance(error, asyncio.CancelledError) else None
    if deadline is None or held - deadlines.late() < max(_HELD_UP, (deadline.seconds or 0.0) / 2):
        return False
    _given_up.add(error)
    return True


def given_up(chain: Iterable[BaseException]) -> bool:
    """Whether an exception comes from one that ``gives_up`` has noted."""
    return bool(_given_up) and any(link in _given_up for link in chain if isinstance(link, asyncio.CancelledError))
