"""What a mixture holds: early endings, streams beside them, and what is true of each."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from autogen_streamtrace.commands.diagnose.endings import Ending, Others, Place

DAY: Final = 86_400.0


@dataclass
class Truth:
    """What really ended some streams."""

    kind: str
    seconds: float | None = None
    off: float = 0.0
    """Seconds over which the timer itself spreads, a second at the most."""
    path: frozenset[str] = frozenset()
    """Who stands between."""
    timer: str = ""
    """Whose timer it is, where it is a proxy's."""


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

    def at_any_time(self, random_: random.Random, ending: Ending, truth: Truth) -> None:
        """An ending with its cause, at some time of a day."""
        ending.start = random_.uniform(0, DAY)
        ending.end = ending.start + (ending.duration or 0.0)
        self.add(ending, truth)

    def beside(self, place: Place) -> Others:
        """The streams of a place that ended well."""
        return self.others.setdefault(place, Others())


def path(*names: str) -> frozenset[str]:
    """Those of these that have a name."""
    return frozenset(filter(None, names))


def usual(random_: random.Random) -> float:
    """What operators set, in seconds: a usual value, or any."""
    if random_.random() < 0.5:
        return float(random_.choice([2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 100, 120, 180, 240, 300, 600, 900]))
    return round(math.exp(random_.uniform(math.log(1.5), math.log(900))), 1)


def talks(random_: random.Random) -> Callable[[], float]:
    """How long a stream talks before it falls silent, in seconds."""
    typical = random_.choice([0.5, 3.0, 20.0])
    return random_.choice(
        [lambda: random_.uniform(0.1, typical), lambda: random_.lognormvariate(math.log(typical), 0.8)]
    )


def good(random_: random.Random, made: Mixture, place: Place, count: int, kind: str, seconds: float, via: str) -> None:
    """Streams that a limit of ``seconds`` spares."""
    seen = made.beside(place)
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
