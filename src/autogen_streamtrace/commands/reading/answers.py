"""What a store's HTTP API answers, and rows made of the labels in it."""

from collections.abc import Mapping
from typing import Any, Final

import httpx
import orjson

from autogen_streamtrace.commands.reading.columns import COLUMNS, Row
from autogen_streamtrace.commands.reading.pieces import InputError
from autogen_streamtrace.core import semconv as sc

LABELS: Final = {column.attribute.replace(".", "_"): 6 + at for at, column in enumerate(COLUMNS)}
"""The place in a row of each attribute, under the name that Loki and Prometheus give it."""
OUTCOME: Final = LABELS[sc.A_OUTCOME.replace(".", "_")]
MOST: Final = 2_000_000
"""Entries after which reading stops."""


def row_of(labels: Mapping[str, Any]) -> Row:
    """A row with the attributes alone."""
    row: Row = [None] * (6 + len(COLUMNS))
    for label, index in LABELS.items():
        row[index] = labels.get(label)
    return row


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
