"""What a store's HTTP API answers, and rows made of the labels in it."""

from collections.abc import Mapping
from typing import Any, Final

import httpx
import orjson

from autogen_streamtrace.commands.reading.columns import AT, OF_ATTRIBUTE, Row, empty
from autogen_streamtrace.commands.reading.pieces import InputError

LABELS: Final = {attribute.replace(".", "_"): at for attribute, at in OF_ATTRIBUTE.items()}
"""The place in a row of each attribute, under the name that Loki and Prometheus give it."""
MOST: Final = 2_000_000
"""Entries after which reading stops."""


def row_of(labels: Mapping[str, Any]) -> Row:
    """A row with the attributes alone."""
    row = empty()
    for label, index in LABELS.items():
        row[index] = labels.get(label)
    return row


def add_event(labels: Mapping[str, Any], service: str | None, at: str, rows: list[Row], starts: dict[str, Any]) -> None:
    """Adds a log event to the rows where a stream ended, else to the start times.

    Args:
        labels: its attributes, and ``trace_id`` and ``span_id``, with an underscore for each dot.
        service: the name of its service.
        at: nanoseconds since the epoch.
        rows: of the streams that ended.
        starts: start times, by span id.
    """
    row, span = row_of(labels), labels.get("span_id", "")
    if row[AT["outcome"]] is None:
        starts[span] = at
        return
    for name, cell in (("service", service), ("trace", labels.get("trace_id")), ("span", span), ("end", at)):
        row[AT[name]] = cell
    rows.append(row)


def result(client: httpx.Client, url: str, parameters: Mapping[str, str]) -> Any:
    """``data.result`` of an answer.

    Raises:
        InputError: the server refuses, or answers in another form.
    """
    response = client.get(url, params=dict(parameters))
    if response.status_code != 200:
        raise InputError(f"{url}: status {response.status_code}: {response.text[:300].strip()}")
    try:
        return orjson.loads(response.content)["data"]["result"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise InputError(f"{url}: the answer is not of the form that was asked for") from None
