"""Writes what a receiver got as the Collector's file exporter does: OTLP JSON, one export request a line."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from otlp_receiver import Request

_IDS = ("traceId", "spanId", "parentSpanId")


def write(path: Path, requests: Iterable[Request]) -> str:
    """The requests as a file; its path."""
    with path.open("w", encoding="utf-8") as file:
        for request in requests:
            file.write(json.dumps(_hexadecimal(MessageToDict(request.message)), separators=(",", ":")) + "\n")
    return str(path)


def _hexadecimal(value: Any) -> Any:
    """OTLP's JSON has ids in hexadecimal, where protobuf's own has them in base64."""
    if isinstance(value, list):
        return [_hexadecimal(each) for each in value]
    if isinstance(value, dict):
        return {
            key: base64.b64decode(each).hex() if key in _IDS and each else _hexadecimal(each)
            for key, each in value.items()
        }
    return value
