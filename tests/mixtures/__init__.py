"""Early endings that never were, each with its true cause: several causes at once, at random values, in noise."""

import math
import random
from collections.abc import Callable
from typing import Final

from mixtures import others
from mixtures.judging import Judged, judged
from mixtures.kept import Mixture
from mixtures.timers import limit

__all__ = ["Judged", "Mixture", "judged", "mixture"]

MOST: Final = 5000
"""Early endings of one mixture."""
Cause = Callable[[random.Random, Mixture, str, int], None]
CAUSES: Final[tuple[tuple[Cause, float], ...]] = (
    (limit, 0.5),
    (others.moment, 0.08),
    (others.reused, 0.07),
    (others.users_leave, 0.06),
    (others.route_told, 0.06),
    (others.refused, 0.06),
    (others.provider_fails, 0.04),
    (others.queue, 0.04),
    (others.own_timer, 0.05),
    (others.buffering, 0.04),
)
"""Each with how often it is drawn."""


def mixture(seed: int) -> Mixture:
    """One mixture; the same for the same seed."""
    random_ = random.Random(seed)
    made = Mixture()
    total = round(math.exp(random_.uniform(math.log(5), math.log(MOST))))
    noise = random_.choice([0.0, random_.uniform(0, 0.9)])
    causes = random_.choices([cause for cause, _ in CAUSES], [often for _, often in CAUSES], k=random_.randint(1, 3))
    shared = random_.random() < 0.3
    for number, cause in enumerate(causes):
        host = "models.example" if shared else f"models-{number}.example"
        cause(random_, made, host, round(total * (1 - noise) / len(causes)) or 1)
    streams = sorted({(each.place, each.intermediary) for each in made.endings})
    for _ in range(round(total * noise)):
        others.noise(random_, made, *random_.choice(streams))
    for beside in made.others.values():
        for values in (beside.gaps, beside.durations, beside.firsts, beside.lives):
            values.sort()
    return made
