"""From a table of streams to what cuts them: groups, clusters, limits, ranked by turns lost. No I/O."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import polars as pl

from autogen_streamtrace.commands.diagnose.advice import advise
from autogen_streamtrace.commands.diagnose.clusters import FEWEST, Cluster, clusters
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits import LimitMatcher, Observation
from autogen_streamtrace.limits.matching import GATEWAY_STATUS

Sure = Literal["certain", "very likely", "likely", "possible", "too few to say"]

MANY: Final = 20
"""Streams from which a cluster that the headers name is very likely."""
EXAMPLES: Final = 3
_CUT: Final = (sc.DISCONNECTED, sc.TRUNCATED, sc.REJECTED, sc.TIMEOUT, sc.CANCELLED, sc.FAILED, sc.KILLED)
"""Outcomes that a timer somewhere can make."""


@dataclass(frozen=True)
class Finding:
    """One cause of early endings."""

    title: str
    streams: int
    """Endings that arose so."""
    lost: int
    """Turns that were lost by them; what a retry healed is none."""
    sure: Sure
    fix: str
    evidence: tuple[str, ...]
    outcome: str = ""
    limit: str = ""
    """Id in the catalogue; empty where none is known."""
    seconds: float | None = None
    page: str = ""
    counts: str = ""
    """What the limit counts: silence, first_byte or duration."""
    others: tuple[str, ...] = ()
    """Ids of other limits that would fit as well."""
    traces: tuple[str, ...] = ()
    """Trace ids of some of them, the latest first."""


@dataclass(frozen=True)
class Diagnosis:
    """What a table of streams says."""

    streams: int
    turns: int
    """Outermost streams."""
    lost: int
    """Outermost streams that ended early by somebody's fault, or whose reader left them."""
    healed: int
    """Early endings whose turn completed all the same."""
    findings: tuple[Finding, ...]
    summary: str
    services: tuple[str, ...] = ()


def diagnose(table: pl.DataFrame, attribution: LimitMatcher) -> Diagnosis:
    """What cuts the streams of this table.

    Args:
        table: a row per stream, in the columns of ``columns.SCHEMA``.
        attribution: the catalogue of limits.
    """
    early = _origins(table)
    healed = early.filter(~pl.col("lost"))
    findings = sorted(_findings(early, attribution), key=lambda each: (-each.lost, -each.streams, each.title))
    outermost = table.filter(pl.col("outermost"))
    lost = outermost.filter(pl.col("early")).height if outermost.height else early.filter(pl.col("lost")).height
    services = tuple(sorted(name for name in table["service"].cast(pl.String()).unique() if name))
    turns = outermost.height
    summary = _summary(table.height, turns, lost, findings)
    return Diagnosis(table.height, turns, lost, healed.height, tuple(findings), summary, services)


def _origins(table: pl.DataFrame) -> pl.DataFrame:
    """Where early endings arose, with ``duration`` in seconds and whether their turn was ``lost``."""
    outermost = table.filter(pl.col("outermost")).select("trace_high", "trace_low", whole=~pl.col("early"))
    turns = outermost.group_by("trace_high", "trace_low").agg(healed=pl.col("whole").all())
    return (
        table.filter(pl.col("early") & pl.col("origin"))
        .join(turns, on=["trace_high", "trace_low"], how="left")
        .with_columns(
            duration=(pl.col("end") - pl.col("start")) / 1e9,
            lost=~pl.col("healed").fill_null(False),
            **{key: pl.col(key).cast(pl.String()).fill_null("") for key in _TEXTS},
        )
        .with_columns(status=pl.col("status").cast(pl.Int64(), strict=False))
        .with_row_index("row")
    )


_TEXTS: Final = (
    "layer",
    "name",
    "outcome",
    "ended_by",
    "waiting_on",
    "waiting_on_name",
    "cause",
    "cancelled_by",
    "limit",
    "limit_source",
    "intermediary",
    "host",
)


def _findings(early: pl.DataFrame, attribution: LimitMatcher) -> Iterator[Finding]:
    configured = (pl.col("limit") != "") & (pl.col("limit_source") == sc.CONFIGURED)
    for (limit, seconds, outcome), group in _groups(early.filter(configured), "limit", "limit_value", "outcome"):
        yield _configured(limit, seconds, outcome, group, attribution)
    rest = early.filter(~configured)
    for counts in ("silence", "duration"):
        timed = rest.filter(_by_a_timer(counts))
        explained: list[int] = []
        for (layer, intermediary), group in _groups(timed, "layer", "intermediary"):
            for cluster in clusters(group[counts].drop_nulls()):
                members = group.filter(pl.col(counts).is_between(cluster.shortest, cluster.longest))
                explained += members["row"].to_list()
                yield _clustered(cluster, counts, layer, intermediary, members, attribution)
        rest = rest.filter(~pl.col("row").is_in(explained))
    yield from _by_cause(rest, attribution)


