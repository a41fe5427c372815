"""Writes what the benches measure into the pages of the documentation."""

import os
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from platform import python_version

from overhead import Cost

ROOT = Path(__file__).parent.parent
COSTS = ROOT / "docs" / "costs.md"


def write(page: Path, block: str, text: str) -> None:
    """Writes ``text`` between the comments that begin and end a block of a page.

    Raises:
        LookupError: the page has no such block.
    """
    between = re.compile(rf"(<!-- {block}: [^\n]* -->\n).*?(<!-- end of {block} -->)", re.DOTALL)
    written, found = between.subn(rf"\g<1>{text}\n\g<2>", page.read_text())
    if not found:
        raise LookupError(f"{page} has no block {block!r}; it begins with <!-- {block}: … -->")
    page.write_text(written)


def cell(row: Cost) -> str:
    """What a side takes against bare, with the least and the greatest of the processes."""
    return f"×{row.ratio(row.added):.2f} ({row.ratio(row.low):.2f}–{row.ratio(row.high):.2f})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def conditions(processes: int, packages: Iterable[str]) -> str:
    """Under what the figures were measured, for the start of a sentence."""
    installed = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"Medians of {processes} processes, and the least and greatest of them. Python {python_version()}, "
        f"{installed}, {os.cpu_count()} cores with a load average of {os.getloadavg()[2]:.0f}"
    )
