"""Turns as a list, newest first or worst first."""

from typing import Any, Final

from autogen_streamtrace.commands.store.reading import Reader
from autogen_streamtrace.commands.store.schema import TURN_LABELS, TURN_NUMBERS
from autogen_streamtrace.commands.ui.views.filters import OF_CAST, Filters, ParameterError, where
from autogen_streamtrace.commands.ui.words import sentences
from autogen_streamtrace.core import semconv as sc

Document = dict[str, Any]

_MOST: Final = 500
_COLUMNS: Final = (*TURN_LABELS, *TURN_NUMBERS)
_ORDERS: Final = {"newest": 'u."end"', "longest": 'u."end" - u.start', "silent": "u.silence"}


def turn_list(
    reader: Reader, filters: Filters, *, order: str = "newest", early: bool = False, after: str = "", limit: int = 100
) -> Document:
    """The turns that the filters choose.

    Args:
        reader: of the store.
        filters: choose the turns.
        order: ``newest``, ``longest`` or ``silent`` first.
        early: only those that ended early.
        after: the ``next`` of the page before.
        limit: turns of a page, at most 500.

    Raises:
        ParameterError: an order or a place that does not exist.
    """
    if order not in _ORDERS:
        raise ParameterError(f"order is {order!r}; allowed: {', '.join(_ORDERS)}")
    if after and not after.isdecimal():
        raise ParameterError(f"before is {after!r}; pass on what `next` of the page before says")
    chosen = where(reader, filters)
    skip, count = int(after or 0), max(1, min(limit, _MOST))
    listed = ", ".join(f'u."{column}"' for column in _COLUMNS)
    query = (
        f'SELECT u.trace, u.source, u.actors, u.start, u."end", u.early, u.fault, u.healed, {listed} FROM turns u'
        f" WHERE {chosen.text}{' AND u.early' if early else ''}"
        f" ORDER BY {_ORDERS[order]} DESC LIMIT {count + 1} OFFSET {skip}"
    )
    rows = reader.rows(query, chosen.values)
    return {
        "turns": [_turn(reader, row) for row in rows[:count]],
        "next": str(skip + count) if len(rows) > count else None,
    }


def how_many(reader: Reader, filters: Filters, *, early: bool = False) -> int:
    """The turns that the filters choose, counted."""
    chosen = where(reader, filters)
    query = f"SELECT count(*) FROM turns u WHERE {chosen.text}{' AND u.early' if early else ''}"
    return int(reader.rows(query, chosen.values)[0][0])


def _turn(reader: Reader, row: tuple[Any, ...]) -> Document:
    trace, source, actors, start, end, early, fault, healed, *cells = row
    told = dict(zip(_COLUMNS, cells, strict=True))
    found = {name: reader.text(told[name]) or None for name in TURN_LABELS} | {n: told[n] for n in TURN_NUMBERS}
    labels = reader.rows("SELECT service, version, environment FROM sources WHERE id = ?", (source,))
    service, version, environment = labels[0] if labels else (None, None, None)
    return {
        "trace": trace.hex() if trace is not None else None,
        "service": reader.text(service) or None,
        "version": reader.text(version) or None,
        "environment": reader.text(environment) or None,
        "start": None if start is None else start / 1e6,
        "end": None if end is None else end / 1e6,
        "at": None if end is None else end / 1e6,
        "duration": None if start is None or end is None else (end - start) / 1e9,
        **found,
        "cause_type": found["cause"],
        "waiting_on": " ".join(filter(None, (found["waiting_on"], found["waiting_on_name"]))),
        "early": bool(early),
        "fault": bool(fault),
        "healed": int(healed or 0),
        "sort": sentences.sort(found["outcome"] or "", fault=bool(fault)),
        "sentence": sentences.of_turn(found),
        "stored": True,
        **_actors(reader, actors),
    }


def _actors(reader: Reader, actors: int | None) -> Document:
    members = reader.casts().get(actors or 0, frozenset())
    names: dict[str, list[str]] = {layer: [] for layer in sc.LAYERS}
    for layer, name in members:
        names.setdefault(reader.text(layer), []).append(reader.text(name))
    return {f"{name}s": sorted(names.get(layer, ())) for name, layer in OF_CAST.items()}
