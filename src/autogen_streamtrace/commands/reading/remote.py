"""Reads streams from a Loki (log events) or a Prometheus (counters and histograms) by its URL."""

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
import orjson
import polars as pl

from autogen_streamtrace.commands.reading.columns import COLUMNS, Row
from autogen_streamtrace.commands.reading.files import Progress, Streams
from autogen_streamtrace.commands.reading.frames import SCHEMA, frame, whole
from autogen_streamtrace.commands.reading.pieces import InputError
from autogen_streamtrace.core import semconv as sc

PAGE: Final = 5000
"""Entries of one answer: Loki's own default for the most that it gives."""
MOST: Final = 2_000_000
"""Entries after which reading stops."""
TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)
SELECTOR: Final = '{service_name=~".+"}'


def is_url(source: str) -> bool:
    """The source is a server's, not a file."""
    return source.startswith(("http://", "https://"))


def read(url: str, seconds: float, selector: str = "", progress: Progress = lambda _: None) -> Streams:
    """Every stream that ended in the last ``seconds``.

    Args:
        url: the base URL of a Loki or a Prometheus.
        seconds: how far back.
        selector: on Loki, which logs: ``{service_name="desk"}``; all by default.
        progress: called with the number of entries that were read.

    Raises:
        InputError: it cannot be reached, is neither, or refuses.
    """
    base = url.rstrip("/")
    try:
        with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
            if _answers(client, f"{base}/loki/api/v1/labels"):
                return _loki(client, base, seconds, selector or SELECTOR, progress)
            if _answers(client, f"{base}/api/v1/query", query="vector(1)"):
                return _prometheus(client, base, seconds, selector)
    except httpx.HTTPError as error:
        raise InputError(f"{url}: {type(error).__name__}: {error}") from None
    raise InputError(f"{url}: neither a Loki (/loki/api/v1/labels) nor a Prometheus (/api/v1/query) answers there")


def _answers(client: httpx.Client, url: str, **parameters: str) -> bool:
    response = client.get(url, params=parameters)
    return response.status_code == 200 and response.headers.get("content-type", "").startswith("application/json")


def _get(client: httpx.Client, url: str, parameters: Mapping[str, str]) -> Any:
    response = client.get(url, params=dict(parameters))
    if response.status_code != 200:
        raise InputError(f"{url}: status {response.status_code}: {response.text[:300].strip()}")
    try:
        return orjson.loads(response.content)["data"]["result"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise InputError(f"{url}: the answer is not of the form that was asked for") from None


# Loki. Source: https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time

_LABELS: Final = {column.attribute.replace(".", "_"): 6 + at for at, column in enumerate(COLUMNS)}
_OUTCOME: Final = _LABELS[sc.A_OUTCOME.replace(".", "_")]


def _loki(client: httpx.Client, base: str, seconds: float, selector: str, progress: Progress) -> Streams:
    until = time.time_ns()
    start = until - round(seconds * 1e9)
    layer = sc.A_LAYER.replace(".", "_")
    query = f'{selector} | {layer} != ""'
    rows: list[Row] = []
    starts: dict[str, Any] = {}
    entries = 0
    streams = Streams(pl.DataFrame(schema=SCHEMA))
    while entries < MOST:
        answer = _get(
            client,
            f"{base}/loki/api/v1/query_range",
            {"query": query, "start": str(start), "end": str(until), "limit": str(PAGE), "direction": "forward"},
        )
        got, latest = 0, start
        for labels, at in _entries(answer, streams):
            got += 1
            latest = max(latest, int(at))
            _add(labels, at, rows, starts)
        entries += got
        progress(entries)
        if got < PAGE or latest == start:
            break
        start = latest  # the same instant again: an entry that was read twice counts once
    streams.lines = entries
    streams.table = whole([frame(rows)], starts)
    return streams


def _entries(answer: Any, streams: Streams) -> Iterator[tuple[dict[str, str], str]]:
    for stream in answer if isinstance(answer, list) else []:
        try:
            labels = stream["stream"]
            for value in stream["values"]:
                int(value[0])
                yield labels, value[0]
        except (KeyError, TypeError, ValueError, IndexError):
            streams.note("Loki", "an entry without a stream or a time")


def _add(labels: Mapping[str, str], at: str, rows: list[Row], starts: dict[str, Any]) -> None:
    span = labels.get("span_id", "")
    row: Row = [None] * (6 + len(COLUMNS))
    for label, index in _LABELS.items():
        row[index] = labels.get(label)
    if row[_OUTCOME] is None:
        starts[span] = at
        return
    row[0], row[1], row[2], row[5] = labels.get("service_name"), labels.get("trace_id"), span, at
    rows.append(row)


# Prometheus. Source: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries

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


def _prometheus(client: httpx.Client, base: str, seconds: float, selector: str) -> Streams:
    """Counts become rows: as many as were cut, their silence taken from the histogram of their layer and outcome."""

    def counted(metric: str, *labels: str, edges: bool = False) -> list[tuple[dict[str, str], float]]:
        by = ", ".join([*(label.replace(".", "_") for label in labels), *(["le"] if edges else [])])
        name = metric.replace(".", "_") + selector
        window = f"[{max(60, round(seconds))}s]"
        # Exact, where increase() would extrapolate, and lose what a new series counted before its second point.
        now = f"last_over_time({name}{window})"
        before = f"last_over_time({name}{window} offset {max(60, round(seconds))}s)"
        query = f"sum by ({by}) ({now} - ({before} or {now} * 0))"
        answer = _get(client, f"{base}/api/v1/query", {"query": query})
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
    streams.remark = (
        "From Prometheus: silences are known by their bucket alone, durations, statuses and traces not at all."
    )
    if share < 1:
        streams.remark += f" Counts are scaled by {share:.2g}."
    streams.table = whole([frame(rows)], {})
    return streams


def _row(labels: Mapping[str, str], *, early: bool | None, silence: float | None = None) -> Row:
    row: Row = [None] * (6 + len(COLUMNS))
    for label, index in _LABELS.items():
        row[index] = labels.get(label)
    at = {column.name: 6 + index for index, column in enumerate(COLUMNS)}
    outcome = row[_OUTCOME]
    row[at["early"]] = outcome != sc.COMPLETED
    row[at["origin"]] = bool(early)
    row[at["outermost"]] = early is None
    row[at["silence"]] = silence
    row[at["limit_source"]] = sc.CONFIGURED if str(row[at["limit"]] or "").startswith("http_client.") else None
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
