"""Many ends at one moment of the clock: a restart, a reload, a stop, a crash, a deployment.

Requests of the seconds after it show which party ended them.
"""

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from autogen_streamtrace.commands.diagnose import evidence
from autogen_streamtrace.commands.diagnose.endings import Ending, Place, quantile, side
from autogen_streamtrace.commands.diagnose.general import GENERAL
from autogen_streamtrace.commands.diagnose.scene import FEW, MANY, Cause, Scene
from autogen_streamtrace.core import semconv as sc

INSTANTS: Final = (0.5, 1.5, 4.0)
"""Seconds within which all of it is seen to end: a process that is busy sees it late."""
LEAST: Final = 60.0
"""Seconds over which endings count as spread, at the least."""
CHANCE: Final = -18.0
"""Logarithm of the probability below which so many at once are no chance."""
SURVIVE: Final = 0.1
"""Share of the members that may be younger than what survived."""
AFTERWARDS: Final = 30.0
"""Seconds after the moment whose requests are examined."""
TIGHTER: Final = 1.0
"""How much more durations, and silences, have to spread than the ends: else any timer ends them together."""
ALIKE: Final = 0.5
"""Share of their middle within which durations, or silences, lie that one timer made."""
CORE: Final = 0.6
MOST: Final = 0.8
"""Shares of what ended at once that show whether a timer did it: the rest may have ended otherwise."""
SILENT: Final = 1.0
"""Seconds of silence below which it is no timer's."""
_DOWN: Final = frozenset({502, 503})


class _Moment(NamedTuple):
    """Streams that ended at once."""

    members: list[Ending]
    at: float
    """When the first of them ended, in seconds since the epoch."""
    until: float


def moments(scene: Scene) -> Iterator[Cause]:
    """All that was open to, or from, one host ended at one moment."""
    groups: dict[Place, list[Ending]] = defaultdict(list)
    for each in scene.left:
        lost = side(each) in ("path", "end_user") and each.outcome != sc.REJECTED and not _unreached(each)
        if lost and each.end is not None and each.start is not None:
            groups[each.place].append(each)
    for place, group in groups.items():
        for moment in _moments(group):
            if _everything(scene, place, group, moment):
                yield _cause(scene, place, moment)


def _moments(group: list[Ending]) -> Iterator[_Moment]:
    """The instants at which far more ended than otherwise, the least probable first."""
    ordered = sorted(group, key=lambda each: each.end or 0.0)
    while len(ordered) >= FEW:
        ends = [each.end or 0.0 for each in ordered]
        spread = max(ends[-1] - ends[0], LEAST)
        found = []
        for instant in INSTANTS:
            for at, end in enumerate(ends):
                count = bisect_left(ends, end + instant) - at
                if count >= FEW:
                    found.append((_chance(count, (len(ends) - count) * instant / spread, len(ends)), at, count))
        chance, at, count = min(found, default=(0.0, 0, 0))
        if chance >= CHANCE:
            return
        yield _Moment(ordered[at : at + count], ends[at], ends[at + count - 1])
        ordered = [*ordered[:at], *ordered[at + count :]]


def _chance(count: int, expected: float, places: int) -> float:
    """Logarithm of the probability that so many fall into one instant anywhere."""
    expected = max(expected, 1e-3)
    return math.log(places) + count - expected - count * math.log(count / expected) if count > expected else 0.0


def _everything(scene: Scene, place: Place, group: Sequence[Ending], moment: _Moment) -> bool:
    """What had been open went with it, and the clock fits more tightly than any timer."""
    ends = sorted(each.end or 0.0 for each in moment.members)
    silences = sorted(each.waited or 0.0 for each in moment.members)
    durations = sorted(each.duration or 0.0 for each in moment.members)
    if _timed(durations, ends) or (_shortest_run(silences, CORE)[0] > SILENT and _timed(silences, ends)):
        return False
    return _younger(scene, place, group, moment) <= SURVIVE * len(moment.members)


def _younger(scene: Scene, place: Place, group: Sequence[Ending], moment: _Moment) -> float:
    """How many of the members are younger than what survived the moment.

    Each that survived counts with the share of the members that are younger. Who reloads ends the old ones, at once or
    after a while, and lets the new ones live.
    """
    beyond = moment.until + INSTANTS[0]
    survived = scene.beside(place).open_between(moment.until, beyond)
    survived += [start for each in group if (start := each.start or 0.0) < moment.until and (each.end or 0.0) > beyond]
    starts = sorted(each.start or 0.0 for each in moment.members)
    return sum(len(starts) - bisect_right(starts, start) for start in survived) / len(starts)