def _groups(table: pl.DataFrame, *keys: str) -> Iterator[tuple[tuple[Any, ...], pl.DataFrame]]:
    yield from table.group_by(*keys, maintain_order=True)


def _by_a_timer(counts: str) -> pl.Expr:
    """Rows that something in between, or a deadline, may have cut."""
    gateway = (pl.col("outcome") != sc.REJECTED) | pl.col("status").is_in(list(GATEWAY_STATUS))
    from_outside = pl.col("cancelled_by").is_in(["disconnect", sc.BY_DEADLINE, sc.BY_TASK])
    stopped = (pl.col("outcome") != sc.CANCELLED) | from_outside
    timed = pl.col("outcome").is_in(list(_CUT)) & gateway & stopped
    if counts == "duration":
        timed &= pl.col("outcome") != sc.FAILED
    return timed


def _configured(limit: str, seconds: float | None, outcome: str, group: pl.DataFrame, known: LimitMatcher) -> Finding:
    entry = known.by_id.get(limit)
    value = "" if seconds is None else f" of {seconds:g} s"
    hosts = _commonest(group, "host") or _commonest(group, "waiting_on_name")
    title = f"{entry.vendor if entry else 'This process'} ends them: {limit}{value}, set in this process"
    return Finding(
        title=title,
        streams=group.height,
        lost=_lost(group),
        sure="certain",
        fix=entry.fix if entry else f"Raise {limit}.",
        evidence=(f"the process itself names its timer{f', on {hosts}' if hosts else ''}", _times(group)),
        outcome=outcome,
        limit=limit,
        seconds=seconds,
        page=entry.page if entry else "",
        counts=entry.counts if entry else "",
        traces=_traces(group),
    )


def _clustered(
    cluster: Cluster, counts: str, layer: str, intermediary: str, group: pl.DataFrame, known: LimitMatcher
) -> Finding:
    seen = _seen(group, counts, cluster.median, intermediary)
    matches = known.candidates(seen)
    measured = "their last byte" if counts == "silence" else "their start"
    chance = f"by chance {cluster.expected:.1f} would be expected"
    evidence = [
        f"{cluster.streams} streams ended {_span(cluster)} after {measured}; {chance}",
        f"the headers name {intermediary}" if intermediary else "no header names what stood in between",
        _endings(group),
    ]
    common: dict[str, Any] = {
        "streams": group.height,
        "lost": _lost(group),
        "outcome": seen.outcome,
        "counts": counts,
        "traces": _traces(group),
    }
    if not matches:
        who = f"Something ({intermediary} or near it)" if intermediary else "Something"
        return Finding(
            title=f"{who} ends them {cluster.median:.4g} s after {measured}: no limit of the catalogue",
            sure="likely",
            fix=f"Look for a timeout of {cluster.median:.3g} s on the way ({layer}); add it to a file for --limits.",
            evidence=tuple(evidence),
            seconds=round(cluster.median, 2),
            **common,
        )
    best = matches[0]
    alike = tuple(match.limit.id for match in matches[1:] if match.named == best.named)
    if alike:
        evidence.append(f"as well possible: {', '.join(alike)}")
    sure: Sure = "possible"
    if best.named:
        sure = "very likely" if cluster.streams >= MANY else "likely"
    elif not alike and best.seconds == best.limit.seconds:
        sure = "likely"
    return Finding(
        title=f"{best.limit.vendor} ends them {best.seconds:g} s after {measured}: {best.limit.setting}",
        sure=sure,
        fix=best.limit.fix,
        evidence=tuple(evidence),
        limit=best.limit.id,
        seconds=best.seconds,
        page=best.limit.page,
        others=alike,
        **common,
    )


def _by_cause(rest: pl.DataFrame, known: LimitMatcher) -> Iterator[Finding]:
    """Endings that no limit explains, by what is to be done about them."""
    alike: dict[tuple[str, str], list[pl.DataFrame]] = {}
    for _, group in _groups(rest, "layer", "outcome", "ended_by", "cancelled_by", "cause", "status", "host", "name"):
        first = group.row(0, named=True)
        cause = {key: "" if first[key] is None else str(first[key]) for key in (*_TEXTS, "status")}
        cause["host"] = cause["host"] or (cause["waiting_on_name"] if cause["waiting_on"] == "http" else "")
        alike.setdefault(advise(cause), []).append(group)
    for (title, fix), groups in alike.items():
        yield _advised(title, fix, pl.concat(groups), known)


def _advised(title: str, fix: str, group: pl.DataFrame, known: LimitMatcher) -> Finding:
    outcome = _commonest(group, "outcome")
    evidence = [_endings(group), _times(group)]
    sure: Sure = "certain"
    if outcome in (sc.DISCONNECTED, sc.TRUNCATED) and not _commonest(group, "cause").endswith("ConnectError"):
        sure = "too few to say" if group.height < FEWEST else "likely"
        suspected = _suspected(group, known) if group.height < FEWEST else ""
        if suspected:
            evidence.append(f"it fits {suspected}")
    return Finding(
        title=title,
        streams=group.height,
        lost=_lost(group),
        sure=sure,
        fix=fix,
        evidence=tuple(evidence),
        outcome=outcome,
        traces=_traces(group),
    )


