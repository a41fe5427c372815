"""What was done to whom. Nothing of a request's or a reply's contents is kept."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal

KEPT: Final = 10_000
"""Exchanges that are remembered, the newest."""

End = Literal["open", "passed", "struck", "not reached", "client left", "upstream broke", "error"]


@dataclass
class Done:
    """One exchange."""

    number: int
    model: str
    path: str
    fault: str
    """Its name; empty where the reply was to pass."""
    place: str
    end: End = "open"
    status: int = 0
    events: int = 0
    bytes: int = 0
    started: float = field(default_factory=time.time)
    """Seconds since the epoch."""
    seconds: float = 0.0
    trace: str = ""
    """The trace that the request's ``traceparent`` names; empty where there is none."""
    span: str = ""
    """The span that it names."""
    request_id: str = ""
    """The reply's ``x-request-id``."""

    @property
    def ended(self) -> float:
        """When the proxy had done with it, in seconds since the epoch."""
        return self.started + self.seconds


@dataclass
class Tally:
    """Every exchange, up to a bound."""

    done: deque[Done] = field(default_factory=lambda: deque(maxlen=KEPT))
    count: int = 0

    def begin(self, model: str, path: str, fault: str, place: str, traceparent: str) -> Done:
        """An exchange has begun."""
        self.count += 1
        parts = traceparent.split("-")
        trace, span = parts[1:3] if len(parts) == 4 else ("", "")
        done = Done(self.count, model[:64], path[:128], fault, place, trace=trace, span=span)
        self.done.append(done)
        return done