def _timed(values: Sequence[float], ends: Sequence[float]) -> bool:
    """Whether one timer made these silences or durations, since they spread less than the ends, or are much alike."""
    core = _spread(_shortest_run(values, CORE))
    alike = ALIKE * quantile(values, 0.5)
    return core < TIGHTER * max(_spread(_shortest_run(ends, CORE)), 0.1) or _spread(_shortest_run(values, MOST)) < alike


def _shortest_run(ordered: Sequence[float], share: float) -> Sequence[float]:
    """The shortest run with this share of the values: what happens to end beside the others is no part of it."""
    count = math.ceil(share * len(ordered))
    return min((ordered[at : at + count] for at in range(len(ordered) - count + 1)), key=_spread)


def _spread(ordered: Sequence[float]) -> float:
    return ordered[-1] - ordered[0]


def _cause(scene: Scene, place: Place, moment: _Moment) -> Cause:
    count = len(moment.members)
    where = " between the end user and this program" if place.layer == sc.SERVER else ""
    names = _names(scene, place, moment)
    after = _afterwards(scene, place, moment)
    entry = next((limit for name in names for limit in scene.known.of(name, "moment")), None)
    party, what, also = after.told(scene.known.vendor(names[0]) if names else "")
    general = GENERAL["moment"]
    title = f"{what} at {evidence.clock(moment.at)}: everything open through it{where} ended at once, {count} streams"
    spread = moment.until - moment.at
    return Cause(
        kind="moment",
        title=title,
        members=[*moment.members, *after.failures],
        sure="very likely" if count >= MANY else "likely",
        fix=entry.fix if entry and not after.behind else general.fix,
        evidence=[
            f"{count} streams ended within {max(spread, 0.01):.2f} s, whatever their age and their silence",
            also,
            evidence.how(moment.members),
        ],
        party=party,
        setting=entry.setting if entry and not after.behind else general.setting,
        limit=entry.id if entry and not after.behind else "",
        page=entry.page if entry and not after.behind else "",
    )


def _names(scene: Scene, place: Place, moment: _Moment) -> tuple[str, ...]:
    named = (scene.named(each) for each in moment.members)
    return next((names for names in named if names), ())


class _After(NamedTuple):
    """What went on once all had ended."""

    refused: list[Ending]
    """Requests that a proxy answered by itself."""
    unreached: list[Ending]
    """Requests that reached nobody."""
    back: float
    """Seconds until the first request went well again."""

    @property
    def behind(self) -> bool:
        """Whether the server behind the proxy went away, not the proxy."""
        return bool(self.refused)

    @property
    def failures(self) -> list[Ending]:
        """Requests that failed for the same reason."""
        return [*self.refused, *self.unreached]

    def told(self, name: str) -> tuple[str, str, str]:
        """The party, the sentence about it, and the evidence."""
        if self.behind:
            party = f"what stands behind {name}" if name else "what stands behind the proxy"
            who = name or "the proxy"
            requests = evidence.counted(len(self.refused), "request")
            meanwhile = f"{who} itself went on, and answered {requests} with an error for {self.back:.1f} s"
            return party, f"{party[0].upper()}{party[1:]} went away", meanwhile
        if self.unreached:
            who = name or "What listens there"
            return name, f"{who} was stopped, killed or restarted", f"nothing listened there for {self.back:.1f} s"
        party = f"{name}, or what stands next to it" if name else ""
        who = party or "Something on the way"
        return party, f"{who}{',' if name else ''} was reloaded or restarted", "new requests went on meanwhile"


def _afterwards(scene: Scene, place: Place, moment: _Moment) -> _After:
    well = scene.beside(place).started_after(moment.until) or moment.until + AFTERWARDS
    members = set(map(id, moment.members))
    refused, unreached = [], []
    for each in scene.left:
        begun = each.start
        after = begun is not None and moment.at - INSTANTS[0] < begun <= min(well, moment.at + AFTERWARDS)
        if each.place != place or not after or id(each) in members:
            continue
        if _unreached(each) or (each.outcome == sc.DISCONNECTED and each.unanswered):
            unreached.append(each)
        elif each.outcome == sc.REJECTED and each.status in _DOWN and (each.waited or 0.0) < 1.0:
            refused.append(each)
    return _After(refused, unreached, max(0.0, well - moment.at))


def _unreached(ending: Ending) -> bool:
    return ending.cause.endswith("ConnectError")
