"""``autogen-streamtrace top``: the open streams of all processes, live."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from autogen_streamtrace import settings
from autogen_streamtrace.commands.stopping import Stop
from autogen_streamtrace.commands.top.streams import Open, open_streams

_EVERY: Final = 1.0
"""Seconds between two looks."""
_WIDE: Final = 120
"""Columns of a terminal on which a stream takes one line; on others it takes two, so that its trace id stays whole."""
_COLUMNS: Final = ("age", "layer", "name", "chunks", "silent for", "waiting on", "process", "trace")
_NARROW_COLUMNS: Final = ("age", "layer", "name\ntrace", "chunks", "silent\nfor", "waiting on\nprocess")
_SHORTENED: Final = {"name", "waiting on", "process", "waiting on\nprocess"}
"""Those that give way where there is not enough room."""
_RIGHT: Final = {"age", "chunks", "silent for", "silent\nfor"}


def top(
    once: Annotated[bool, typer.Option("--once", help="Print the table once.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array once, for scripts.")] = False,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Directory of the recorders, as the setting recorder_dir.")
    ] = None,
) -> None:
    """Show every open stream of every process of this user that has a flight recorder, stalled ones first.

    Live until Ctrl-C; where the output is no terminal, as with --once. Exit status 1 with --once and --json where a
    stream is stalled.
    """
    try:
        chosen = str(directory) if directory is not None else settings.load().recorder_dir
    except settings.SettingError as error:
        raise typer.BadParameter(str(error)) from None
    console = Console()
    if console.is_terminal and not once and not as_json:
        _live(console, chosen)
        return
    found = open_streams(chosen)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found]))
    else:
        console.print(_table(found, console.width))
    raise typer.Exit(int(any(each.stalled for each in found)))


def _live(console: Console, chosen: str | None) -> None:
    stop = Stop()
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(_table(open_streams(chosen), console.width), refresh=True)
            if stop.within(_EVERY):
                return


def _table(found: list[Open], width: int) -> Table:
    stalled = sum(each.stalled for each in found)
    streams = f"{len(found)} open stream{'' if len(found) == 1 else 's'}"
    table = Table(box=None, padding=(0, 1, 0, 0), title=f"{streams}, {stalled} stalled")
    for name in _COLUMNS if width >= _WIDE else _NARROW_COLUMNS:
        table.add_column(name, justify="right" if name in _RIGHT else "left", no_wrap=name not in _SHORTENED)
    for each in found:
        cells = _cells(each) if width >= _WIDE else _narrow_cells(each)
        shown = [Text(cell, no_wrap=True, overflow="ellipsis") for cell in cells]
        table.add_row(*shown, style="bold red" if each.stalled else None)
    return table


def _cells(each: Open) -> Iterable[str]:
    yield _seconds(each.age)
    yield each.layer
    yield each.name
    yield str(each.chunks)
    yield _seconds(each.silent_for)
    yield each.waiting_on
    yield f"{each.process} {each.service}".rstrip()
    yield each.trace_id


def _narrow_cells(each: Open) -> Iterable[str]:
    age, layer, name, chunks, silent_for, waiting_on, process, trace = _cells(each)
    name = name if len(name) <= len(trace) else name[: len(trace) - 1] + "…"
    return age, layer, f"{name}\n{trace}", chunks, silent_for, f"{waiting_on}\n{process}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
