"""The numbers of the store's labels, resources and casts."""

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

import orjson

from autogen_streamtrace.commands.reading.columns import LABEL_LENGTH

_KEPT: Final = 50_000
"""Numbers that are kept in memory, of each sort."""
_LONGEST: Final = 16_384
"""Characters of a resource, at most."""


class Numbers:
    """Gives each label, resource and cast its number, a new one where it has none.

    Args:
        connection: of the process that writes.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._texts: dict[str, int] = {}
        self._sources: dict[str, int] = {}
        self._casts: dict[str, int] = {}

    def forget(self) -> None:
        """Forgets what it knows, which a rollback may have taken back."""
        for known in (self._texts, self._sources, self._casts):
            known.clear()

    def text(self, text: str | None) -> int | None:
        """The number of a label; none of none."""
        if text is None:
            return None
        number = self._texts.get(text)
        if number is None:
            number = self._number("texts", "text", text)
            _keep(self._texts, text, number)
        return number

    def source(self, resource: dict[str, Any]) -> int:
        """The number of a resource, as OTLP JSON has it."""
        found = plain(resource.get("attributes"))
        key = orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()
        if len(key) > _LONGEST:
            found = {name: value for name, value in found.items() if name in _NAMES}
            key = orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()[:_LONGEST]
        number = self._sources.get(key)
        if number is None:
            environment = found.get("deployment.environment.name", found.get("deployment.environment"))
            named = (found.get("service.name"), found.get("service.version"), environment)
            labels = tuple(self.text(None if each is None else str(each)[:LABEL_LENGTH]) for each in named)
            number = self._number(
                "sources", "resource", key, service=labels[0], version=labels[1], environment=labels[2]
            )
            _keep(self._sources, key, number)
        return number

    def cast(self, members: Iterable[tuple[int, int]]) -> int:
        """The number of what takes part in a turn: pairs of the numbers of a layer and of a name."""
        key = "|".join(f"{layer}:{name}" for layer, name in sorted(set(members)))
        number = self._casts.get(key)
        if number is None:
            number = self._number("casts", "members", key)
            _keep(self._casts, key, number)
        return number

    def _number(self, table: str, column: str, key: str, **beside: int | None) -> int:
        found = self._connection.execute(f"SELECT id FROM {table} WHERE {column} = ?", (key,)).fetchone()
        if found is None:
            names = ", ".join((column, *beside))
            marks = ", ".join("?" * (1 + len(beside)))
            found = self._connection.execute(
                f"INSERT INTO {table} ({names}) VALUES ({marks}) RETURNING id", (key, *beside.values())
            ).fetchone()
        return int(found[0])


_NAMES: Final = (
    "service.name",
    "service.namespace",
    "service.version",
    "service.instance.id",
    "deployment.environment.name",
    "deployment.environment",
    "process.pid",
)


def _keep(known: dict[str, int], key: str, number: int) -> None:
    if len(known) >= _KEPT:
        known.clear()
    known[key] = number


def plain(pairs: Any) -> dict[str, Any]:
    """The pairs of OTLP JSON as a dictionary of plain values; what is no pair is left out."""
    found: dict[str, Any] = {}
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, dict) and isinstance(pair.get("key"), str):
            found[pair["key"]] = value(pair.get("value"))
    return found


def value(given: Any) -> Any:
    """A value of OTLP JSON as a plain one; none where it is none."""
    if not isinstance(given, dict) or len(given) != 1:
        return None
    ((kind, held),) = given.items()
    if kind == "intValue":
        return int(held) if isinstance(held, str) and held.lstrip("-").isdecimal() and len(held) < 21 else held
    if kind == "arrayValue":
        values = held.get("values") if isinstance(held, dict) else None
        return [value(each) for each in values] if isinstance(values, list) else []
    if kind == "kvlistValue":
        return plain(held.get("values")) if isinstance(held, dict) else {}
    return held
