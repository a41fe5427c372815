"""An ending as seen by the search for the limit that explains it. The core itself suspects none."""

from collections.abc import Callable
from typing import NamedTuple

from autogen_streamtrace.core import semconv as sc


class Limit(NamedTuple):
    """The limit that explains an ending."""

    id: str
    value: float | None
    """Seconds."""
    source: sc.LimitSource


class Observation(NamedTuple):
    """What the search knows of an ending."""

    outcome: str
    silence: float
    """Seconds from the last item, or the start, to the end; to the response, where that was an error."""
    duration: float
    """Seconds from the start to the end."""
    first: float | None = None
    """Seconds to the first item; none where none came."""
    status: int | None = None
    """The HTTP status, where a response came."""
    intermediary: str = ""
    """The nearest intermediary by the response's headers."""
    cause: str = ""
    """Full name of the exception at the root."""
    cancelled_by: str = ""
    longest_gap: float = 0.0
    """The longest wait between two items that the stream survived, in seconds."""
    intermediaries: tuple[str, ...] = ()
    """All intermediaries, the nearest first; empty where there is at most ``intermediary``."""

    @property
    def named(self) -> tuple[str, ...]:
        """The known intermediaries."""
        return self.intermediaries or ((self.intermediary,) if self.intermediary else ())


Suspect = Callable[[Observation], Limit | None]


def no_suspicion(seen: Observation) -> Limit | None:
    """Suspects nothing."""
    return None
