"""What is known of an ending to whoever finds the limit that would explain it. The core itself suspects none."""

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
    """What is known of an ending."""

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
    """What the response's headers say stood in between."""
    cause: str = ""
    """Full name of the exception at the root."""
    cancelled_by: str = ""
    longest_gap: float = 0.0
    """Seconds, the longest wait between two items that the stream has borne."""
    intermediaries: tuple[str, ...] = ()
    """All that is named, the nearest first; the intermediary alone, where empty."""

    @property
    def named(self) -> tuple[str, ...]:
        """Who stands in between, as far as anything names them."""
        return self.intermediaries or ((self.intermediary,) if self.intermediary else ())


Suspect = Callable[[Observation], Limit | None]


def no_suspicion(seen: Observation) -> Limit | None:
    """Suspects nothing."""
    return None
