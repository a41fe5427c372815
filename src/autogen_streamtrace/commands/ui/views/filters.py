"""The filters of an address, and the turns that they choose."""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from autogen_streamtrace.commands.store.reading import Reader
from autogen_streamtrace.core import semconv as sc

OF_SOURCE: Final = ("service", "version", "environment")
OF_CAST: Final = {"agent": sc.AGENT, "model": sc.MODEL, "tool": sc.TOOL, "host": sc.HTTP, "team": sc.TEAM}
OF_TURN: Final = ("outcome", "ended_by", "layer", "framework")
NAMES: Final = (*OF_SOURCE, *OF_CAST, *OF_TURN)
SINCE: Final = "24h"
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MOST: Final = 50
"""Values of one filter, at most."""


class ParameterError(ValueError):
    """A parameter that cannot be used. The message names it, its value and what is allowed."""


@dataclass(frozen=True)
class Filters:
    """Which turns a view is about."""

    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By the filter's name: one of these values."""
    since: float | None = None
    """Seconds before now; none for a fixed range."""
    start: int | None = None
    """Milliseconds since the epoch."""
    end: int | None = None

    @property
    def key(self) -> str:
        """The same for the same turns."""
        return repr((sorted(self.chosen.items()), self.since, self.start, self.end))

    def without(self, name: str) -> "Filters":
        """The same without one filter."""
        return Filters({k: v for k, v in self.chosen.items() if k != name}, self.since, self.start, self.end)

    def at_any_time(self) -> "Filters":
        """The same without a time."""
        return Filters(self.chosen)

    def range(self) -> tuple[int | None, int | None]:
        """From when to when, in nanoseconds; none where it is open."""
        if self.since is not None:
            return time.time_ns() - round(self.since * 1e9), None
        return (
            None if self.start is None else self.start * 1_000_000,
            None if self.end is None else self.end * 1_000_000,
        )


def read(pairs: Iterable[tuple[str, str]], prefix: str = "") -> Filters:
    """The filters of an address's query.

    Args:
        pairs: names and values.
        prefix: of the names that count beside those without one; these are replaced.

    Raises:
        ParameterError: a value that cannot be used.
    """
    chosen: dict[str, tuple[str, ...]] = {}
    for own in ("", prefix) if prefix else ("",):
        found: dict[str, list[str]] = {}
        for name, value in pairs:
            if name.startswith(own) and "." not in name[len(own) :]:
                found.setdefault(name[len(own) :], []).append(value)
        chosen.update({name: tuple(dict.fromkeys(values)) for name, values in found.items()})
    for name, values in chosen.items():
        if len(values) > _MOST:
            raise ParameterError(f"{name} has {len(values)} values; at most {_MOST} are allowed")
    since = chosen.get("since", ("",))[-1]
    start, end = (_moment(name, chosen.get(name, ("",))[-1]) for name in ("from", "to"))
    filters = {name: values for name, values in chosen.items() if name in NAMES and any(values)}
    if since in ("", "all"):
        fixed = start is not None or end is not None or since == "all"
        return Filters(filters, None if fixed else _seconds(SINCE), start, end)
    return Filters(filters, _seconds(since))


def _seconds(since: str) -> float:
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])", since)
    if match is None:
        raise ParameterError(f"since is {since!r}; write 90s, 15m, 24h, 7d or all")
    return float(match[1]) * _UNITS[match[2]]


def _moment(name: str, given: str) -> int | None:
    if not given:
        return None
    if not given.isdecimal() or len(given) > 15:
        raise ParameterError(f"{name} is {given!r}; write milliseconds since 1970")
    return int(given)


@dataclass(frozen=True)
class Where:
    """A condition on the table ``turns``, named ``u``."""

    text: str
    values: tuple[Any, ...]


def where(reader: Reader, filters: Filters) -> Where:
    """The condition of these filters."""
    conditions, values = ["1"], list[Any]()
    start, end = filters.range()
    for moment, sign in ((start, ">="), (end, "<=")):
        if moment is not None:
            conditions.append(f'u."end" {sign} ?')
            values.append(moment)
    for name, wanted in filters.chosen.items():
        numbers = _numbers(reader, name, wanted)
        column = "source" if name in OF_SOURCE else "actors" if name in OF_CAST else name
        # The plus keeps SQLite from the index that begins with such a column: the time narrows more.
        conditions.append(f'+u."{column}" IN ({", ".join(map(str, numbers))})')
    return Where(" AND ".join(conditions), tuple(values))


def _numbers(reader: Reader, name: str, wanted: Iterable[str]) -> list[int]:
    texts = [number for each in wanted if (number := reader.number(each)) is not None]
    if name in OF_SOURCE:
        marks = ", ".join("?" * len(texts))
        return [row[0] for row in reader.rows(f"SELECT id FROM sources WHERE {name} IN ({marks})", texts)]
    if name in OF_CAST:
        layer = reader.number(OF_CAST[name])
        pairs = {(layer, each) for each in texts}
        return [number for number, members in reader.casts().items() if pairs & members]
    return texts
