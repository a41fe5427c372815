"""The demo's output: a table that grows by a row per scenario, and the progress below it.

In a narrow terminal a scenario takes one line for the fault, and one for each ending.
"""

from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from autogen_streamtrace.commands.demo.spans import Attributes
from autogen_streamtrace.commands.demo.verdict import Row
from autogen_streamtrace.core import semconv

PLAIN_WIDTH: Final = 162
"""Columns of the table where there is no terminal to fit it to, and the fewest in which it breaks no word of ours."""

OUTCOME_STYLES: Final = {
    semconv.COMPLETED: "green",
    semconv.LENGTH: "yellow",
    semconv.FILTERED: "yellow",
    semconv.CANCELLED: "cyan",
    semconv.ABANDONED: "cyan",
    semconv.NEVER_STARTED: "cyan",
}
FAULT_STYLE: Final = "red"

COLUMNS: Final = {
    "scenario": 21,
    "what was done to the stream": 30,
    "outcome": 14,
    "ended by": 15,
    "waiting on": 17,
    "cause": 34,
    "limit": 25,
}
"""Each column's share of the width; the last one, right or wrong, has a width of its own."""


class View:
    """Prints rows as they come."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._right = self._total = 0
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=total)

    def __enter__(self) -> "View":
        if self._console.width >= PLAIN_WIDTH:
            heading = table()
            heading.add_row(*COLUMNS, style="bold")
            self._console.print(heading)
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def playing(self, name: str) -> None:
        self._progress.update(self._task, description=name)

    def show(self, row: Row) -> None:
        self._total += 1
        self._right += row.right
        self._console.print(lines(row) if self._console.width >= PLAIN_WIDTH else narrow_lines(row))
        for sentence in row.wrong:
            self._console.print(Text(f"  {sentence}", "red"))
        self._progress.advance(self._task)

    def summary(self) -> None:
        style = "bold green" if self._right == self._total else "bold red"
        self._console.print(Text(f"\n{self._right} of {self._total} endings judged right", style))


def table() -> Table:
    """A table without rows whose columns are as wide as in every other one."""
    empty = Table(box=None, expand=True, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    for share in COLUMNS.values():
        empty.add_column(ratio=share, overflow="fold")
    empty.add_column(width=len("right"))
    return empty


def lines(row: Row) -> Table:
    """The verdict of the outermost stream, and below it the stream in which another ending arose."""
    result = table()
    outermost, *others = row.telling() or [{}]
    result.add_row(Text(row.name, "bold"), Text(row.what), *cells(outermost), mark(row))
    for stream in others:
        result.add_row("", Text(f"  {where(stream)}", "dim"), *cells(stream), "")
    return result


def narrow_lines(row: Row) -> Table:
    """The same as ``lines``, as sentences."""
    result = Table.grid(padding=(0, 1, 0, 0), expand=True)
    result.add_column(ratio=1)
    result.add_column(width=len("right"))
    result.add_row(Text.assemble((row.name, "bold"), f": {row.what}"), mark(row))
    outermost, *others = row.telling() or [{}]
    result.add_row(Padding(sentence(outermost), (0, 0, 0, 2)), "")
    for stream in others:
        below = Text.assemble((where(stream), "dim"), " ", sentence(stream))
        result.add_row(Padding(below, (0, 0, 0, 4)), "")
    return result


def sentence(stream: Attributes) -> Text:
    """The cells of a stream that say something."""
    outcome, ended_by, waiting_on, cause, limit = cells(stream)
    words = ("", outcome), ("by ", ended_by), ("waiting on ", waiting_on), ("", cause), ("", limit)
    return Text(", ").join(Text.assemble(word, cell) for word, cell in words if cell.plain not in ("", "none"))


def mark(row: Row) -> Text:
    """Whether every verdict was right."""
    return Text("right", "green") if row.right else Text("wrong", "bold red")


def where(stream: Attributes) -> str:
    """Layer and name."""
    return f"{stream[semconv.A_LAYER]} {stream.get(semconv.A_NAME, '')}"


def cells(stream: Attributes) -> list[Text]:
    """Outcome, ``ended_by``, ``waiting_on``, cause, limit."""

    def joined(*parts: object) -> Text:
        return Text(" ".join(str(part) for part in parts if part))

    outcome = str(stream.get(semconv.A_OUTCOME, "no span"))
    cancelled_by = stream.get(semconv.A_CANCELLED_BY)
    seconds = stream.get(semconv.A_LIMIT_VALUE)
    return [
        Text(outcome, OUTCOME_STYLES.get(outcome, FAULT_STYLE)),
        joined(stream.get(semconv.A_ENDED_BY), cancelled_by and f"({cancelled_by})"),
        joined(stream.get(semconv.A_WAITING_ON_TYPE), stream.get(semconv.A_WAITING_ON_NAME)),
        joined(stream.get(semconv.A_CAUSE_TYPE)),
        joined(stream.get(semconv.A_LIMIT_ID), seconds and f"{seconds:g} s"),
    ]


def console_for_rows() -> Console:
    """Standard output; where it is no terminal, wide enough for a row."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


def console_beside_json() -> Console:
    """Standard error, where somebody watches it."""
    console = Console(stderr=True, highlight=False)
    console.quiet = not console.is_terminal
    return console
