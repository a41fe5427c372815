"""Causes that are no proxy's limit: moments, connections, users, refusals, this process' own timers, noise."""

import random
from typing import Final

from autogen_streamtrace.commands.diagnose.endings import Ending, Place
from autogen_streamtrace.core import semconv as sc
from mixtures.kept import DAY, Mixture, Truth, good, path, usual
from mixtures.timers import lateness

OWN: Final = (
    ("http_client.read_timeout", sc.TIMEOUT, "httpx.ReadTimeout", ""),
    ("asyncio.timeout", sc.CANCELLED, "", sc.BY_DEADLINE),
)


def moment(random_: random.Random, made: Mixture, host: str, count: int) -> None:
    """Everything open ends at one moment."""
    via = random_.choice(["", "nginx", "envoy", "apache"])
    at, truth = random_.uniform(0, DAY), Truth("moment", path=path(via))
    for _ in range(count):
        age = random_.uniform(0.5, random_.choice([20, 200]))
        end = at + random_.uniform(0, random_.choice([0.05, 0.4]))
        closed = Ending(
            host=host,
            intermediary=via,
            status=200,
            first=min(0.5, age),
            silence=min(age, random_.expovariate(5)),
            longest_gap=0.3,
            duration=age,
            start=end - age,
            end=end,
            cause="httpx.RemoteProtocolError",
        )
        made.add(closed, truth)
    good(random_, made, Place(sc.HTTP, host), count, "", 1e6, via)


def reused(random_: random.Random, made: Mixture, host: str, count: int) -> None:
    """Connections that their other end closes just as they are used again."""
    kept = random_.choice([2.0, 5.0, 5.0, 65.0])
    truth = Truth("reuse", kept, 0.2)
    for _ in range(count):
        took, idle = random_.uniform(0.001, 0.2), kept - random_.uniform(0, 0.1)
        raced = Ending(host=host, silence=took, duration=took, reused=True, idle=idle, cause="httpx.ReadError")
        made.at_any_time(random_, raced, truth)


def users_leave(random_: random.Random, made: Mixture, _host: str, count: int) -> None:
    """Users who give up after one time."""
    after, late = usual(random_), lateness(random_)
    truth = Truth("reader", after)
    for _ in range(count):
        left = _served(random_, after + abs(random_.gauss(0, 0.03)))
        made.at_any_time(random_, late(left), truth)


def route_told(random_: random.Random, made: Mixture, _host: str, count: int) -> None:
    """Envoy before this server, which tells its route's timeout with every request."""
    after, late = usual(random_), lateness(random_)
    truth = Truth("duration", after, path=path("envoy"))
    for _ in range(count):
        cut = _served(random_, after + abs(random_.gauss(0, 0.03)))
        cut.expected_timeout = after
        made.at_any_time(random_, late(cut), truth)


def refused(random_: random.Random, made: Mixture, host: str, count: int) -> None:
    """A proxy that asks nobody."""
    name, status = random_.choice([("nginx", 503), ("nginx", 502), ("haproxy", 503), ("apache", 503), ("caddy", 502)])
    shows = name if name != "haproxy" else ""
    truth = Truth("refused", path=path(name))
    for _ in range(count):
        took = random_.uniform(0.001, 0.1)
        answer = _refusal(host, status, took, page=name, intermediary=shows)
        made.at_any_time(random_, answer, truth)
    good(random_, made, Place(sc.HTTP, host), count, "", 1e6, shows)


def provider_fails(random_: random.Random, made: Mixture, host: str, count: int) -> None:
    """A model's server that answers with errors, through a proxy that names itself."""
    via = random_.choice(["", "nginx", "envoy"])
    truth = Truth("provider", path=path(via))
    for _ in range(count):
        answer = _refusal(host, random_.choice([500, 503]), random_.lognormvariate(-2, 1), intermediary=via)
        made.at_any_time(random_, answer, truth)
    good(random_, made, Place(sc.HTTP, host), count, "", 1e6, via)


