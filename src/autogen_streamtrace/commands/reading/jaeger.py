"""Reads the spans of streams from a Jaeger.

Source: https://www.jaegertracing.io/docs/2.11/architecture/apis/#query-json-over-http
"""

import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, Final

import httpx
import orjson
import polars as pl

from autogen_streamtrace.commands.reading.columns import Row
from autogen_streamtrace.commands.reading.files import Progress, Streams
from autogen_streamtrace.commands.reading.frames import SCHEMA, frame, whole
from autogen_streamtrace.commands.reading.otlp_json import parse
from autogen_streamtrace.commands.reading.pieces import InputError

SERVICES: Final = "/api/v3/services"
TRACES: Final = "/api/v3/traces"
DEPTH: Final = 10_000
"""Traces of one service that are asked for: the most that Jaeger's stores give at once."""
_REMARK: Final = f"A Jaeger has no trace that was not sampled, and gives at most {DEPTH} traces of a service."


def read(client: httpx.Client, base: str, seconds: float, selector: str, progress: Progress) -> Streams:
    """Every stream in the traces of the last ``seconds``; ``selector`` is the name of one service, empty for all."""
    rows: list[Row] = []
    streams = Streams(pl.DataFrame(schema=SCHEMA), remark=_REMARK)
    for name in [selector] if selector else _services(client, base):
        parsed = parse(orjson.dumps(_traces(client, base, name, seconds)))
        rows += parsed.rows
        streams.others += parsed.others
        streams.lines += len(parsed.rows) + parsed.others
        for bad in parsed.bad:
            streams.note(f"Jaeger, {name}", bad.problem)
        progress(streams.lines)
    streams.table = whole([frame(rows)], {})
    return streams


def _services(client: httpx.Client, base: str) -> Iterator[str]:
    names = _answer(client, base + SERVICES, {}).get("services")
    return (name for name in names or () if isinstance(name, str))


def _traces(client: httpx.Client, base: str, service: str, seconds: float) -> Any:
    """One export request of OTLP; an empty one where the service has no trace."""
    now = time.time()
    asked = {
        "query.service_name": service,
        "query.start_time_min": _moment(now - seconds),
        "query.start_time_max": _moment(now),
        "query.num_traces": str(DEPTH),
    }
    found = _answer(client, base + TRACES, asked, none=404).get("result")
    return found if isinstance(found, dict) and "resourceSpans" in found else {"resourceSpans": []}


def _answer(client: httpx.Client, url: str, asked: dict[str, str], none: int = 0) -> dict[str, Any]:
    """The document of an answer; an empty one for the status ``none``.

    Raises:
        InputError: the server refuses, or answers in another form.
    """
    response = client.get(url, params=asked)
    if response.status_code == none:
        return {}
    if response.status_code != 200:
        raise InputError(f"{url}: status {response.status_code}: {response.text[:300].strip()}")
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise InputError(f"{url}: the answer is not of the form that was asked for")
    return document


def _moment(seconds: float) -> str:
    """In the notation of RFC 3339."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")
