"""``autogen-streamtrace top``: the open streams of all processes, live."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from autogen_streamtrace.commands.directories import directory_option
from autogen_streamtrace.commands.statuses import command, end

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from autogen_streamtrace.commands.top.streams import Open

_EVERY: Final = 1.0
"""Seconds between two looks."""


@command(
    example="--once",
    well="no stream is stalled; always where the table is live",
    found="a stream is stalled",
)
@click.option("--once", is_flag=True, help="Print the table once; so it is where the output is no terminal.")
@click.option("--layers", is_flag=True, help="A row for each layer of a stream, not for the outermost one alone.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array once, for scripts.")
@directory_option
def top(once: bool, layers: bool, as_json: bool, directory: Path | None) -> None:
    """Show the open streams of all processes, and what each waits on.

    Every process of this user that has a flight recorder is looked at. Stalled streams come first. The table is live
    until Ctrl-C.
    """
    from rich.console import Console

    from autogen_streamtrace.commands.top.streams import open_streams
    from autogen_streamtrace.commands.top.table import table

    chosen = None if directory is None else str(directory)
    console = Console()
    if console.is_terminal and not once and not as_json:
        _live(console, lambda: open_streams(chosen, layers=layers))
        return
    found = open_streams(chosen, layers=layers)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found]))
    else:
        console.print(table(found, console.width))
    end(found=any(each.stalled for each in found))


def _live(console: "Console", look: "Callable[[], list[Open]]") -> None:
    from rich.live import Live

    from autogen_streamtrace.commands.stopping import Stop
    from autogen_streamtrace.commands.top.table import table

    stop = Stop()
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(table(look(), console.width), refresh=True)
            if stop.within(_EVERY):
                return