def queue(random_: random.Random, made: Mixture, host: str, count: int) -> None:
    """A full queue of HAProxy's."""
    waits = usual(random_)
    truth = Truth("queue", waits, path=path("haproxy"))
    for _ in range(count):
        answer = _refusal(host, 503, waits + abs(random_.gauss(0, 0.02)), page="haproxy")
        made.at_any_time(random_, answer, truth)
    good(random_, made, Place(sc.HTTP, host), count, "first_byte", waits, "")


def own_timer(random_: random.Random, made: Mixture, host: str, count: int) -> None:
    """A timer of this process, which names it as it strikes."""
    limit, outcome, cause, by = random_.choice(OWN)
    seconds, late = usual(random_), lateness(random_)
    truth = Truth("deadline", seconds)
    for _ in range(count):
        struck = Ending(
            host=host,
            outcome=outcome,
            cause=cause,
            cancelled_by=by,
            limit=limit,
            limit_source=sc.CONFIGURED,
            limit_value=seconds,
            silence=seconds,
            duration=seconds + random_.expovariate(1),
        )
        made.at_any_time(random_, late(struck), truth)
    good(random_, made, Place(sc.HTTP, host), count, "silence", seconds, "")
    made.beside(Place(sc.HTTP, host)).paced += count


def buffering(random_: random.Random, made: Mixture, host: str, count: int) -> None:
    """A path that holds bodies back, so that the client's own timer strikes."""
    via = random_.choice(["", "nginx", "caddy"])
    seconds = usual(random_)
    truth = Truth("buffering", path=path(via))
    for _ in range(count):
        struck = Ending(
            host=host,
            intermediary=via,
            outcome=sc.TIMEOUT,
            cause="httpx.ReadTimeout",
            limit="http_client.read_timeout",
            limit_source=sc.CONFIGURED,
            limit_value=seconds,
            silence=seconds,
            duration=seconds + 0.1,
        )
        made.at_any_time(random_, struck, truth)
    good(random_, made, Place(sc.HTTP, host), count, "silence", seconds, via)
    beside = made.beside(Place(sc.HTTP, host))
    beside.pieces += max(10, count)
    beside.paced += random_.randint(0, 3)


def noise(random_: random.Random, made: Mixture, place: Place, via: str) -> None:
    """A connection that is lost at any time, after any silence."""
    duration = random_.choice([random_.uniform(1, 400), random_.lognormvariate(2, 1), random_.expovariate(0.1)])
    silence = min(duration, random_.choice([random_.expovariate(2), random_.uniform(0, 130), random_.expovariate(30)]))
    server = place.layer == sc.SERVER
    lost = Ending(
        layer=place.layer,
        host=place.host,
        outcome=sc.CANCELLED if server else sc.DISCONNECTED,
        cancelled_by=sc.BY_DISCONNECT if server else "",
        status=200,
        intermediary=via,
        first=min(0.5, duration),
        silence=silence,
        longest_gap=min(0.3, duration),
        duration=duration,
        cause="" if server else "httpx.ReadError",
    )
    made.at_any_time(random_, lost, Truth("other", path=path(via)))


def _served(random_: random.Random, duration: float) -> Ending:
    """A response to an end user whose connection went away."""
    return Ending(
        layer=sc.SERVER,
        outcome=sc.CANCELLED,
        cancelled_by=sc.BY_DISCONNECT,
        status=200,
        first=min(0.5, duration),
        silence=min(duration, random_.expovariate(3)),
        longest_gap=0.3,
        duration=duration,
    )


def _refusal(host: str, status: int, after: float, page: str = "", intermediary: str = "") -> Ending:
    return Ending(
        host=host,
        outcome=sc.REJECTED,
        status=status,
        page=page,
        intermediary=intermediary,
        silence=0.0,
        duration=after,
        to_headers=after,
    )
