"""Which limit would explain an ending. A suspicion, by what was measured and by what stood in between; never a fact.

The few defaults that are met everywhere stand here. A catalogue takes their place where the judge is given one.
"""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from . import names as n
from .endings import Limit


class Seen(NamedTuple):
    """What is known of an ending."""

    outcome: n.Outcome
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


Suspect = Callable[[Seen], Limit | None]


class _Default(NamedTuple):
    id: str
    intermediary: str
    seconds: float
    counts: Literal["silence", "duration"]
    status: int
    """With which it answers where the response has not begun."""


_DEFAULTS: Final = (
    # https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_read_timeout
    _Default("nginx.proxy_read_timeout", "nginx", 60.0, "silence", 504),
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
    _Default("aws_alb.idle_timeout", "aws_alb", 60.0, "silence", 504),
    # https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts
    _Default("envoy.route_timeout", "envoy", 15.0, "duration", 504),
    _Default("envoy.stream_idle_timeout", "envoy", 300.0, "silence", 504),
)

_CUT: Final = (n.DISCONNECTED, n.TRUNCATED)
_EARLY: Final = 0.5
"""Seconds by which the end may seem too early: the proxy counts from its own last read."""
_LATE: Final = 1.5
"""Seconds by which it may be late: the proxy's timer, the way, a busy event loop."""


def suspect(seen: Seen) -> Limit | None:
    """The default that explains an ending: what stood in between has it, and the time fits."""
    for known in _DEFAULTS:
        measured = seen.silence if known.counts == "silence" else seen.duration
        fits = known.seconds - _EARLY <= measured <= known.seconds + _LATE
        cut = seen.outcome in _CUT or (seen.outcome == n.REJECTED and seen.status == known.status)
        if fits and cut and known.intermediary == seen.intermediary:
            return Limit(known.id, known.seconds, n.SUSPECTED)
    return None
