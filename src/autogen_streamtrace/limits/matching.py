"""Which limit of the catalogue would explain an ending. Pure: no I/O, no clock. A suspicion, never a fact."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.signs import INTERMEDIARIES
from autogen_streamtrace.core.verdict.limits import Limit, Observation
from autogen_streamtrace.limits.catalogue import KnownLimit

EARLY: Final = 0.25
EARLY_SHARE: Final = 0.005
LATE: Final = 0.75
LATE_SHARE: Final = 0.015

GATEWAY_STATUS: Final = frozenset({408, 499, 502, 503, 504, 520, 522, 524})
"""The statuses with which something in between says that it gave up."""


def tolerance(limit: KnownLimit, seconds: float) -> tuple[float, float]:
    """The shortest and the longest time that a limit of ``seconds`` shows as, in seconds.

    A timer does not fire early. What is measured can still be shorter: the proxy counts from its own last read, the
    reader from the arrival of the same bytes after a hop and a turn of the event loop, and half a percent of slack is
    left to clocks. It can be longer by the wheel on which the timer sits (a second at most in the proxies of the
    catalogue; ``late`` where it is more), by the way that the close takes, and by a loop that is busy when it comes.
    """
    return seconds - EARLY - EARLY_SHARE * seconds, seconds + max(LATE, LATE_SHARE * seconds) + limit.late


class Match(NamedTuple):
    """A limit that would explain an ending, and how well."""

    limit: KnownLimit
    seconds: float
    named: bool
    """The response's headers, or the exception, name its vendor."""
    rank: tuple[int, float]
    """The smaller the better."""


class _Window(NamedTuple):
    """One value of one limit, and what it shows as."""

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
            for seconds in limit.values
        )

    def suspect(self, seen: Observation) -> Limit | None:
        """The limit that explains an ending best, if one does: a suspicion.

        What the headers name goes first. Where nothing names it, only limits of silence and their defaults count: the
        duration of a stream that is cut for another reason falls on some limit by chance, its silence seldom does.
        """
        best = next((match for match in self.candidates(seen) if match.named or _by_default(match)), None)
        return None if best is None else Limit(best.limit.id, best.seconds, sc.SUSPECTED)

    def candidates(self, seen: Observation) -> list[Match]:
        """Every limit that would explain an ending, the best first."""
        measured = {
            "silence": seen.silence,
            "duration": seen.duration,
            "first_byte": seen.duration if seen.first is None else -1.0,
        }
        matches: dict[str, Match] = {}
        for window in self._windows:
            if window.shortest <= measured[window.limit.counts] <= window.longest:
                match = _match(window, measured[window.limit.counts], seen)
                if match is not None:
                    matches.setdefault(match.limit.id, match)
        return sorted(matches.values(), key=lambda match: match.rank)


def _by_default(match: Match) -> bool:
    return match.limit.counts == "silence" and match.seconds == match.limit.seconds


def _match(window: _Window, measured: float, seen: Observation) -> Match | None:
    limit, seconds = window.limit, window.seconds
    named = limit.local or (bool(limit.intermediary) and limit.intermediary == seen.intermediary)
    if not _shows(limit, seen) or not (named or _may_be_unseen(limit, seen)):
        return None
    class_ = (0 if named else 2) + (0 if seconds == limit.seconds else 1)
    return Match(limit, seconds, named, (class_, abs(measured - seconds) + window.order))


def _shows(limit: KnownLimit, seen: Observation) -> bool:
    """The ending looks as this limit makes it look."""
    if limit.local:
        return seen.outcome in limit.outcomes and seen.cause.rpartition(".")[2] in limit.exceptions
    if seen.outcome == sc.REJECTED:
        return seen.status in limit.status
    if seen.outcome == sc.CANCELLED and seen.cancelled_by != "disconnect":
        return False
    return seen.outcome in limit.outcomes


def _may_be_unseen(limit: KnownLimit, seen: Observation) -> bool:
    """It may have stood in between although the headers do not name it.

    A response without any intermediary's header has passed none that leaves one, and one that is named hides only
    those behind it.
    """
    if not limit.intermediary or limit.hidden or seen.status is None:
        return True
    if not seen.intermediary:
        return False
    return _DEPTH.get(limit.intermediary, 0) > _DEPTH.get(seen.intermediary, len(_DEPTH))


_DEPTH: Final = {name: depth for depth, (name, _, _) in reversed(list(enumerate(INTERMEDIARIES)))}
"""How far inside a named intermediary stands."""
