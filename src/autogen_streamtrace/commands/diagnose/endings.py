"""The early endings of a table, each where it arose, and what the other streams survived. No I/O."""

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import polars as pl

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits.matching import GATEWAY_STATUS

Side = Literal["path", "end_user", "inside"]
"""Where something cuts: between this process and a host, between it and its end users, or in it."""


class Place(NamedTuple):
    """Streams of one layer to, or from, one host."""

    layer: str
    host: str


@dataclass(slots=True, eq=False)
class Ending:
    """A stream that ended early, where that arose. Times in seconds."""

    layer: str = sc.HTTP
    host: str = ""
    name: str = ""
    outcome: str = sc.DISCONNECTED
    ended_by: str = ""
    waiting_on: str = ""
    waiting_on_name: str = ""
    cause: str = ""
    cancelled_by: str = ""
    limit: str = ""
    limit_source: str = ""
    limit_value: float | None = None
    status: int | None = None
    intermediary: str = ""
    intermediaries: str = ""
    page: str = ""
    missing: str = ""
    upstream_server: str = ""
    http_version: str = ""
    close_type: str = ""
    within_event: bool | None = None
    silence: float | None = None
    duration: float | None = None
    first: float | None = None
    to_headers: float | None = None
    longest_gap: float | None = None
    survived: float | None = None
    loop_late: float | None = None
    reused: bool | None = None
    idle: float | None = None
    keep_alive: float | None = None
    expected_timeout: float | None = None
    grace: float | None = None
    start: float | None = None
    end: float | None = None
    lost: bool = True
    trace: tuple[int, int] | None = None

    @property
    def place(self) -> Place:
        """The place of its streams."""
        return Place(self.layer, self.host)

    @property
    def via(self) -> tuple[str, ...]:
        """The intermediaries that are named, the nearest first."""
        return tuple(self.intermediaries.split()) or ((self.intermediary,) if self.intermediary else ())

    @property
    def unanswered(self) -> bool:
        """Whether no byte of an answer had come, or the answer was an error. It is not known for counts."""
        return self.outcome == sc.REJECTED or (self.first is None and self.status is None and self.start is not None)

    @property
    def waited(self) -> float | None:
        """Seconds without a byte at its end; for a refusal, seconds until it came."""
        if self.outcome != sc.REJECTED:
            return self.silence
        return next((each for each in (self.to_headers, self.first, self.duration) if each is not None), None)

    @property
    def let_on(self) -> float:
        """Seconds for which the server let the stream go on after the end user had left."""
        return (self.grace or 0.0) if self.layer == sc.SERVER and self.cancelled_by == sc.BY_TASK else 0.0

    @property
    def blur(self) -> float:
        """Seconds by which its times may be off, since this process did not read."""
        return self.loop_late or 0.0


_COLUMNS: Final = tuple(Ending.__dataclass_fields__)
_TEXTS: Final = tuple(name for name, each in Ending.__dataclass_fields__.items() if each.type in ("str", str))


_HOST: Final = (
    pl.when(pl.col("host").is_null() | (pl.col("host").cast(pl.String()) == ""))
    .then(pl.when(pl.col("layer").cast(pl.String()) == sc.HTTP).then(pl.col("name").cast(pl.String())))
    .otherwise(pl.col("host").cast(pl.String()))
    .fill_null("")
)
"""The host; for counts the name, which is the same."""


def endings(table: pl.DataFrame) -> list[Ending]:
    """Where early endings arose, each with whether its turn was lost.

    Args:
        table: a row per stream, in the columns of ``frames.SCHEMA``.
    """
    outermost = table.filter(pl.col("outermost")).select("trace_high", "trace_low", whole=~pl.col("early"))
    turns = outermost.group_by("trace_high", "trace_low").agg(healed=pl.col("whole").all())
    frame = (
        table.filter(pl.col("early") & pl.col("origin"))
        .join(turns, on=["trace_high", "trace_low"], how="left", maintain_order="left")
        .with_columns(
            duration=(pl.col("end") - pl.col("start")) / 1e9,
            lost=~pl.col("healed").fill_null(False),
            start=pl.col("start") / 1e9,
            end=pl.col("end") / 1e9,
            status=pl.col("status").cast(pl.Int64(), strict=False),
            trace=pl.lit(None),
            **{key: pl.col(key).cast(pl.String()).fill_null("") for key in _TEXTS},
        )
        .with_columns(host=_HOST)
    )
    traces = frame.select("trace_high", "trace_low").rows()
    found = [Ending(*row) for row in frame.select(_COLUMNS).iter_rows()]
    for each, (high, low) in zip(found, traces, strict=True):
        each.trace = None if low is None else (high or 0, low)
    return found


