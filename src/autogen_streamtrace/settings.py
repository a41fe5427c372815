"""The product's settings: a keyword of ``instrument()``, else ``AUTOGEN_STREAMTRACE_<NAME>`` in the environment.

A setting is one line in ``Settings`` and one in ``_READERS``, which says what is allowed. They are read without
pydantic, whose import would take more time than everything else in ``instrument()``.
"""

import json
import logging
import math
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypedDict

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

PREFIX: Final = "AUTOGEN_STREAMTRACE_"

logger = logging.getLogger(__name__)


class SettingError(ValueError):
    """A setting that cannot be used. The message names it, its value and what is allowed."""


@dataclass(frozen=True)
class Settings:
    """What an operator may choose. An empty variable counts as unset."""

    events: Literal["turns", "all", "none"] = "turns"
    """Which streams have a log event at their start and end."""
    caller_endings: Literal["unset", "error"] = "unset"
    """Span status of endings that the caller chose."""
    stall_after: float = 10.0
    """Seconds of silence that count as a stall."""
    recorder: bool = True
    """Whether open streams are recorded where they survive the process."""
    recorder_dir: Path | None = None
    """Directory of the flight recorders; by default the user's own."""
    max_names: int = 100
    """Values of one metric label before the rest reads ``_OTHER``."""
    limits_file: Path | None = None
    """A file of the user's own limits, beside the catalogue."""
    finish_reasons_file: Path | None = None
    """A file of the user's own finish reasons, beside the built-in table."""
    baggage: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Baggage entries for spans and events, each with the values that it may have on metrics."""


class Keywords(TypedDict, total=False):
    """The keywords of ``instrument()``: the settings, and where telemetry goes."""

    tracer_provider: "TracerProvider"
    meter_provider: "MeterProvider"
    logger_provider: "LoggerProvider"
    events: Literal["turns", "all", "none"]
    caller_endings: Literal["unset", "error"]
    stall_after: float
    recorder: bool
    recorder_dir: str | Path
    max_names: int
    limits_file: str | Path
    finish_reasons_file: str | Path
    baggage: Collection[str] | Mapping[str, Collection[str]]


class _Reader(NamedTuple):
    read: Callable[[Any], object]
    """Converts what was given to a value; raises ``ValueError`` or ``TypeError`` where that is not allowed."""
    allowed: str


def _one_of(*words: str) -> _Reader:
    return _Reader(lambda given: words[words.index(given)], ", ".join(map(repr, words)))


def _seconds(given: Any) -> float:
    value = float(given)
    if isinstance(given, bool) or not 0 < value < math.inf:
        raise ValueError
    return value


def _whole(least: int, most: int) -> _Reader:
    def read(given: Any) -> int:
        value = int(given)
        if isinstance(given, bool) or not least <= value <= most or value != float(given):
            raise ValueError
        return value

    return _Reader(read, f"a whole number from {least} to {most}")


_TRUTHS: Final = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}


def _truth(given: Any) -> bool:
    if not isinstance(given, bool | int | str):
        raise TypeError
    return _TRUTHS[str(given).strip().lower()]


def _path(given: Any) -> Path | None:
    return None if given is None or given == "" else Path(given)


def _entries(given: Any) -> dict[str, tuple[str, ...]]:
    """``tenant,plan``, a list of names, or each name with its list of values (in the environment as JSON)."""
    if isinstance(given, str):
        given = json.loads(given) if given.lstrip().startswith(("{", "[")) else given.split(",")
    if isinstance(given, list | tuple | set | frozenset):
        given = dict.fromkeys(given, ())
    entries = {name.strip(): values for name, values in given.items()}
    if not all(isinstance(values, list | tuple | set | frozenset) for values in entries.values()):
        raise TypeError
    if not all(isinstance(value, str) for values in entries.values() for value in values):
        raise TypeError
    return {name: tuple(values) for name, values in entries.items()}


_A_PATH: Final = _Reader(_path, "a path, as str or pathlib.Path")
_READERS: Final = {
    "events": _one_of("turns", "all", "none"),
    "caller_endings": _one_of("unset", "error"),
    "stall_after": _Reader(_seconds, "a finite number above 0"),
    "recorder": _Reader(_truth, "true, false"),
    "recorder_dir": _A_PATH,
    "max_names": _whole(1, 1000),
    "limits_file": _A_PATH,
    "finish_reasons_file": _A_PATH,
    "baggage": _Reader(
        _entries, "names of baggage entries, or each name with the list of values that it may have on metrics"
    ),
}
_NAMES: Final = tuple(each.name for each in fields(Settings))


def load(**keywords: object) -> Settings:
    """The settings in force.

    Args:
        keywords: settings by name; they win over the environment.

    Raises:
        SettingError: a name that does not exist, or a value that is not allowed.
    """
    _check_names(keywords)
    variables = {name.upper(): value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}
    _warn_of_unknown(variables)
    given = {name: variables[variable(name)] for name in _NAMES if variables.get(variable(name))}
    values: dict[str, Any] = {}
    problems = []
    for name, value in {**given, **keywords}.items():
        try:
            values[name] = _READERS[name].read(value)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
            source = f"setting {name!r}" + ("" if name in keywords else f" (environment variable {variable(name)})")
            problems.append(f"{source}: {value!r} is not allowed; allowed: {_READERS[name].allowed}")
    if problems:
        raise SettingError("; ".join(problems))
    return Settings(**values)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def allowed(name: str) -> str:
    """What a setting may be, in words."""
    return _READERS[name].allowed


def _check_names(keywords: dict[str, object]) -> None:
    for name in keywords:
        if name not in _NAMES:
            close = get_close_matches(name, _NAMES, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise SettingError(f"there is no setting {name!r}.{hint} Known: {', '.join(sorted(_NAMES))}")


def _warn_of_unknown(variables: Mapping[str, str]) -> None:
    known = set(map(variable, _NAMES))
    unknown = sorted(set(variables) - known)
    if unknown:
        logger.warning("Ignored, no such setting: %s. Known: %s", ", ".join(unknown), ", ".join(sorted(known)))
