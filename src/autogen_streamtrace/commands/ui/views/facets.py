"""The values that each filter can take."""

from collections import Counter
from typing import Any, Final

from autogen_streamtrace.commands.store.reading import Reader
from autogen_streamtrace.commands.store.schema import OF_FILTERS
from autogen_streamtrace.commands.ui.views.filters import NAMES, OF_CAST, OF_SOURCE, Filters, where

_MOST: Final = 200
"""Values of one filter, at most."""


def facets(reader: Reader, filters: Filters) -> dict[str, list[dict[str, Any]]]:
    """The values of each filter with how many turns have them. A filter's own choice does not narrow its values."""
    found: dict[str, Counter[str]] = {}
    shared: dict[str, tuple[Any, ...]] = {}
    for name in NAMES:
        chosen = filters.without(name)
        if chosen.key not in shared:
            shared[chosen.key] = tuple(_combinations(reader, chosen))
        found[name] = _counts(reader, name, shared[chosen.key])
    return {
        name: [{"value": value, "turns": turns} for value, turns in counts.most_common(_MOST) if value]
        for name, counts in found.items()
    }


def _combinations(reader: Reader, filters: Filters) -> list[tuple[Any, ...]]:
    chosen = where(reader, filters)
    columns = ", ".join(f"u.{column}" for column in OF_FILTERS)
    query = f"SELECT {columns}, count(*) FROM turns u WHERE {chosen.text} GROUP BY {columns}"
    return reader.rows(query, chosen.values)


def _counts(reader: Reader, name: str, combinations: tuple[Any, ...]) -> "Counter[str]":
    counts: Counter[str] = Counter()
    if name in OF_SOURCE:
        of_source = {key: reader.text(label) for key, label in reader.rows(f"SELECT id, {name} FROM sources")}
        for row in combinations:
            counts[of_source.get(row[0], "")] += row[-1]
    elif name in OF_CAST:
        layer = reader.number(OF_CAST[name])
        casts = reader.casts()
        for row in combinations:
            for each in casts.get(row[1], ()):
                if each[0] == layer:
                    counts[reader.text(each[1])] += row[-1]
    else:
        at = OF_FILTERS.index(name)
        for row in combinations:
            counts[reader.text(row[at])] += row[-1]
    return counts
