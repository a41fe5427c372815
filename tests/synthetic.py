"""Telemetry of streams that never were, as OTLP JSON lines: mixtures of causes in known proportions."""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from autogen_streamtrace.core import semconv as sc

BEGINNING: Final = 1_790_000_000_000_000_000
"""Nanoseconds since the epoch."""
BATCH: Final = 256


@dataclass
class Turn:
    """One turn of an agent: its http, model and agent streams, all of which end alike."""

    outcome: str = sc.COMPLETED
    silence: float = 0.02
    duration: float = 8.0
    first: float | None = 0.6
    cause: str = ""
    ended_by: str = "model"
    waiting_on: str = sc.NONE
    status: int | None = 200
    intermediary: str = ""
    limit: tuple[str, float, str] | None = None
    cancelled_by: str = ""
    at: float | None = None
    """Seconds after the beginning at which it ended; any moment of a day, where none."""
    host: str = "models.example"
    layers: Sequence[str] = (sc.HTTP, sc.MODEL, sc.AGENT)
    origin: str = sc.HTTP
    more: dict[str, Any] = field(default_factory=dict)


def cut(silence: float, *, intermediary: str = "", duration: float | None = None, **more: Any) -> Turn:
    """A connection lost after so much silence, and in all after a time that differs from any other's."""
    if duration is None:
        duration = silence + 5 + silence * 7919.37 % 40
    known: dict[str, Any] = {
        "outcome": sc.DISCONNECTED,
        "cause": "httpx2.RemoteProtocolError",
        "ended_by": sc.UPSTREAM,
        "waiting_on": "http",
        "duration": max(duration, silence + 0.5),
    }
    return Turn(silence=silence, intermediary=intermediary, **{**known, **more})


def spans(turn: Turn, number: int) -> Iterator[dict[str, Any]]:
    """The spans of a turn, the innermost first, as they are exported."""
    trace = f"{number + 1:032x}"
    at = number * 7919.37 % 86_400 if turn.at is None else turn.at
    ended = BEGINNING + round(at * 1e9)
    depth = len(turn.layers)
    for level, layer in enumerate(turn.layers):
        name = turn.host if layer == sc.HTTP else {sc.MODEL: "gpt-4o", sc.AGENT: "support_agent"}.get(layer, layer)
        yield {
            "traceId": trace,
            "spanId": f"{(number * 16 + level + 1):016x}",
            "parentSpanId": f"{(number * 16 + level + 2):016x}" if level + 1 < depth else "",
            "name": f"{layer} {name}",
            "kind": 1,
            "startTimeUnixNano": str(ended - round(turn.duration * 1e9)),
            "endTimeUnixNano": str(ended),
            "attributes": [
                {"key": key, "value": _value(value)} for key, value in _attributes(turn, layer, name).items()
            ],
            "status": {"code": 2} if turn.outcome != sc.COMPLETED else {},
            "flags": 257,
        }


def _attributes(turn: Turn, layer: str, name: str) -> dict[str, Any]:
    early = turn.outcome != sc.COMPLETED
    attributes: dict[str, Any] = {
        sc.A_LAYER: layer,
        sc.A_NAME: name,
        sc.A_OUTCOME: turn.outcome,
        sc.A_ENDED_BY: turn.ended_by,
        sc.A_WAITING_ON_TYPE: turn.waiting_on,
        sc.A_WAITING_ON_NAME: turn.host if turn.waiting_on == "http" else "",
        sc.A_EARLY: early,
        sc.A_FAULT: early and turn.ended_by not in (sc.CALLER, sc.END_USER),
        sc.A_ORIGIN: (early and layer == turn.origin) or not early,
        sc.A_OUTERMOST: layer == turn.layers[-1],
        sc.A_SILENCE: turn.silence,
        sc.A_LONGEST_GAP: 0.4,
        sc.A_CALLER_TIME: 0.01,
        sc.A_CHUNKS: 40,
        sc.A_CANCELLED_BY: turn.cancelled_by,
        sc.A_INTERMEDIARY: turn.intermediary,
        sc.A_FIRST_CHUNK: turn.first,
    }
    if turn.cause:
        attributes[sc.A_CAUSE_TYPE] = turn.cause
        attributes[sc.A_CAUSE_CHAIN] = ["openai.APIConnectionError", turn.cause]
        attributes[sc.A_CAUSE_LAYER] = turn.origin
    if turn.limit is not None:
        attributes[sc.A_LIMIT_ID], attributes[sc.A_LIMIT_VALUE], attributes[sc.A_LIMIT_SOURCE] = turn.limit
    if layer == sc.HTTP:
        attributes[sc.HTTP_STATUS] = turn.status
        attributes[sc.SERVER_ADDRESS] = turn.host
        attributes[sc.HTTP_METHOD] = "POST"
        attributes[sc.A_BYTES] = 8231
    return {key: value for key, value in {**attributes, **turn.more}.items() if value not in ("", None)}


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, (list, tuple)):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": str(value)}


def lines(turns: Iterable[Turn], service: str = "desk", version: str = "", first: int = 0) -> Iterator[str]:
    """One export request of some spans a line. ``first`` keeps the trace ids of several calls apart."""
    batch: list[dict[str, Any]] = []
    for number, turn in enumerate(turns, first):
        batch += spans(turn, number)
        if len(batch) >= BATCH:
            yield request(batch, service, version)
            batch = []
    if batch:
        yield request(batch, service, version)


def request(batch: list[dict[str, Any]], service: str = "desk", version: str = "") -> str:
    """An export request."""
    named = {"service.name": service, **({"service.version": version} if version else {})}
    resource = {"attributes": [{"key": key, "value": {"stringValue": value}} for key, value in named.items()]}
    scope = {"scope": {"name": sc.SCOPE, "version": "0.1.0"}, "spans": batch}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}, separators=(",", ":"))


def write(path: Path, turns: Iterable[Turn]) -> str:
    """The turns' telemetry as a file; its path."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines(turns))
    return str(path)


def whole(count: int, random_: random.Random) -> list[Turn]:
    """Turns that went well."""
    return [Turn(duration=random_.lognormvariate(2, 0.6), at=random_.uniform(0, 86_400)) for _ in range(count)]
