"""Early endings that never were, each with its true cause: limits at random values, several at once, in noise."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from autogen_streamtrace.commands.diagnose.endings import Ending, Others, Place
from autogen_streamtrace.commands.diagnose.findings import explain
from autogen_streamtrace.commands.diagnose.scene import Cause, Scene
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits import LimitMatcher

DAY: Final = 86_400.0
MOST: Final = 5000
"""Early endings of one mixture."""


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


VENDORS: Final = (
    Vendor("nginx", ("silence", "first_byte"), (-0.3, 0.0), "nginx"),
    Vendor("", ("silence", "first_byte"), (-0.2, 0.0), "haproxy"),
    Vendor("apache", ("silence", "first_byte"), (0.0, 0.02), "apache", 502),
    Vendor("caddy", ("silence", "duration", "first_byte"), (0.0, 0.02), "caddy"),
    Vendor("varnish", ("silence",), (0.0, 0.2)),
    Vendor("squid", ("silence",), (-0.5, 1.6)),
    Vendor("lighttpd", ("silence",), (1.0, 2.9)),
    Vendor("envoy", ("silence", "duration"), (1.0, 1.02)),
    Vendor("", ("silence", "duration"), (0.0, 0.01)),
)


@dataclass
class Truth:
    """What really ended some streams."""

    kind: str
    seconds: float | None = None
    off: float = 0.0
    """Seconds over which the timer itself spreads, a second at the most."""
    path: frozenset[str] = frozenset()
    """Who stands between."""


@dataclass
class Mixture:
    """What a table held."""

    endings: list[Ending] = field(default_factory=list)
    others: dict[Place, Others] = field(default_factory=dict)
    truths: dict[int, Truth] = field(default_factory=dict)
    """By the identity of the ending."""

    def add(self, ending: Ending, truth: Truth) -> None:
        """An ending with its cause."""
        self.endings.append(ending)
        self.truths[id(ending)] = truth


def mixture(seed: int) -> Mixture:
    """One mixture; the same for the same seed."""
    random_ = random.Random(seed)
    made = Mixture()
    total = round(math.exp(random_.uniform(math.log(5), math.log(MOST))))
    noise = random_.choice([0.0, random_.uniform(0, 0.9)])
    causes = random_.randint(1, 3)
    shared = random_.random() < 0.3
    for number in range(causes):
        host = "models.example" if shared else f"models-{number}.example"
        count = round(total * (1 - noise) / causes) or 1
        _cause(random_, made, host, count)
    hosts = sorted({(each.place, each.intermediary) for each in made.endings})
    for _ in range(round(total * noise)):
        place, via = random_.choice(hosts)
        made.add(_noise(random_, place, via), Truth("other", path=frozenset(filter(None, [via]))))
    for place in {each.place for each in made.endings}:
        for values in (made.others.setdefault(place, Others()).gaps, made.others[place].durations):
            values.sort()
        made.others[place].lives.sort()
    return made


def _cause(random_: random.Random, made: Mixture, host: str, count: int) -> None:
    what = random_.random()
    if what < 0.1:
        _moment(random_, made, host, count)
    elif what < 0.18:
        _reused(random_, made, host, count)
    elif what < 0.26:
        _users_leave(random_, made, count)
    else:
        _limit(random_, made, host, count)


def _limit(random_: random.Random, made: Mixture, host: str, count: int) -> None:
    vendor = random_.choice(VENDORS)
    kind = random_.choice(vendor.kinds)
    seconds = _seconds(random_)
    late = random_.choice([0.02, 0.02, 0.05, 0.1])
    path = frozenset(filter(None, [vendor.name, vendor.page]))
    truth = Truth(kind, seconds, min(1.0, vendor.strikes[1] - vendor.strikes[0]), path)
    draw = _spread(random_, seconds)
    for _ in range(count):
        shown = max(0.05, seconds + random_.uniform(*vendor.strikes) + abs(random_.gauss(0, late)))
        before = draw()
        made.add(_at_any_time(random_, _limited(random_, vendor, kind, host, shown, before)), truth)
    _good(random_, made, Place(sc.HTTP, host), count, kind, seconds, vendor.name)


def _limited(random_: random.Random, vendor: Vendor, kind: str, host: str, shown: float, before: float) -> Ending:
    """What a timer cut that struck after ``shown`` seconds, of a stream that had talked for ``before`` seconds."""
    if kind == "first_byte":
        return Ending(
            host=host,
            intermediary=vendor.name,
            outcome=sc.REJECTED,
            status=vendor.status,
            page=vendor.page,
            silence=0.0,
            duration=shown,
            to_headers=shown,
        )
    closing = max(0.0, vendor.strikes[0]) if kind == "duration" else 0.0
    silence = shown if kind == "silence" else min(shown, closing + random_.expovariate(random_.choice([10, 0.5])))
    return Ending(
        host=host,
        intermediary=vendor.name,
        status=200,
        first=min(before, 0.5),
        silence=silence,
        longest_gap=min(before, 0.3),
        duration=before + silence if kind == "silence" else shown,
        cause="httpx.RemoteProtocolError",
    )


def _moment(random_: random.Random, made: Mixture, host: str, count: int) -> None:
    via = random_.choice(["", "nginx", "envoy", "apache"])
    at = random_.uniform(0, DAY)
    for _ in range(count):
        age = random_.uniform(0.5, random_.choice([20, 200]))
        end = at + random_.uniform(0, random_.choice([0.05, 0.4]))
        made.add(
            Ending(
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
            ),
            Truth("moment", path=frozenset(filter(None, [via]))),
        )
    _good(random_, made, Place(sc.HTTP, host), count, "", 1e6, via)


def _reused(random_: random.Random, made: Mixture, host: str, count: int) -> None:
    kept = random_.choice([2.0, 5.0, 5.0, 65.0])
    for _ in range(count):
        took, idle = random_.uniform(0.001, 0.2), kept - random_.uniform(0, 0.1)
        raced = Ending(host=host, silence=took, duration=took, reused=True, idle=idle, cause="httpx.ReadError")
        made.add(_at_any_time(random_, raced), Truth("reuse", kept, 0.2))


def _users_leave(random_: random.Random, made: Mixture, count: int) -> None:
    after = _seconds(random_)
    for _ in range(count):
        duration = after + abs(random_.gauss(0, 0.03))
        left = Ending(
            layer=sc.SERVER,
            outcome=sc.CANCELLED,
            cancelled_by=sc.BY_DISCONNECT,
            status=200,
            first=0.5,
            silence=min(duration, random_.expovariate(3)),
            longest_gap=0.3,
            duration=duration,
        )
        made.add(_at_any_time(random_, left), Truth("reader", after))


def _noise(random_: random.Random, place: Place, via: str) -> Ending:
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
    return _at_any_time(random_, lost)


def _good(random_: random.Random, made: Mixture, place: Place, count: int, kind: str, seconds: float, via: str) -> None:
    """Streams that the limit spares."""
    seen = made.others.setdefault(place, Others())
    for _ in range(min(2000, round(count * random_.choice([0, 1, 3])))):
        gap, duration = random_.expovariate(1), random_.lognormvariate(2, 0.8)
        if kind in ("silence", "first_byte"):
            gap = min(gap, 0.7 * seconds * random_.random())
        elif kind == "duration":
            duration = min(duration, 0.95 * seconds * random_.random())
        start = random_.uniform(0, DAY)
        seen.gaps.append(min(gap, duration))
        seen.durations.append(duration)
        seen.firsts.append(min(0.5, duration))
        seen.lives.append((start, start + duration))
        seen.via.update(filter(None, [via]))


def _seconds(random_: random.Random) -> float:
    """What operators set: a usual value, or any."""
    if random_.random() < 0.5:
        return float(random_.choice([2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 100, 120, 180, 240, 300, 600, 900]))
    return round(math.exp(random_.uniform(math.log(1.5), math.log(900))), 1)


def _spread(random_: random.Random, seconds: float) -> Callable[[], float]:
    """How long a stream talks before it falls silent."""
    typical = random_.choice([0.5, 3.0, 20.0])
    return random_.choice(
        [lambda: random_.uniform(0.1, typical), lambda: random_.lognormvariate(math.log(typical), 0.8)]
    )


def _at_any_time(random_: random.Random, ending: Ending) -> Ending:
    ending.start = random_.uniform(0, DAY)
    ending.end = ending.start + (ending.duration or 0.0)
    return ending


@dataclass(frozen=True)
class Said:
    """One cause that was told, held against what is true."""

    sure: str
    wrong: str
    """What is wrong with it; empty where nothing is."""


MECHANISMS: Final = ("silence", "first_byte", "duration", "moment", "reuse", "refused", "queue", "buffering")


def judged(made: Mixture, known: LimitMatcher) -> list[Said]:
    """What is told of a mixture, each cause as right or wrong."""
    scene = Scene(made.endings, made.others, known)
    return [
        Said(cause.sure, _wrong(cause, made, known))
        for cause in explain(scene)
        if cause.kind in MECHANISMS or (cause.kind == "reader" and cause.seconds is not None)
    ]


def _wrong(cause: Cause, made: Mixture, known: LimitMatcher) -> str:
    truths = [made.truths[id(each)] for each in cause.members]
    truth = max(truths, key=truths.count)
    alike = {truth.kind, *({"duration"} if truth.kind == "reader" else ())}
    if truth.kind in ("silence", "first_byte") and cause.kind in ("silence", "first_byte"):
        alike |= {truth.kind, cause.kind} if truth.kind == cause.kind or _both(truths) else set()
    if cause.kind not in alike:
        return f"{cause.kind} for {truth.kind}"
    if truth.seconds is not None and cause.seconds is not None:
        allowed = max(0.1 * truth.seconds, truth.off)
        low, high = cause.between or (cause.seconds, cause.seconds)
        if not low - allowed <= truth.seconds <= high + allowed:
            return f"{cause.seconds:g} s for {truth.seconds:g} s"
    limit = known.by_id.get(cause.limit)
    beside = (each for each in made.endings if each.host == cause.members[0].host)
    path = frozenset[str]().union(*(made.truths[id(each)].path for each in beside))
    if limit is not None and limit.intermediary not in path:
        return f"{limit.intermediary} for {sorted(path)}"
    return ""


def _both(truths: list[Truth]) -> bool:
    return {"silence", "first_byte"} <= {each.kind for each in truths}
