"""Which limit of the catalogue would explain an ending: a suspicion, never a fact. No I/O, no clock."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.http.signs import INTERMEDIARIES
from autogen_streamtrace.core.verdict.limits import Limit, Observation
from autogen_streamtrace.limits.catalogue import Counts, KnownLimit, builtin

EARLY: Final = 0.25
EARLY_SHARE: Final = 0.005
LATE: Final = 0.75
LATE_SHARE: Final = 0.015

SHORTEST: Final = 1.0
"""Seconds of silence below which a single ending does not suggest a timer with a value of its own."""
BEYOND: Final = 2.0
"""The least ratio of such a silence to the longest earlier gap."""

GATEWAY_STATUS: Final = frozenset({408, 499, 502, 503, 504, 520, 522, 524})
"""The statuses by which an intermediary reports that it gave up."""


def tolerance(limit: KnownLimit, seconds: float) -> tuple[float, float]:
    """The shortest and the longest time that a limit of ``seconds`` shows as, in seconds.

    What is measured differs from what the timer counts: the proxy counts from its own last read, the reader from the
    arrival of the same bytes after a hop and a turn of the event loop, and half a percent of slack is left to clocks.
    It can be longer by the wheel on which the timer sits (a second at most), by the way that the close takes, and by a
    loop that is busy when it comes. ``strikes`` and ``closes_late`` say how a vendor's own timer is off beside that.
    """
    shortest = seconds + min(0.0, limit.strikes[0]) - EARLY - EARLY_SHARE * seconds
    return shortest, seconds + max(LATE, LATE_SHARE * seconds) + limit.late + limit.closes_late


class Match(NamedTuple):
    """A limit that would explain an ending, and how well."""

    limit: KnownLimit
    seconds: float
    named: bool
    """Whether the response's headers, or the exception, name its vendor."""
    rank: tuple[int, float]
    """The smaller the better."""


class _Window(NamedTuple):
    """One value of one limit, and the times that it shows as."""

    limit: KnownLimit
    seconds: float
    shortest: float
    longest: float
    order: int


class LimitMatcher:
    """Finds the limit that explains an ending.

    Args:
        limits: the catalogue, the commonest first.
    """

    def __init__(self, limits: Iterable[KnownLimit]) -> None:
        self.limits = tuple(limits)
        self.by_id = {limit.id: limit for limit in self.limits}
        self._windows = tuple(
            _Window(limit, seconds, *tolerance(limit, seconds), order)
            for order, limit in enumerate(self.limits)
            if limit.counts in _MEASURES
            for seconds in limit.values
        )

    def suspect(self, seen: Observation) -> Limit | None:
        """The limit that explains an ending best, if one does: a suspicion.

        An intermediary that the headers name comes first, at its default or at a value of its own. Where nothing is
        named, only limits of silence at their defaults count: the duration of a stream that is cut for another reason
        often matches some limit by chance, its silence seldom does.
        """
        matches = self.candidates(seen)
        best = next((match for match in matches if match.named), None)
        if best is None:
            own = self._at_its_own_value(seen)
            if own is not None:
                return own
            best = next((match for match in matches if _by_default(match)), None)
        return None if best is None else Limit(best.limit.id, best.seconds, sc.SUSPECTED)

    def candidates(self, seen: Observation) -> list[Match]:
        """Every limit of which a known value would explain an ending, the best first."""
        measured = {kind: measure(seen) for kind, measure in _MEASURES.items()}
        matches: dict[str, Match] = {}
        for window in self._windows:
            if window.shortest <= measured[window.limit.counts] <= window.longest and not _borne(window, seen):
                match = _match(window, measured[window.limit.counts], seen)
                if match is not None:
                    matches.setdefault(match.limit.id, match)
        return sorted(matches.values(), key=lambda match: match.rank)

    def of(self, vendor: str, *kinds: Counts) -> list[KnownLimit]:
        """The limits of these kinds of the vendor that the telemetry calls ``vendor``, the commonest first."""
        return [limit for limit in self.limits if vendor and limit.intermediary == vendor and limit.counts in kinds]

    def vendor(self, name: str) -> str:
        """The written name of the vendor that the telemetry calls ``name``."""
        return next((limit.vendor for limit in self.limits if limit.intermediary == name), name.replace("_", " "))

    def own(self, kind: Counts, seconds: float) -> KnownLimit | None:
        """The limit from a user's file that would show as this time."""
        shipped = set(map(id, builtin()))
        windows = (each for each in self._windows if id(each.limit) not in shipped and each.limit.counts == kind)
        return next((each.limit for each in windows if each.shortest <= seconds <= each.longest), None)

    def strangers(self, kind: Counts, shortest: float, longest: float) -> list[KnownLimit]:
        """The limits of which a default would show between these times, in seconds, whoever they are."""
        windows = (window for window in self._windows if window.limit.counts == kind and not window.limit.local)
        return [
            window.limit
            for window in windows
            if window.seconds == window.limit.seconds and window.shortest <= shortest and longest <= window.longest
        ]

    def _at_its_own_value(self, seen: Observation) -> Limit | None:
        """The setting of a named vendor that would do it at the value that was seen."""
        refused = seen.outcome == sc.REJECTED
        if seen.silence < SHORTEST or not (refused or seen.silence > BEYOND * seen.longest_gap):
            return None
        for name in seen.named:
            kinds: tuple[Counts, ...] = (
                ("silence", "first_byte", "queue") if seen.first is None or refused else ("silence",)
            )
            for limit in self.of(name, *kinds):
                if _shows(limit, seen):
                    return Limit(limit.id, round(seen.silence - limit.closes_late, 1), sc.SUSPECTED)
        return None


