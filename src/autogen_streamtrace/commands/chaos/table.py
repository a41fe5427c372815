"""The live table: what was done to whom, the newest last."""

import asyncio
import signal
import time
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from autogen_streamtrace.commands.chaos.tally import Done

if TYPE_CHECKING:
    from autogen_streamtrace.commands.chaos.service import Service

ROWS: Final = 15
EVERY: Final = 0.25
"""Seconds between two pictures."""
_COLUMNS: Final = {"at": 8, "model": 0, "path": 0, "fault": 0, "place": 14, "end": 11, "status": 6, "events": 6}
"""Each column and its width; 0 is a share of the rest."""
_STYLES: Final = {"struck": "red", "passed": "green", "open": "cyan"}


async def watch(service: "Service", *, quiet: bool) -> None:
    """Shows the table until a signal ends it; where nobody watches a terminal, waits alone.

    Args:
        service: what answers.
        quiet: shows nothing.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, ended.set)
    console = Console(stderr=True, highlight=False)
    if quiet or not console.is_terminal:
        await ended.wait()
        return
    with Live(console=console, auto_refresh=False) as live:
        while not ended.is_set():
            live.update(table(list(service.tally.done)[-ROWS:], service.tally.count), refresh=True)
            try:
                await asyncio.wait_for(ended.wait(), EVERY)
            except asyncio.TimeoutError:
                pass


def table(done: list[Done], count: int) -> Table:
    """The table of these exchanges."""
    picture = Table(
        box=None, expand=True, padding=(0, 1, 0, 0), pad_edge=False, caption=f"{count} requests", caption_justify="left"
    )
    for column, width in _COLUMNS.items():
        picture.add_column(column, no_wrap=True, width=width or None, ratio=None if width else 1)
    for each in done:
        at = time.strftime("%H:%M:%S", time.localtime(each.started))
        end = Text(each.end, _STYLES.get(each.end, "yellow"))
        status = str(each.status or "")
        picture.add_row(at, each.model, each.path, each.fault or "none", each.place, end, status, str(each.events))
    return picture
