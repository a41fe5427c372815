"""What a server would end this process's streams for, and since when each of those timers runs.

A supervisor's timers run in its own process, and what they do to this one is SIGKILL: here it is only known how long
they were, and when they began. The flight recorder keeps both, so that whoever finds it can say which had run out.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from weakref import WeakSet

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.deadlines import Deadline
from autogen_streamtrace.core.verdict.limits import Limit

HEARTBEAT: Final = "gunicorn.timeout"
"""The limit whose timer begins anew with each sign of life."""

_SLACK: Final = 0.5
"""Seconds by which the last look at a process may precede its end: two rounds of the watcher, and a write."""
_SLACK_SHARE: Final = 0.25
_LATE: Final = 5.0
"""Seconds that a supervisor takes at most to do it: gunicorn looks each second, and sends two signals."""
_EARLY: Final = 0.05
"""Seconds by which an event loop may fire a timer early, or begin it before it is noted here."""
_BEAT: Final = 1.5
"""Seconds by which a healthy sign of life may be late: uvicorn gives one each half limit, when a second is full."""
_ASGI_WORKERS: Final = ("asgi", "ASGIWorker", "gunicorn.workers.gasgi.ASGIWorker")
"""What gunicorn calls its own worker for ASGI applications."""


class Timer(NamedTuple):
    """A limit of a server's that is running."""

    limit: str
    """Its id."""
    seconds: float
    since: float
    """When it began, in seconds on the records' clock."""

    def struck(self, at: float) -> Deadline | None:
        """It, if it had run out by then."""
        return Deadline(self.limit, float(self.seconds)) if at - self.since >= self.seconds - _EARLY else None


class Supervision:
    """Who supervises this process."""

    def __init__(self) -> None:
        self._timers: dict[str, Timer] = {}
        self._servers: WeakSet[Any] = WeakSet()

    @property
    def timers(self) -> tuple[Timer, ...]:
        """What runs now."""
        return tuple(self._timers.values())

    @property
    def servers(self) -> tuple[Any, ...]:
        """The configurations of the servers that this process runs under."""
        return tuple(self._servers)

    @property
    def disconnect_grace(self) -> float | None:
        """Seconds for which the server lets a response go on whose end user has left, where it cancels it then.

        Source: https://gunicorn.org/reference/settings/#asgi_disconnect_grace_period
        """
        for server in self._servers:
            seconds = getattr(server, "asgi_disconnect_grace_period", None)
            if getattr(server, "worker_class_str", "") in _ASGI_WORKERS and isinstance(seconds, (int, float)):
                return float(seconds)
        return None

    def runs_under(self, configuration: Any) -> None:
        """A server with this configuration runs this process."""
        self._servers.add(configuration)

    def begins(self, timer: Timer) -> None:
        """A timer begins, or begins anew. One of 0 seconds is switched off."""
        if timer.seconds > 0:
            self._timers[timer.limit] = timer

    def reset_after_fork(self) -> None:
        """After a fork: nobody supervises the child."""
        self._timers = {}
        self._servers = WeakSet()


process: Final = Supervision()
"""This process's."""


def explains(timers: Iterable[Timer], seen: float) -> Limit | None:
    """The limit for which a process was killed that was last seen alive at ``seen``.

    Configured, where its time was just up: whatever else could have killed the process, its supervisor was about to.
    One whose time was up long ago is not watched any more, as signs of life in a shutdown. Suspected, where the sign of
    life was overdue, but its time not up: who saw the process last may have been held up with it.
    """
    for left, timer in sorted((abs(seen - timer.since - timer.seconds), timer) for timer in timers):
        over = seen - timer.since - timer.seconds
        if -min(_SLACK, _SLACK_SHARE * timer.seconds) <= over <= _LATE:
            return Limit(timer.limit, float(timer.seconds), sc.CONFIGURED)
        if timer.limit == HEARTBEAT and over < 0 and left < timer.seconds / 2 - _BEAT:
            return Limit(timer.limit, float(timer.seconds), sc.SUSPECTED)
    return None