def _suspected(group: pl.DataFrame, known: LimitMatcher) -> str:
    """The one limit that every ending of a small group fits; else empty."""
    found = set()
    for row in group.iter_rows(named=True):
        duration = row["duration"] if row["duration"] is not None else row["silence"]
        seen = Observation(
            row["outcome"],
            row["silence"] or 0.0,
            duration or 0.0,
            row["first"],
            row["status"],
            row["intermediary"],
            row["cause"],
            row["cancelled_by"],
        )
        limit = known.suspect(seen)
        found.add(limit.id if limit is not None else "")
    return found.pop() if len(found) == 1 else ""


def _seen(group: pl.DataFrame, counts: str, median: float, intermediary: str) -> Observation:
    other = "duration" if counts == "silence" else "silence"
    beside: Any = group[other].median()
    first: Any = group["first"].median() if group["first"].null_count() * 2 < group.height else None
    times = {counts: median, other: median if beside is None else float(beside)}
    outcome = _commonest(group, "outcome")
    of_outcome = group.filter(pl.col("outcome") == outcome)
    status: Any = of_outcome["status"].drop_nulls().mode().to_list()
    return Observation(
        outcome=outcome,
        silence=times["silence"],
        duration=times["duration"],
        first=first,
        status=status[0] if status else None,
        intermediary=intermediary,
        cause=_commonest(of_outcome, "cause"),
        cancelled_by="disconnect" if _commonest(of_outcome, "cancelled_by") == "disconnect" else "",
    )


def _commonest(group: pl.DataFrame, column: str) -> str:
    counts = group[column].value_counts(sort=True)
    return str(counts[column][0]) if counts.height else ""


def _lost(group: pl.DataFrame) -> int:
    lost = group.filter(pl.col("lost"))
    unknown = lost["trace_low"].null_count()
    return lost.filter(pl.col("trace_low").is_not_null()).select("trace_high", "trace_low").n_unique() + unknown


def _traces(group: pl.DataFrame) -> tuple[str, ...]:
    latest = group.filter(pl.col("trace_low").is_not_null()).sort("end", descending=True, nulls_last=True)
    ids = latest.select("trace_high", "trace_low").unique(maintain_order=True).head(EXAMPLES)
    return tuple(f"{high or 0:016x}{low:016x}" for high, low in ids.iter_rows())


def _endings(group: pl.DataFrame) -> str:
    """How they ended and with which exception, the commonest first."""
    kinds = group.group_by("outcome", "cause", "status").len().sort("len", descending=True).head(3)
    words = []
    for outcome, cause, status, count in kinds.iter_rows():
        what = " ".join(str(part) for part in (outcome, status if status and status >= 400 else "", cause) if part)
        words.append(f"{count} × {what}")
    return ", ".join(words)


def _times(group: pl.DataFrame) -> str:
    silence, duration = group["silence"].drop_nulls(), group["duration"].drop_nulls()
    said = []
    if silence.len():
        said.append(f"silence {_quantiles(silence)}")
    if duration.len():
        said.append(f"duration {_quantiles(duration)}")
    return ", ".join(said)


def _quantiles(values: pl.Series) -> str:
    if values.len() < FEWEST:
        return " · ".join(f"{value:.3g}" for value in values.sort()) + " s"
    low, middle, high = (values.quantile(q, "nearest") or 0.0 for q in (0.1, 0.5, 0.9))
    return f"{middle:.3g} s (most {low:.3g} to {high:.3g})"


def _span(cluster: Cluster) -> str:
    shortest, longest = f"{cluster.shortest:.1f}", f"{cluster.longest:.1f}"
    return f"{shortest} s" if shortest == longest else f"{shortest} to {longest} s"


def _summary(streams: int, turns: int, lost: int, findings: Iterable[Finding]) -> str:
    """One sentence."""
    findings = list(findings)
    if not streams:
        return "No stream was found."
    if not findings:
        return f"All is well: none of {streams:,} streams ended early."
    of = f"{lost:,} of {turns:,} turns ended early ({lost / turns:.1%})" if turns else f"{lost:,} streams ended early"
    total = sum(finding.lost for finding in findings) or 1
    first = findings[0]
    if total < FEWEST:
        return f"{of}: too few to rank causes. The first is: {first.title}."
    share = first.lost / total
    if len(findings) == 1 or share >= 0.5:
        return f"{of}. One cause makes {share:.0%} of them: {first.title}."
    return f"{of}. No single cause: {len(findings)} of them, the largest makes {share:.0%}: {first.title}."
