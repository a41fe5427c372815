"""The vocabulary of the telemetry, for the page."""

import sys
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any, Final

from autogen_streamtrace.commands.ui.views.filters import NAMES
from autogen_streamtrace.commands.ui.words import sentences
from autogen_streamtrace.commands.ui.words.colours import COLOURS
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits.catalogue import KnownLimit

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Document = dict[str, Any]

CONTENTS: Final = frozenset(
    (
        sc.GEN_AI_SYSTEM_INSTRUCTIONS,
        sc.GEN_AI_INPUT_MESSAGES,
        sc.GEN_AI_OUTPUT_MESSAGES,
        sc.GEN_AI_TOOL_DEFINITIONS,
        sc.GEN_AI_TOOL_ARGUMENTS,
        sc.GEN_AI_TOOL_RESULT,
    )
)
"""Attributes that are contents, there only where they are asked for."""

_SECONDS: Final = frozenset(
    (
        sc.A_SILENCE,
        sc.A_LONGEST_GAP,
        sc.A_FIRST_CHUNK,
        sc.A_CALLER_TIME,
        sc.A_LONGEST_SEND,
        sc.A_LIMIT_VALUE,
        sc.A_OVERRUN,
        sc.A_LOOP_LATE,
        sc.A_EXPECTED_TIMEOUT,
        sc.A_DISCONNECT_GRACE,
        sc.A_CONNECTION_AGE,
        sc.A_CONNECTION_IDLE,
        sc.A_CONNECTION_KEEP_ALIVE,
        sc.A_TIME_TO_HEADERS,
        sc.A_SURVIVED_SILENCE,
        sc.GEN_AI_FIRST_CHUNK,
    )
)
_UNITS: Final = {**dict.fromkeys(_SECONDS, "s"), sc.A_BYTES: "B"}


@cache
def words() -> dict[str, dict[str, str]]:
    """What each word means, by its sort."""
    file = resources.files("autogen_streamtrace.commands.ui.words") / "words.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def meaning(attribute: str) -> Document:
    """Meaning and unit of an attribute, as far as they are known."""
    known = words()
    told = known["attributes"].get(attribute) or known["others"].get(attribute)
    if told is None and attribute.startswith(sc.HTTP_RESPONSE_HEADER):
        told = "a header of the response, which the support of a provider or proxy asks for"
    return {"meaning": told, "unit": _UNITS.get(attribute)}


def vocabulary(limits: Iterable[KnownLimit]) -> Document:
    """Every word, for the page to explain."""
    known = words()
    named = {sort: [{"name": n, "meaning": m} for n, m in known[sort].items()] for sort in _LISTS}
    every = [*known["attributes"], *known["others"]]
    return {
        **named,
        "layers": list(sc.LAYERS),
        "outcomes": [
            {"name": name, "meaning": known["outcomes"][name], "sort": sentences.sort(name), "colour": COLOURS[name]}
            for name in sc.OUTCOMES
        ],
        "attributes": {name: meaning(name) for name in every},
        "limits": [
            {
                "id": each.id,
                "vendor": each.vendor,
                "setting": each.setting,
                "counts": each.counts,
                "seconds": each.seconds,
                "typical": list(each.typical),
                "page": each.page,
            }
            for each in limits
        ],
        "filters": list(NAMES),
    }


_LISTS: Final = ("ended_by", "waiting_on", "cancelled_by")
