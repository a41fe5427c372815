"""Limits of proxies, as their timers strike, and as a process that is busy sees it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from autogen_streamtrace.commands.diagnose.endings import Ending, Place
from autogen_streamtrace.core import semconv as sc
from mixtures.kept import Mixture, Truth, good, path, talks, usual


@dataclass(frozen=True)
class Vendor:
    """A proxy, and how its timers strike: as measured on real ones."""

    name: str
    """What the headers of good answers name; empty where they name nobody."""
    kinds: tuple[str, ...]
    strikes: tuple[float, float] = (0.0, 0.0)
    """Seconds after the value, at the least and at the most."""
    page: str = ""
    """Whose page a refusal is."""
    status: int = 504
    closes_late: float = 0.0
    """Seconds from a cut to the end of an HTTP/1 connection to its client."""


VENDORS: Final = (
    Vendor("nginx", ("silence", "first_byte"), (-0.3, 0.0), "nginx"),
    Vendor("", ("silence", "first_byte"), (-0.2, 0.0), "haproxy"),
    Vendor("apache", ("silence", "first_byte"), (0.0, 0.02), "apache", 502),
    Vendor("caddy", ("silence", "duration", "first_byte"), (0.0, 0.02), "caddy"),
    Vendor("varnish", ("silence",), (0.0, 0.2)),
    Vendor("squid", ("silence",), (-0.5, 1.6)),
    Vendor("lighttpd", ("silence",), (1.0, 2.9)),
    Vendor("envoy", ("silence", "duration"), (0.0, 0.02), closes_late=1.0),
    Vendor("", ("silence", "duration"), (0.0, 0.01)),
    Vendor("", ("first_byte",), (0.0, 0.05)),
)
BEFORE: Final = ("", "caddy", "varnish")
"""Who may stand before this server: nobody who shows, or who shows in the headers of requests."""


def limit(random_: random.Random, made: Mixture, host: str, count: int) -> None:
    """A proxy's limit, between this process and a host or between it and its end users."""
    vendor = random_.choice(VENDORS)
    kind = random_.choice(vendor.kinds)
    seconds = usual(random_)
    busy = random_.choice([0.02, 0.02, 0.05, 0.1])
    before = vendor.name in BEFORE and kind != "first_byte" and random_.random() < 0.3
    place = Place(sc.SERVER, "") if before else Place(sc.HTTP, host)
    off = min(1.0, vendor.strikes[1] - vendor.strikes[0])
    truth = Truth(kind, seconds, off, path(vendor.name, vendor.page), vendor.name or vendor.page or "nobody")
    draw, late = talks(random_), lateness(random_)
    for _ in range(count):
        shown = max(0.05, seconds + random_.uniform(*vendor.strikes) + abs(random_.gauss(0, busy)))
        ending = late(_limited(random_, vendor, kind, place, shown, draw()))
        made.at_any_time(random_, ending, truth)
    good(random_, made, place, count, kind, seconds, vendor.name)


def lateness(random_: random.Random) -> Callable[[Ending], Ending]:
    """What a busy event loop makes of an ending: it sees last bytes late, and ends."""
    most = random_.choice([0.0] * 8 + [0.3, 1.0])
    share = random_.choice([0.2, 0.7, 1.0])

    def late(ending: Ending) -> Ending:
        if most and random_.random() < share:
            read, end = random_.uniform(0, most), random_.uniform(0, most)
            ending.loop_late = max(read, end)
            ending.duration = (ending.duration or 0.0) + end
            ending.silence = max(0.0, (ending.silence or 0.0) + end - read)
            if ending.to_headers is not None:
                ending.to_headers += end
        return ending

    return late


def _limited(random_: random.Random, vendor: Vendor, kind: str, place: Place, shown: float, before: float) -> Ending:
    """What a timer cut that struck after ``shown`` seconds, of a stream that had talked for ``before`` seconds."""
    if kind == "first_byte":
        return Ending(
            host=place.host,
            intermediary=vendor.name,
            outcome=sc.REJECTED,
            status=vendor.status,
            page=vendor.page,
            silence=0.0,
            duration=shown,
            to_headers=shown,
        )
    server = place.layer == sc.SERVER
    closing = 0.0 if server else vendor.closes_late
    quiet = shown if kind == "silence" else min(shown, random_.expovariate(random_.choice([10, 0.5])))
    return Ending(
        layer=place.layer,
        host=place.host,
        outcome=sc.CANCELLED if server else sc.DISCONNECTED,
        cancelled_by=sc.BY_DISCONNECT if server else "",
        intermediary=vendor.name,
        status=200,
        first=min(before, 0.5),
        silence=quiet + closing,
        longest_gap=min(before, 0.3),
        duration=closing + (before + quiet if kind == "silence" else shown),
        cause="" if server else "httpx.RemoteProtocolError",
    )
