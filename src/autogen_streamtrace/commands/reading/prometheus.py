"""Reads the counters and histograms of streams from a Prometheus.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
"""

import math
from collections.abc import Iterator, Mapping
from typing import Final

import httpx
import polars as pl

from autogen_streamtrace.commands.reading.answers import result, row_of
from autogen_streamtrace.commands.reading.columns import AT, Row
from autogen_streamtrace.commands.reading.files import Progress, Streams
from autogen_streamtrace.commands.reading.frames import SCHEMA, frame, whole
from autogen_streamtrace.core import semconv as sc

_CUT: Final = (
    sc.A_LAYER,
    sc.A_NAME,
    sc.A_OUTCOME,
    sc.A_ENDED_BY,
    sc.A_WAITING_ON_TYPE,
    sc.A_WAITING_ON_NAME,
    sc.A_CAUSE_TYPE,
    sc.A_LIMIT_ID,
    sc.A_CANCELLED_BY,
)
_BY_LAYER: Final = (sc.A_LAYER, sc.A_OUTCOME)
_ROWS: Final = 200_000
"""Rows that stand for the counts, at most."""


def read(client: httpx.Client, base: str, seconds: float, selector: str, progress: Progress) -> Streams:
    """Counts become rows: as many as were cut, their silence taken from the histogram of their layer and outcome."""

    def counted(metric: str, *labels: str, edges: bool = False) -> list[tuple[dict[str, str], float]]:
        by = ", ".join([*(label.replace(".", "_") for label in labels), *(["le"] if edges else [])])
        name = metric.replace(".", "_") + selector
        window = f"[{max(60, round(seconds))}s]"
        # Exact, where increase() would extrapolate, and lose what a new series counted before its second point.
        now = f"last_over_time({name}{window})"
        before = f"last_over_time({name}{window} offset {max(60, round(seconds))}s)"
        query = f"sum by ({by}) ({now} - ({before} or {now} * 0))"
        answer = result(client, f"{base}/api/v1/query", {"query": query})
        return [(each["metric"], float(each["value"][1])) for each in answer]

    streams = Streams(pl.DataFrame(schema=SCHEMA))
    ended = counted(f"{sc.M_ENDED}_total", sc.A_LAYER, sc.A_NAME, sc.A_OUTCOME, sc.A_OUTERMOST)
    cut = counted(f"{sc.M_CUT}_total", *_CUT)
    silences = _silences(counted(f"{sc.M_SILENCE}_seconds_bucket", *_BY_LAYER, edges=True))
    rows: list[Row] = []
    share = min(1.0, _ROWS / max(1.0, sum(count for _, count in (*ended, *cut))))
    for labels, count in ended:
        if labels.get(sc.A_OUTERMOST.replace(".", "_")) == "true":
            rows += [_row(labels, early=None)] * round(count * share)
    for labels, count in cut:
        waiting = silences.get(tuple(labels.get(key.replace(".", "_"), "") for key in _BY_LAYER), [])
        for at in range(round(count * share)):
            rows.append(_row(labels, early=True, silence=waiting[at % len(waiting)] if waiting else None))
    streams.lines = len(ended) + len(cut)
    progress(streams.lines)
    streams.remark = (
        "From Prometheus: silences are known by their bucket alone, durations, statuses and traces not at all."
    )
    if share < 1:
        streams.remark += f" Counts are scaled by {share:.2g}."
    streams.table = whole([frame(rows)], {})
    return streams


def _row(labels: Mapping[str, str], *, early: bool | None, silence: float | None = None) -> Row:
    row = row_of(labels)
    row[AT["early"]] = row[AT["outcome"]] != sc.COMPLETED
    row[AT["origin"]] = bool(early)
    row[AT["outermost"]] = early is None
    row[AT["silence"]] = silence
    row[AT["limit_source"]] = sc.CONFIGURED if str(row[AT["limit"]] or "").startswith("http_client.") else None
    return row


def _silences(buckets: list[tuple[dict[str, str], float]]) -> dict[tuple[str, ...], list[float]]:
    """Silences in seconds that stand for each histogram: a narrow bucket's at its middle, a wide one's spread."""
    by_key: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for labels, count in buckets:
        try:
            edge = float(labels.get("le", "nan").replace("+Inf", "inf"))
        except ValueError:
            continue
        by_key.setdefault(tuple(labels.get(key.replace(".", "_"), "") for key in _BY_LAYER), []).append((edge, count))
    return {key: list(_spread(sorted(edges))) for key, edges in by_key.items()}


def _spread(edges: list[tuple[float, float]]) -> Iterator[float]:
    total = max((count for _, count in edges), default=0.0)
    scale = min(1.0, 10_000 / max(1.0, total))
    low = before = 0.0
    for edge, count in edges:
        inside = round((count - before) * scale)
        high = edge if math.isfinite(edge) else 2 * low
        narrow = low > 0 and high <= 1.3 * low
        for at in range(inside):
            yield (low + high) / 2 if narrow else low + (high - low) * (at + 0.5) / inside
        low, before = edge, count
