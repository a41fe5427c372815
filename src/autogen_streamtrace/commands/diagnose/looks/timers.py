"""Timers: endings that cluster in their silence, or in their duration, by layer, host and named intermediaries."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from autogen_streamtrace.commands.diagnose.clusters import BANDS, FEWEST, Cluster, densest
from autogen_streamtrace.commands.diagnose.endings import Ending, Place, Side, quantile, side
from autogen_streamtrace.commands.diagnose.looks.naming import Fit, Named, cause_of, has_setting
from autogen_streamtrace.commands.diagnose.looks.values import Measure, strikes_of
from autogen_streamtrace.commands.diagnose.scene import Cause, Scene
from autogen_streamtrace.core import semconv as sc

MEASURES: Final[tuple[Measure, ...]] = ("silence", "duration")
ALIKE: Final = 1.5
"""How much wider the spread of the other measure may be to fit as well."""
FLOOR: Final = 0.03
"""Seconds: spreads below it are the same."""
OVERLAP: Final = 0.6
"""Share of the smaller of two clusters that the other has too, from which they are one."""
REFUTED: Final = 0.2
"""Share of a cluster's streams: where more outlast its limit, it is none."""
SLACK: Final = 0.5
"""Seconds beyond a limit that prove nothing against it."""
SLACK_SHARE: Final = 0.05
UNANSWERED: Final = 0.9
"""Share of a cluster from which it is one of requests that were never answered."""
MOST: Final = 12
"""Timers that are looked for in one group."""


class _Key(NamedTuple):
    side: Side
    place: Place
    named: tuple[str, ...]
    queued: bool
    """Refused with the status of a full queue."""


@dataclass
class Timed:
    """An ending as a timer's."""

    ending: Ending
    silence: float | None
    """Seconds, without the time that the closing itself took."""
    duration: float | None

    def by(self, measure: Measure) -> float | None:
        """Seconds."""
        return self.silence if measure == "silence" else self.duration


class _Found(NamedTuple):
    measure: Measure
    cluster: Cluster
    members: list[Timed]


def timers(scene: Scene) -> Iterator[Cause]:
    """The timers among the unexplained endings: for each host, then for all hosts behind the same proxies."""
    for pooled in (False, True):
        groups: dict[_Key, list[Ending]] = defaultdict(list)
        for each in scene.left:
            where = side(each)
            if where is not None:
                place = Place(each.layer, "" if pooled else each.host)
                named = scene.named(each) if where != "inside" else ()
                groups[_Key(where, place, named, each.outcome == sc.REJECTED and each.status == 503)].append(each)
        for key, members in groups.items():
            if len(members) >= FEWEST and not (pooled and len({each.host for each in members}) < 2):
                yield from scene.taken(_of_group(scene, key, members))


def _of_group(scene: Scene, key: _Key, members: list[Ending]) -> Iterator[Cause]:
    left = [_timed(scene, key, each) for each in members]
    total, refuted = len(left), set[tuple[Measure, float]]()
    for _ in range(MOST):
        found = [
            each for measure in MEASURES if (each := _densest(scene, key, left, total, measure, refuted)) is not None
        ]
        if not found:
            return
        best, rival = _tighter(found)
        if _outlasted(scene, key.side, best):
            refuted.add((best.measure, best.cluster.median))
            continue
        if rival is not None and _has_the_other(scene, key, best.measure, rival.measure):
            best, rival = rival, best
        named = Named(key.side, key.place, key.named, key.queued, _unanswered(best))
        yield cause_of(scene, named, _fit(best), None if rival is None else _fit(rival))
        gone = set(map(id, best.members))
        left = [each for each in left if id(each) not in gone]


def _timed(scene: Scene, key: _Key, ending: Ending) -> Timed:
    """An ending with the delay of the closing itself taken off.

    Envoy closes HTTP/1 a second after it has cut, and gunicorn's own worker lets a response go on for some seconds.
    """
    if ending.let_on and ending.silence is not None and ending.duration is not None:
        return Timed(ending, max(0.0, ending.silence - ending.let_on), max(0.0, ending.duration - ending.let_on))
    late = max(
        (limit.closes_late for name in key.named for limit in scene.known.of(name, "silence", "duration")), default=0.0
    )
    waited, duration = ending.waited, ending.duration
    closed = ending.layer == sc.HTTP and ending.outcome != sc.REJECTED and not ending.http_version.startswith("2")
    if late and closed and waited is not None and waited + ending.blur >= late / 2:  # a busy process reads late
        return Timed(ending, max(0.0, waited - late), None if duration is None else max(0.0, duration - late))
    return Timed(ending, waited, waited if ending.outcome == sc.REJECTED else duration)


