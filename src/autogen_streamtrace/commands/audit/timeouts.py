"""One timeout, and all timeouts of a program together."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console

Kind = Literal["explicit", "default", "none", "unknown"]
Path = tuple[str, ...]


@dataclass(frozen=True)
class Timeout:
    """One timeout."""

    layer: str
    """server, team, agent, model, http or tool."""
    whose: Path
    """The names from the outermost object that contains it to its own."""
    setting: str
    seconds: float | None
    """None: it never strikes."""
    kind: Kind
    """explicit: set by the program · default: the library's own · none · unknown: it was not read."""
    bounds: bool = True
    """It bounds how long its owner may be silent, or take; a connect or keep-alive timeout does not."""
    tries: int = 1
    """How often the bounded operation may be tried."""
    host: str = ""
    """Of an HTTP client: the one host that it asks, where it is made for one."""

    @property
    def longest(self) -> float | None:
        """Seconds that its owner may take by it, with every retry."""
        return None if self.seconds is None else self.seconds * self.tries


@dataclass(frozen=True)
class Audit:
    """The timeouts of a program, and what is wrong with them."""

    timeouts: tuple[Timeout, ...]
    findings: tuple[str, ...]
    shortest: Timeout | None
    """The one that strikes first, of those that bound a stream."""

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=160, highlight=False, no_color=True)
        with console.capture() as captured:
            self.show(console)
        return captured.get()

    def show(self, console: "Console") -> None:
        """Prints the table, then what is wrong."""
        from rich.table import Table

        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for heading in ("layer", "whose", "setting", "seconds", "set"):
            table.add_column(heading, no_wrap=heading != "whose", justify="right" if heading == "seconds" else "left")
        for each in self.timeouts:
            never = "?" if each.kind == "unknown" else "never"
            seconds = never if each.seconds is None else f"{each.seconds:g}"
            mark = "  shortest" if each is self.shortest else ""
            table.add_row(each.layer, " › ".join(each.whose), each.setting, seconds, f"{each.kind}{mark}")
        console.print(table)
        console.print()
        for finding in self.findings:
            console.print(f"- {finding}", markup=False)
        if not self.findings:
            console.print("All is well: everything is bounded, and the inner bounds are shorter than the outer ones.")


def as_seconds(value: object) -> float | None:
    """A number, or a ``timedelta``, in seconds; None for anything else."""
    if isinstance(value, (int, float)):
        return float(value)
    total = getattr(value, "total_seconds", None)
    return float(total()) if callable(total) else None
