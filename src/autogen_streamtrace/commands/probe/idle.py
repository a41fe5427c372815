"""Finds how long a silence, or how long a whole response, a path bears, by asking the echo application for both."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import urlencode, urlsplit, urlunsplit

from autogen_streamtrace.commands.probe.exchange import Exchange

SHORTEST: Final = 0.5
"""Seconds of the first silence that is asked for."""
_GROWTH: Final = 2.0
_PAUSE: Final = 0.25
"""Seconds between the events of a response that is never silent for long."""
_MOST_EVENTS: Final = 5000
_BY_SILENCE: Final = 0.9
"""Share of the silence that was cut. A response that was silent for so long when it was cut was cut by that, too."""
_LONGER: Final = 1.25
"""How much longer such a response is than the one that was cut: some timers are looked at but now and then."""

Counts = Literal["silence", "duration"]


@dataclass(frozen=True)
class Idle:
    """How much a path bears, in seconds."""

    passed: float = 0.0
    """The longest silence that passed."""
    limit: float | None = None
    """After which it cut; none where the longest that was asked for passed."""
    counts: Counts = "silence"
    """What the limit is of: a silence, or a whole response, however often something comes."""
    intermediary: str = ""
    problem: str = ""
    """Why nothing could be found."""
    asked: tuple[tuple[str, Exchange], ...] = ()
    """Everything that was asked for, and how it went."""


Ask = Callable[[str], Exchange]


def find(url: str, longest: float, ask: Ask) -> Idle:
    """The idle limit of the path to an echo application, or its limit of a whole response.

    A silence that is cut shows the limit itself, as the time from the last byte to the cut. It is asked for once more,
    and the shorter of the two counts, since a cut may be noticed late. Then a response of that time is asked for that
    is never silent for long. Where it is cut too, the silence was not the reason, unless a busy machine let it fall
    silent.

    Args:
        url: of the echo application, through the path.
        longest: the longest silence that is asked for, in seconds.
        ask: sends a request.
    """
    asked: list[tuple[str, Exchange]] = []

    def perform(what: str, query: dict[str, float]) -> Exchange:
        seen = ask(_with(url, query))
        asked.append((what, seen))
        return seen

    passed, silence = 0.0, min(SHORTEST, longest)
    while True:
        what, query = f"{silence:g} s of silence", {"chunks": 2, "pause": 0, "silence": round(silence, 3)}
        seen = perform(what, query)
        problem = _problem(seen)
        if problem:
            return Idle(passed, problem=problem, asked=tuple(asked))
        if not _passed(seen):
            cuts = [each for each in (seen, perform(what, query)) if _cut(each)]
            found = _explained(
                cuts, lambda seconds, pause: perform(f"{seconds:.1f} s of events", _paced(seconds, pause))
            )
            return replace(found, passed=passed, asked=tuple(asked))
        passed = silence
        if silence >= longest:
            return Idle(passed, intermediary=seen.intermediary, asked=tuple(asked))
        silence = min(longest, silence * _GROWTH)


def _explained(cuts: list[Exchange], perform: Callable[[float, float], Exchange]) -> Idle:
    """What cut them: asks for a response that takes longer, with an event every now and then."""
    silent = min(each.silence for each in cuts)
    whole = min(each.ended_at for each in cuts)
    seconds = max(whole * _LONGER, whole + 1.0)
    paced = perform(seconds, max(min(_PAUSE, silent / 3), seconds / _MOST_EVENTS))
    if _cut(paced) and paced.silence < _BY_SILENCE * silent:
        return Idle(limit=min(whole, paced.ended_at), counts="duration", intermediary=cuts[0].intermediary)
    return Idle(limit=silent, intermediary=cuts[0].intermediary)


def _paced(seconds: float, pause: float) -> dict[str, float]:
    return {"chunks": math.ceil(seconds / pause) + 1, "pause": round(pause, 3)}


def _with(url: str, query: dict[str, float]) -> str:
    """The echo application's URL with this asked for."""
    parts = urlsplit(url)
    asked = urlencode(query)
    return urlunsplit(parts._replace(query=f"{parts.query}&{asked}" if parts.query else asked))


def _passed(seen: Exchange) -> bool:
    return seen.end == "whole"


def _cut(seen: Exchange) -> bool:
    return not _passed(seen) and not _problem(seen)


def _problem(seen: Exchange) -> str:
    if seen.end == "unreachable" and seen.status is None and not seen.arrivals:
        return f"{seen.url} gives no response ({seen.problem})"
    if seen.end in ("whole", "unfinished") and not seen.echo:
        return f"{seen.url} is no echo application: run `autogen-streamtrace echo` behind the path"
    if seen.end == "refused" and seen.status not in (408, 502, 503, 504, 524):
        return f"{seen.url} answers with status {seen.status}"
    if seen.end == "out of time":
        return f"{seen.url} neither answered nor cut in time"
    return ""
