"""Reads the log events of streams from a Loki.

Source: https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time
"""

import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
import polars as pl

from autogen_streamtrace.commands.reading.answers import MOST, add_event, result
from autogen_streamtrace.commands.reading.columns import Row
from autogen_streamtrace.commands.reading.files import Progress, Streams
from autogen_streamtrace.commands.reading.frames import SCHEMA, frame, whole
from autogen_streamtrace.core import semconv as sc

PAGE: Final = 5000
"""Entries of one answer: Loki's own default for the most that it gives."""
SELECTOR: Final = '{service_name=~".+"}'


def read(client: httpx.Client, base: str, seconds: float, selector: str, progress: Progress) -> Streams:
    """Every stream that ended in the last ``seconds``; ``selector`` is LogQL's."""
    until = time.time_ns()
    start = until - round(seconds * 1e9)
    layer = sc.A_LAYER.replace(".", "_")
    query = f'{selector or SELECTOR} | {layer} != ""'
    rows: list[Row] = []
    starts: dict[str, Any] = {}
    entries = 0
    streams = Streams(pl.DataFrame(schema=SCHEMA))
    while entries < MOST:
        answer = result(
            client,
            f"{base}/loki/api/v1/query_range",
            {"query": query, "start": str(start), "end": str(until), "limit": str(PAGE), "direction": "forward"},
        )
        got, latest = 0, start
        for labels, at in _entries(answer, streams):
            got += 1
            latest = max(latest, int(at))
            add_event(labels, labels.get("service_name"), at, rows, starts)
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