def _densest(
    scene: Scene, key: _Key, left: Sequence[Timed], total: int, measure: Measure, refuted: set[tuple[Measure, float]]
) -> _Found | None:
    """The least probable cluster of one measure that is not refuted."""
    early, late = strikes_of(scene, key.named, measure)
    bands = (*BANDS, late - early) if late - early > BANDS[-1] else BANDS
    timed = [each for each in left if each.by(measure) is not None]
    for _, middle in (each for each in refuted if each[0] == measure):
        timed = [each for each in timed if abs((each.by(measure) or 0.0) - middle) > SLACK + SLACK_SHARE * middle]
    cluster = densest(sorted(each.by(measure) or 0.0 for each in timed), total, bands)
    if cluster is None:
        return None
    inside = [each for each in timed if cluster.shortest <= (each.by(measure) or 0.0) <= cluster.longest]
    return _Found(measure, cluster, inside)


def _tighter(found: list[_Found]) -> tuple[_Found, _Found | None]:
    """The cluster to report, and that of the other measure where it fits as well.

    A stream that was never answered is equally long by both measures: it is no evidence for either.
    """
    if len(found) == 1:
        return found[0], None
    silence, duration = found
    shared = {id(each) for each in silence.members} & {id(each) for each in duration.members}
    if len(shared) < OVERLAP * min(len(silence.members), len(duration.members)):
        return min(found, key=lambda each: each.cluster.chance), None
    spreads = {each.measure: max(FLOOR, _spread(_values(each))) for each in found}
    more = len(duration.members) - len(silence.members)
    if abs(more) > 0.3 * max(len(silence.members), len(duration.members)):
        best, other = (duration, silence) if more > 0 else (silence, duration)
        return best, None
    best, other = (duration, silence) if spreads["duration"] < spreads["silence"] else (silence, duration)
    answered = any(not each.ending.unanswered for each in best.members)
    if answered and spreads[other.measure] <= ALIKE * spreads[best.measure]:
        return silence, duration  # both fit: streams fall silent more often than they are too long
    return best, None


def _unanswered(found: _Found) -> bool:
    """Hardly one of them had got an answer."""
    return sum(each.ending.unanswered for each in found.members) >= UNANSWERED * len(found.members)


def _has_the_other(scene: Scene, key: _Key, measure: Measure, other: Measure) -> bool:
    """Who is named has a setting of the other measure alone."""
    return has_setting(scene, key.named, other) and not has_setting(scene, key.named, measure)


def _fit(found: _Found) -> Fit:
    measured = [each.by(found.measure) or 0.0 for each in found.members]
    return Fit(found.measure, found.cluster, measured, [each.ending for each in found.members])


def _values(found: _Found) -> list[float]:
    return sorted(each.by(found.measure) or 0.0 for each in found.members)


def _spread(values: Sequence[float]) -> float:
    return quantile(values, 0.9) - quantile(values, 0.1)


def _outlasted(scene: Scene, where: Side, found: _Found) -> bool:
    """Whether streams of the same places survived more than this limit allows.

    Users' front ends differ from each other, so what one of them bears says nothing of another's.
    """
    if where == "end_user":
        return False
    beyond = found.cluster.longest + SLACK + SLACK_SHARE * found.cluster.longest
    places = {each.ending.place for each in found.members}
    kind = "first_byte" if _unanswered(found) else found.measure
    borne = sum(scene.beside(place).outlasting(kind, beyond) for place in places)
    if found.measure == "silence" and kind == "silence":
        endings = [each.ending for each in found.members]
        borne += sum(max(each.longest_gap or 0.0, each.survived or 0.0) > beyond for each in endings)
    return borne >= max(2, REFUTED * len(found.members))
