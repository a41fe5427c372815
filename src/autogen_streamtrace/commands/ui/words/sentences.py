"""Endings in words, and their sort."""

from typing import Any, Final, Literal

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.telemetry.sentences import lasting

Sort = Literal["good", "stopped", "fault"]
"""good: it completed · stopped: its reader, or a limit of the model's, ended it · fault: somebody must mend it."""

_STOPPED: Final = (sc.LENGTH, sc.FILTERED, sc.CANCELLED, sc.ABANDONED, sc.NEVER_STARTED)


def sort(outcome: str, *, fault: bool | None = None) -> Sort:
    """The sort of an ending; by its outcome alone where ``fault`` is not given."""
    if outcome == sc.COMPLETED:
        return "good"
    if fault is None:
        return "stopped" if outcome in _STOPPED else "fault"
    return "fault" if fault else "stopped"


def of_turn(turn: dict[str, Any]) -> str:
    """How a turn ended, as its log event says it."""
    text = f"{turn['layer'] or 'stream'} {turn['name'] or ''} ended: {turn['outcome']}, by {turn['ended_by']}"
    if turn["outcome"] == sc.COMPLETED:
        return text
    if turn["waiting_on"] and turn["waiting_on"] != sc.NONE:
        text += f", waiting on {turn['waiting_on']} {turn['waiting_on_name'] or ''}".rstrip()
    if isinstance(turn["silence"], (int, float)):
        text += f", after {lasting(turn['silence'])} of silence"
    if turn["limit"]:
        text += f"; limit {turn['limit']}" + (
            f" of {turn['limit_value']:g} s" if isinstance(turn["limit_value"], (int, float)) else ""
        )
    return f"{text}; {turn['cause']}" if turn["cause"] else text


def of_span(attributes: dict[str, Any]) -> str:
    """How a stream ended, by its span's attributes."""
    return of_turn(
        {
            "layer": attributes.get(sc.A_LAYER),
            "name": attributes.get(sc.A_NAME),
            "outcome": attributes.get(sc.A_OUTCOME),
            "ended_by": attributes.get(sc.A_ENDED_BY),
            "waiting_on": attributes.get(sc.A_WAITING_ON_TYPE),
            "waiting_on_name": attributes.get(sc.A_WAITING_ON_NAME),
            "silence": attributes.get(sc.A_SILENCE),
            "limit": attributes.get(sc.A_LIMIT_ID),
            "limit_value": attributes.get(sc.A_LIMIT_VALUE),
            "cause": attributes.get(sc.A_CAUSE_TYPE),
        }
    )
