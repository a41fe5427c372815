"""Finds what cuts the streams of a table, ranked by turns lost. No I/O."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from autogen_streamtrace.commands.diagnose.endings import Ending, commonest, endings, others
from autogen_streamtrace.commands.diagnose.looks import LOOKS
from autogen_streamtrace.commands.diagnose.scene import FEW, Alternative, Cause, Kind, Scene, Sure
from autogen_streamtrace.limits import LimitMatcher

EXAMPLES = 3


@dataclass(frozen=True)
class Finding:
    """One cause of early endings."""

    title: str
    streams: int
    """Endings with this cause."""
    lost: int
    """Turns that were lost by them. A turn that a retry healed is not lost."""
    sure: Sure
    kind: Kind
    fix: str
    evidence: tuple[str, ...]
    seconds: float | None = None
    """The setting's value, as exactly as it is known."""
    between: tuple[float, float] | None = None
    """Seconds: the least and the most, where the times are blurred."""
    party: str = ""
    """The vendor or program; empty where it is not known."""
    setting: str = ""
    """The setting's name as in its documentation; where nobody is named, the sort of setting."""
    outcome: str = ""
    limit: str = ""
    """Id in the catalogue; empty where none is known."""
    page: str = ""
    counts: str = ""
    """What the limit counts: silence, first_byte or duration."""
    others: tuple[str, ...] = ()
    """Ids of limits with this value by default, of vendors that nothing names: a guess."""
    alternative: Alternative | None = None
    """The other measure, silence or duration, where that fits as well."""
    traces: tuple[str, ...] = ()
    """Trace ids of some of them, the latest first."""


@dataclass(frozen=True)
class Diagnosis:
    """The causes in a table of streams."""

    streams: int
    turns: int
    """Outermost streams."""
    lost: int
    """Outermost streams that ended early with a fault, or whose reader left."""
    healed: int
    """Early endings whose turn completed all the same."""
    findings: tuple[Finding, ...]
    summary: str
    services: tuple[str, ...] = ()


def diagnose(table: pl.DataFrame, known: LimitMatcher) -> Diagnosis:
    """What cuts the streams of this table.

    Args:
        table: a row per stream, in the columns of ``frames.SCHEMA``.
        known: the catalogue of limits.
    """
    early = endings(table)
    causes = _told_apart(explain(Scene(early, others(table), known)))
    found = tuple(sorted(map(_finding, causes), key=lambda each: (-each.lost, -each.streams, each.title)))
    outermost = table.filter(pl.col("outermost"))
    turns = outermost.height
    lost = outermost.filter(pl.col("early")).height if turns else sum(each.lost for each in early)
    services = tuple(sorted(name for name in table["service"].cast(pl.String()).unique() if name))
    healed = sum(not each.lost for each in early)
    return Diagnosis(table.height, turns, lost, healed, found, _summary(table.height, turns, lost, found), services)


def explain(scene: Scene) -> list[Cause]:
    """What explains the endings of a scene."""
    return list(_merged(cause for look in LOOKS for cause in scene.taken(look(scene))))


def _merged(causes: Iterable[Cause]) -> Iterator[Cause]:
    """Merges causes that are one setting at one value, or that read alike."""
    merged: dict[tuple[object, ...], Cause] = {}
    for cause in causes:
        key = (
            (cause.limit, cause.seconds, cause.members[0].place)
            if cause.limit and cause.seconds
            else (cause.title, cause.fix)
        )
        known = merged.get(key)
        if known is None:
            merged[key] = cause
        else:
            known.members += cause.members
            known.evidence += [each for each in cause.evidence if each not in known.evidence]
    yield from merged.values()


def _told_apart(causes: list[Cause]) -> list[Cause]:
    """The causes; those that would read alike name the host of each."""
    alike = Counter(cause.title for cause in causes)
    for cause in causes:
        host = commonest(each.host for each in cause.members)
        if alike[cause.title] > 1 and host:
            cause.title += f" ({host})"
    return causes


def _finding(cause: Cause) -> Finding:
    return Finding(
        title=cause.title,
        streams=len(cause.members),
        lost=_lost(cause.members),
        sure=cause.sure,
        kind=cause.kind,
        fix=cause.fix,
        evidence=tuple(filter(None, cause.evidence)),
        seconds=cause.seconds,
        between=cause.between,
        party=cause.party,
        setting=cause.setting,
        outcome=commonest(each.outcome for each in cause.members),
        limit=cause.limit,
        page=cause.page,
        counts=cause.kind if cause.kind in ("silence", "first_byte", "duration") else "",
        others=cause.others,
        alternative=cause.alternative,
        traces=_traces(cause.members),
    )


def _lost(members: Iterable[Ending]) -> int:
    lost = [each.trace for each in members if each.lost]
    return len({trace for trace in lost if trace is not None}) + lost.count(None)


def _traces(members: Iterable[Ending]) -> tuple[str, ...]:
    latest = sorted((each for each in members if each.trace is not None), key=lambda each: -(each.end or 0.0))
    ids = dict.fromkeys(each.trace for each in latest if each.trace is not None)
    return tuple(f"{high:016x}{low:016x}" for high, low in list(ids)[:EXAMPLES])


def _summary(streams: int, turns: int, lost: int, findings: tuple[Finding, ...]) -> str:
    """One sentence."""
    if not streams:
        return "No stream was found."
    if not findings:
        return f"All is well: none of {streams:,} streams ended early."
    of = f"{lost:,} of {turns:,} turns ended early ({lost / turns:.1%})" if turns else f"{lost:,} streams ended early"
    total = sum(finding.lost for finding in findings) or 1
    first = findings[0]
    if total < FEW:
        return f"{of}: too few to rank causes. The first is: {first.title}."
    share = first.lost / total
    if len(findings) == 1 or share >= 0.5:
        return f"{of}. One cause makes {share:.0%} of them: {first.title}."
    return f"{of}. No single cause: of {len(findings)} causes the largest makes {share:.0%}: {first.title}."