_MEASURES: Final[dict[Counts, Callable[[Observation], float]]] = {
    "silence": lambda seen: seen.silence,
    "duration": lambda seen: seen.duration,
    "first_byte": lambda seen: seen.silence if seen.first is None or seen.outcome == sc.REJECTED else -1.0,
    "queue": lambda seen: seen.silence if seen.outcome == sc.REJECTED else -1.0,
}
"""What each kind of limit counts, in seconds."""


def _borne(window: _Window, seen: Observation) -> bool:
    """Whether the stream survived a silence that this limit does not allow."""
    return window.limit.counts == "silence" and seen.longest_gap > window.longest


def _by_default(match: Match) -> bool:
    return match.limit.counts == "silence" and match.seconds == match.limit.seconds


def _match(window: _Window, measured: float, seen: Observation) -> Match | None:
    limit, seconds = window.limit, window.seconds
    named = limit.local or (bool(limit.intermediary) and limit.intermediary in seen.named)
    if not _shows(limit, seen) or not (named or _may_be_unseen(limit, seen)):
        return None
    class_ = (0 if named else 2) + (0 if seconds == limit.seconds else 1)
    return Match(limit, seconds, named, (class_, abs(measured - seconds) + window.order))


def _shows(limit: KnownLimit, seen: Observation) -> bool:
    """Whether the ending looks as this limit makes it look."""
    if limit.local:
        return seen.outcome in limit.outcomes and seen.cause.rpartition(".")[2] in limit.exceptions
    if seen.outcome == sc.REJECTED:
        return seen.status in limit.status
    if seen.outcome == sc.CANCELLED and seen.cancelled_by != "disconnect":
        return False
    return seen.outcome in limit.outcomes


def _may_be_unseen(limit: KnownLimit, seen: Observation) -> bool:
    """Whether its vendor may stand in between although the headers do not name it.

    A response without any intermediary's header has passed none that leaves one, and one that is named hides only
    those behind it.
    """
    if not limit.intermediary or limit.hidden or seen.status is None:
        return True
    if not seen.intermediary:
        return False
    return _DEPTH.get(limit.intermediary, 0) > _DEPTH.get(seen.intermediary, len(_DEPTH))


_DEPTH: Final = {name: depth for depth, (name, _, _) in reversed(list(enumerate(INTERMEDIARIES)))}
"""How far from this process a named intermediary stands."""
