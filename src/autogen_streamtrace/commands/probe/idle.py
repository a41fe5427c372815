"""Finds after how long a silence a path cuts, by asking the echo application for longer and longer ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from autogen_streamtrace.commands.probe.exchange import Exchange

SHORTEST: Final = 0.5
"""Seconds of the first silence that is asked for."""
_GROWTH: Final = 2.0


@dataclass(frozen=True)
class Idle:
    """How much silence a path bears, in seconds."""

    passed: float = 0.0
    """The longest that passed."""
    limit: float | None = None
    """After which it cut; none where the longest that was asked for passed."""
    intermediary: str = ""
    problem: str = ""
    """Why nothing could be found."""
    asked: tuple[tuple[float, Exchange], ...] = ()
    """Every silence that was asked for, and how it went."""


Ask = Callable[[str], Exchange]


def find(url: str, longest: float, ask: Ask) -> Idle:
    """The idle limit of the path to an echo application.

    A silence that is cut shows the limit itself, as the time from the last byte to the cut. It is asked for once more,
    and the shorter of the two counts: a busy machine only adds.

    Args:
        url: of the echo application, through the path.
        longest: the longest silence that is asked for, in seconds.
        ask: sends a request.
    """
    asked: list[tuple[float, Exchange]] = []
    passed, silence = 0.0, min(SHORTEST, longest)
    while True:
        seen = ask(with_silence(url, silence))
        asked.append((silence, seen))
        problem = _problem(seen)
        if problem:
            return Idle(passed, problem=problem, asked=tuple(asked))
        if not _passed(seen):
            again = ask(with_silence(url, silence))
            asked.append((silence, again))
            cuts = [each.silence for each in (seen, again) if not _passed(each) and not _problem(each)]
            return Idle(passed, min(cuts), seen.intermediary, asked=tuple(asked))
        passed = silence
        if silence >= longest:
            return Idle(passed, intermediary=seen.intermediary, asked=tuple(asked))
        silence = min(longest, silence * _GROWTH)


def with_silence(url: str, seconds: float) -> str:
    """The echo application's URL with so much silence asked for."""
    parts = urlsplit(url)
    asked = urlencode({"chunks": 2, "pause": 0, "silence": round(seconds, 3)})
    return urlunsplit(parts._replace(query=f"{parts.query}&{asked}" if parts.query else asked))


def _passed(seen: Exchange) -> bool:
    return seen.end == "whole"


def _problem(seen: Exchange) -> str:
    if seen.end == "unreachable" and seen.status is None and not seen.arrivals:
        return f"{seen.url} gives no response ({seen.problem})"
    if seen.end == "whole" and not seen.echo:
        return f"{seen.url} is no echo application: run `autogen-streamtrace echo` behind the path"
    if seen.end == "refused" and seen.status not in (408, 502, 503, 504, 524):
        return f"{seen.url} answers with status {seen.status}"
    if seen.end == "out of time":
        return f"{seen.url} neither answered nor cut in time"
    return ""
