"""The dashboard *Where streams end early*."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from ..common import board
from ..variables import framework, named, streamed, whose
from .causes import without_a_timer
from .reasons import where, why
from .still_open import hanging, until_then
from .when import now, silence, since_when

UID: Final = "streamtrace-early"
TITLE: Final = "Where streams end early"


def dashboard() -> Dashboard:
    """Row by row: now, since when, after what silence, why, by no timer, where, what hangs, how it went until then."""
    return board(
        TITLE,
        UID,
        "Which streams end early, for whom, since when, and why.",
        {
            "Now": now(),
            "Since when": since_when(),
            "After what silence": silence(),
            "Why": why(),
            "Causes without a timer": without_a_timer(),
            "Where": where(),
            "What hangs": hanging(),
            "How it went until then": until_then(),
        },
        variables=[*whose(), framework(), named("agent"), named("model"), streamed()],
        datasources=("prometheus", "loki"),
    )
