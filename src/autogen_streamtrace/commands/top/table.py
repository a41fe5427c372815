"""The table of open streams, for a wide terminal and for one of 80 columns."""

from typing import Final

from rich.table import Table
from rich.text import Text

from autogen_streamtrace.commands.top.streams import Open

_WIDE: Final = 140
"""Columns from which a stream takes one line; below, it takes two, so that its trace id stays whole."""
_RIGHT: Final = {"age", "chunks", "silent"}
_SHORTENED: Final = {"name", "waiting on", "service"}
"""Columns that are shortened where there is not enough room."""
_TRACE: Final = 32
"""Characters of a trace id."""


def table(found: list[Open], width: int) -> Table:
    """One row for each stream."""
    stalled = sum(each.stalled for each in found)
    streams = f"{len(found)} open stream{'' if len(found) == 1 else 's'}"
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, title=f"{streams}, {stalled} stalled")
    made.title_justify = "left"
    (_wide if width >= _WIDE else _narrow)(made, found)
    return made


def _wide(made: Table, found: list[Open]) -> None:
    for heading in ("age", "layer", "name", "chunks", "silent", "waiting on", "process", "service", "trace"):
        _column(made, heading)
    for each in found:
        seen = (seconds(each.age), _layer(each), each.name, str(each.chunks), seconds(each.silent_for), each.waiting_on)
        _row(made, each, *seen, str(each.process), each.service, each.trace_id)


def _narrow(made: Table, found: list[Open]) -> None:
    """Two lines: the stream and its state, then its process and its trace."""
    for heading in ("stream", "age", "silent", "waiting on"):
        _column(made, heading)
    for each in found:
        what = _cut(f"{_layer(each)} {each.name}", _TRACE)
        where = f"{each.process} {each.service}".rstrip()
        waiting = f"{each.waiting_on}\n{where}"
        _row(made, each, f"{what}\n{each.trace_id}", seconds(each.age), seconds(each.silent_for), waiting)


def _layer(each: Open) -> str:
    return f"{'  ' * each.depth}{each.layer}"


def _column(made: Table, heading: str) -> None:
    made.add_column(
        heading, justify="right" if heading in _RIGHT else "left", no_wrap=heading not in _SHORTENED, min_width=4
    )


def _row(made: Table, each: Open, *cells: str) -> None:
    shown = [Text(cell, no_wrap=True, overflow="ellipsis") for cell in cells]
    made.add_row(*shown, style="bold red" if each.stalled else None)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def seconds(value: float) -> str:
    """A duration in few characters."""
    if value < 60:
        return f"{value:.1f} s"
    if value < 3600:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    return f"{value // 3600:.0f} h {value % 3600 // 60:.0f} min"
