"""The timers by which a server would end this process or its streams, and since when each of them runs.

A supervisor's timers run in its own process, and they end this one by SIGKILL. This process knows only how long they
are and when they started. The flight recorder has both, so that recovery can see which timer had run out.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from weakref import WeakSet

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.deadlines import Deadline
from autogen_streamtrace.core.verdict.limits import Limit

HEARTBEAT: Final = "gunicorn.timeout"
"""The limit whose timer starts again with each sign of life."""

_SLACK: Final = 0.5
"""Seconds, at most, from the last sign of a process to its end: two rounds of the watcher, and a write."""
_SLACK_SHARE: Final = 0.25
_LATE: Final = 5.0
"""Seconds, at most, that a supervisor takes to act: gunicorn checks each second, and sends two signals."""
_EARLY: Final = 0.05
"""Seconds by which an event loop may fire a timer early, or start it before it is noted here."""
_BEAT: Final = 1.5
"""Seconds by which a healthy sign of life may be late: uvicorn gives one each half limit, when a second is full."""
_ASGI_WORKERS: Final = ("asgi", "ASGIWorker", "gunicorn.workers.gasgi.ASGIWorker")
"""Gunicorn's name of its own worker for ASGI applications."""


class Timer(NamedTuple):
    """A running timer of a server's."""

    limit: str
    """The id of its limit."""
    seconds: float
    since: float
    """When it started, in seconds on ``clock``."""

    def struck(self, at: float) -> Deadline | None:
        """This timer as a limit, if it had run out by then."""
        return Deadline(self.limit, float(self.seconds)) if at - self.since >= self.seconds - _EARLY else None


class Supervision:
    """The supervisors of this process, and their timers."""

    def __init__(self) -> None:
        self._timers: dict[str, Timer] = {}
        self._servers: WeakSet[Any] = WeakSet()

    @property
    def timers(self) -> tuple[Timer, ...]:
        """The timers that run now."""
        return tuple(self._timers.values())

    @property
    def servers(self) -> tuple[Any, ...]:
        """The configurations of the servers that this process runs under."""
        return tuple(self._servers)

    @property
    def disconnect_grace(self) -> float | None:
        """Seconds for which the server lets a response go on whose end user has left; None where it does not cancel it.

        Source: https://gunicorn.org/reference/settings/#asgi_disconnect_grace_period
        """
        for server in self._servers:
            seconds = getattr(server, "asgi_disconnect_grace_period", None)
            if getattr(server, "worker_class_str", "") in _ASGI_WORKERS and isinstance(seconds, (int, float)):
                return float(seconds)
        return None

    def runs_under(self, configuration: Any) -> None:
        """Takes the configuration of a server that runs this process."""
        self._servers.add(configuration)

    def begins(self, timer: Timer) -> None:
        """Starts a timer, or starts it again. A timer of 0 seconds is switched off."""
        if timer.seconds > 0:
            self._timers[timer.limit] = timer

    def reset_after_fork(self) -> None:
        """In a forked child: nothing supervises it."""
        self._timers = {}
        self._servers = WeakSet()


process: Final = Supervision()
"""The supervision of this process."""


def explains(timers: Iterable[Timer], seen: float) -> Limit | None:
    """The limit that explains why a process died that was last seen alive at ``seen``.

    It is *configured* where its time was just up: the supervisor was about to kill the process, whatever else could
    have done so. A timer that ran out long ago is no longer in use, such as the sign of life during a shutdown. It is
    *suspected* where a sign of life was overdue but the time was not up: the last sign may itself have been late.
    """
    for left, timer in sorted((abs(seen - timer.since - timer.seconds), timer) for timer in timers):
        over = seen - timer.since - timer.seconds
        if -min(_SLACK, _SLACK_SHARE * timer.seconds) <= over <= _LATE:
            return Limit(timer.limit, float(timer.seconds), sc.CONFIGURED)
        if timer.limit == HEARTBEAT and over < 0 and left < timer.seconds / 2 - _BEAT:
            return Limit(timer.limit, float(timer.seconds), sc.SUSPECTED)
    return None
