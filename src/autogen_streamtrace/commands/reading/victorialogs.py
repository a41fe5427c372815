"""Reads the log events of streams from a VictoriaLogs.

Source: https://docs.victoriametrics.com/victorialogs/querying/#querying-logs
"""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import httpx
import orjson
import polars as pl

from autogen_streamtrace.commands.reading.answers import MOST, add_event
from autogen_streamtrace.commands.reading.columns import Row
from autogen_streamtrace.commands.reading.files import Progress, Streams
from autogen_streamtrace.commands.reading.frames import SCHEMA, frame, whole
from autogen_streamtrace.commands.reading.pieces import InputError
from autogen_streamtrace.core import semconv as sc

QUERY: Final = "/select/logsql/query"
_EVERY: Final = 20_000
"""Entries between two words of progress."""


def read(client: httpx.Client, base: str, seconds: float, selector: str, progress: Progress) -> Streams:
    """Every stream that ended in the last ``seconds``; ``selector`` is a filter in LogsQL, empty for all."""
    query = " ".join(filter(None, [selector, f'"{sc.A_LAYER}":*']))
    asked = {"query": query, "start": f"{time.time() - seconds:.3f}"}
    rows: list[Row] = []
    starts: dict[str, Any] = {}
    streams = Streams(pl.DataFrame(schema=SCHEMA))
    with client.stream("GET", base + QUERY, params=asked) as answer:
        if answer.status_code != 200:
            raise InputError(f"{base}{QUERY}: status {answer.status_code}: {answer.read()[:300].decode().strip()}")
        for line in answer.iter_lines():
            _add(line, rows, starts, streams)
            streams.lines += 1
            if streams.lines % _EVERY == 0:
                progress(streams.lines)
            if streams.lines == MOST:
                break
    streams.table = whole([frame(rows)], starts)
    return streams


def _add(line: str, rows: list[Row], starts: dict[str, Any], streams: Streams) -> None:
    try:
        fields: Mapping[str, str] = orjson.loads(line)
        at = str(nanoseconds(fields["_time"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        streams.note("VictoriaLogs", "an entry without a time")
        return
    labels = {name.replace(".", "_"): value for name, value in fields.items()}
    add_event(labels, fields.get("service.name"), at, rows, starts)


def nanoseconds(told: str) -> int:
    """A time of RFC 3339 in UTC, whose fraction has up to nine digits."""
    seconds, _, fraction = told.removesuffix("Z").partition(".")
    return round(datetime.fromisoformat(f"{seconds}+00:00").timestamp()) * 10**9 + int(fraction.ljust(9, "0"))