@dataclass
class Others:
    """Streams of one place that ended well, or for another reason."""

    gaps: list[float] = field(default_factory=list)
    """The longest waits that they survived, in seconds, sorted."""
    durations: list[float] = field(default_factory=list)
    """Seconds, sorted."""
    firsts: list[float] = field(default_factory=list)
    """Seconds to their first bytes, sorted."""
    lives: list[tuple[float, float]] = field(default_factory=list)
    """When each started and ended, by its start."""
    via: Counter[str] = field(default_factory=Counter)
    """The intermediaries that were named, each with how many streams named it."""
    pieces: int = 0
    """How many arrived in a few large pieces, after most of their time, although their words are many."""
    paced: int = 0
    """How many arrived word by word."""

    def outlasting(self, kind: str, seconds: float) -> int:
        """How many survived more than this, and so refute such a limit."""
        borne = self.durations if kind == "duration" else self.firsts if kind == "first_byte" else self.gaps
        return len(borne) - bisect_right(borne, seconds)

    def started_after(self, moment: float) -> float | None:
        """When the first of them started after a moment."""
        at = bisect_right(self.lives, (moment, math.inf))
        return self.lives[at][0] if at < len(self.lives) else None

    def open_between(self, started_before: float, ended_after: float) -> list[float]:
        """When those started that had started before one moment and were still open at another."""
        until = bisect_left(self.lives, (started_before, 0.0))
        return [start for start, end in self.lives[:until] if end > ended_after]


def others(table: pl.DataFrame) -> dict[Place, Others]:
    """What the streams survived that nothing cut, by layer and host."""
    told = table.filter(~(pl.col("early") & pl.col("origin")) & pl.col("layer").cast(pl.String()).is_in(_WATCHED))
    words = table.filter(pl.col("layer").cast(pl.String()) == sc.MODEL)
    said = words.group_by("trace_low").agg(words=pl.col("chunks").sum(), models=pl.len())
    frame = told.join(said, on="trace_low", how="left").select(
        pl.col("layer").cast(pl.String()),
        _HOST,
        pl.coalesce(pl.col("intermediaries").cast(pl.String()), pl.col("intermediary").cast(pl.String())).fill_null(""),
        "early",
        "longest_gap",
        pl.coalesce("to_headers", "first"),
        "first",
        "chunks",
        "words",
        "models",
        pl.col("start") / 1e9,
        pl.col("end") / 1e9,
    )
    found: dict[Place, Others] = defaultdict(Others)
    for layer, host, via, early, gap, to_headers, first, chunks, said_, models, start, end in frame.iter_rows():
        seen = found[Place(layer, host)]
        seen.via.update(via.split())
        duration = end - start if start is not None and end is not None else None
        if start is not None and end is not None:
            seen.lives.append((start, end))
        if early:
            continue
        _add(seen.gaps, max((each for each in (gap, first) if each is not None), default=None))
        _add(seen.durations, duration)
        _add(seen.firsts, to_headers)
        if models == 1 and said_ and said_ >= MANY_WORDS and duration and duration >= LONG and chunks:
            held = said_ >= A_READ * chunks and max(first or 0.0, gap or 0.0) > HELD * duration
            seen.pieces, seen.paced = seen.pieces + held, seen.paced + (not held)
    for seen in found.values():
        for values in (seen.gaps, seen.durations, seen.firsts, seen.lives):
            values.sort()
    return dict(found)


_WATCHED: Final = (sc.HTTP, sc.SERVER)
MANY_WORDS: Final = 5
"""Pieces of a model's reply from which its arrival in one read counts as held back."""
A_READ: Final = 5
"""Pieces that a read has to bring for that."""
LONG: Final = 0.5
"""Seconds that such a reply has to take."""
HELD: Final = 0.5
"""Share of its time that passes without a byte."""


def _add(values: list[float], value: float | None) -> None:
    if value is not None:
        values.append(value)


def side(ending: Ending) -> Side | None:
    """Where a timer may have cut it; none where no timer does that."""
    if ending.layer == sc.SERVER and ending.outcome in (sc.CANCELLED, sc.DISCONNECTED):
        return "end_user" if ending.cancelled_by in ("", sc.BY_DISCONNECT, sc.BY_TASK) else None
    if ending.layer in (sc.HTTP, sc.MODEL) and ending.outcome in (sc.DISCONNECTED, sc.TRUNCATED):
        return "path"
    if ending.outcome == sc.REJECTED:
        return "path" if ending.status in GATEWAY_STATUS else None
    if ending.outcome == sc.CANCELLED:
        return "inside" if ending.cancelled_by in (sc.BY_TASK, sc.BY_DEADLINE) else None
    return "inside" if ending.outcome in (sc.TIMEOUT, sc.KILLED, sc.DISCONNECTED) else None


def commonest(values: Iterable[str]) -> str:
    """The commonest value that is not empty; else empty."""
    return max(Counter(filter(None, values)).items(), key=lambda item: item[1], default=("", 0))[0]


def quantile(values: Sequence[float], share: float) -> float:
    """A quantile of sorted values; 0 where there is none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0
