"""A plan of a game day, in TOML: one table a step.

[[step]]
name = "The connection is reset"
minutes = 4
faults = ["rst after=5"]
do = "Start twelve turns."
run = ["python examples/game_day.py ask"]
layer = "http"
outcome = "disconnected"
ended_by = "upstream"
alerts = ["StreamFaultsOfOneCause1H"]
panels = ["Root causes"]
runbook = "disconnected"
see = "What stands on the dashboards, in `top`, on the page."
change = "What to do about it."
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from autogen_streamtrace.commands.chaos.model.manners import MANNERS
from autogen_streamtrace.commands.chaos.rehearsal.alerts import ALERTS
from autogen_streamtrace.commands.chaos.rules import Rule, RuleError
from autogen_streamtrace.commands.chaos.scenario import document
from autogen_streamtrace.core import semconv as sc

_WORDS: Final[Mapping[str, Sequence[str]]] = {
    "layer": sc.LAYERS,
    "outcome": sc.OUTCOMES,
    "ended_by": get_args(sc.EndedBy),
    "model": tuple(MANNERS),
}
"""Keys of a step whose value is one of these words."""
_TEXTS: Final = ("name", "do", "runbook", "see", "change")
_LISTS: Final = ("faults", "run", "alerts", "panels")
_NUMBERS: Final = ("minutes", "loop_late")
_ALLOWED: Final = (*_TEXTS, *_NUMBERS, *_LISTS, *_WORDS)
_NEEDED: Final = ("name", "minutes", "outcome")


@dataclass(frozen=True)
class Step:
    """One step of a game day."""

    name: str
    minutes: float
    outcome: str
    """How a stream of this step ends."""
    ended_by: str = ""
    """Who ends it; empty: anybody."""
    layer: str = ""
    """In which layer that is looked for; empty: any."""
    loop_late: float = 0.0
    """By how many seconds at least the event loop was late meanwhile."""
    rules: tuple[Rule, ...] = ()
    faults: tuple[str, ...] = ()
    """As the plan writes the rules."""
    model: str = "ok"
    """How the model of `chaos` replies."""
    do: str = ""
    run: tuple[str, ...] = ()
    """Commands that somebody starts."""
    alerts: tuple[str, ...] = ()
    panels: tuple[str, ...] = ()
    runbook: str = ""
    see: str = ""
    change: str = ""


@dataclass(frozen=True)
class Plan:
    """The steps in their order."""

    steps: tuple[Step, ...]
    seed: int = 0


def read(path: Path) -> Plan:
    """Reads a file.

    Raises:
        RuleError: it cannot be used; the message names the file, the step and what is allowed.
    """
    told = document(path, "step")
    return Plan(tuple(_step(where, table) for where, table in told.tables.items()), told.seed)


def _step(where: str, table: Mapping[str, Any]) -> Step:
    unknown = [key for key in table if key not in _ALLOWED]
    if unknown:
        raise RuleError(f"{where}: unknown key {unknown[0]!r}; allowed: {', '.join(_ALLOWED)}")
    missing = [key for key in _NEEDED if key not in table]
    if missing:
        raise RuleError(f"{where}: {missing[0]!r} is missing")
    for key, value in table.items():
        _check(where, key, value)
    values: dict[str, Any] = {key: tuple(value) if key in _LISTS else value for key, value in table.items()}
    try:
        rules = tuple(Rule.of(fault) for fault in values.get("faults", ()))
    except RuleError as error:
        raise RuleError(f"{where}: {error}") from None
    return Step(**values, rules=rules)


def _check(where: str, key: str, value: object) -> None:
    """Refuses a value that its key does not take.

    Raises:
        RuleError: it is one.
    """
    if key in _LISTS:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise RuleError(f"{where}: {key} = {value!r} is not allowed; allowed: a list of texts")
        for alert in value if key == "alerts" else ():
            _one_of(where, "alert", alert, ALERTS)
    elif key in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
            raise RuleError(f"{where}: {key} = {value!r} is not allowed; allowed: a number above 0")
    elif key in _WORDS:
        _one_of(where, key, value, _WORDS[key])
    elif not isinstance(value, str):
        raise RuleError(f"{where}: {key} = {value!r} is not allowed; allowed: a text")


def _one_of(where: str, what: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise RuleError(f"{where}: unknown {what} {value!r}; allowed: {', '.join(allowed)}")
