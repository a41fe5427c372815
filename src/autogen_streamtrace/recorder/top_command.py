"""``autogen-streamtrace top``: the open streams of all processes, live."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from .. import settings
from .top import Open, open_streams

_EVERY: Final = 1.0
"""Seconds between two looks."""
_COLUMNS: Final = ("age", "layer", "name", "chunks", "silent for", "waiting on", "process", "trace")


def top(
    once: Annotated[bool, typer.Option("--once", help="Print the table once.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array once, for scripts.")] = False,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Directory of the recorders, as the setting recorder_dir.")
    ] = None,
) -> None:
    """Show every open stream of every process of this user that has a flight recorder, stalled ones first.

    Exit status 1 with --once and --json where a stream is stalled.
    """
    try:
        chosen = str(directory) if directory is not None else settings.load().recorder_dir
    except settings.SettingError as error:
        raise typer.BadParameter(str(error)) from None
    if not once and not as_json:
        _live(chosen)
        return
    found = open_streams(chosen)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found]))
    else:
        Console().print(_table(found))
    raise typer.Exit(int(any(each.stalled for each in found)))


def _live(chosen: str | None) -> None:
    try:
        with Live(_table(open_streams(chosen)), auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(_EVERY)
                live.update(_table(open_streams(chosen)), refresh=True)
    except KeyboardInterrupt:
        pass


def _table(found: list[Open]) -> Table:
    table = Table(box=None, title=f"{len(found)} open streams, {sum(each.stalled for each in found)} stalled")
    for name in _COLUMNS:
        table.add_column(name, justify="right" if name in ("age", "chunks", "silent for") else "left", no_wrap=True)
    for each in found:
        table.add_row(
            _seconds(each.age),
            each.layer,
            each.name,
            str(each.chunks),
            _seconds(each.silent_for),
            each.waiting_on,
            f"{each.process} {each.service}".rstrip(),
            each.trace_id,
            style="bold red" if each.stalled else None,
        )
    return table


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
