"""Writes the table down for those who use the package."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from . import framework, sdks
from .classes import Kind, found
from .table import PATCHES, TABLE, Run

FILE: Final = Path(__file__).parents[2] / "docs" / "coverage.md"
WRITE: Final = "PYTHONPATH=tests python -m surface"
"""The command that writes it."""

TITLES: Final[dict[Kind, str]] = {
    "agent": "Agents",
    "team": "Teams",
    "client": "Model clients",
    "tool": "Tools",
    "workbench": "Workbenches",
}
HEAD: Final = f"""\
# What is covered

Every agent, team, model client, tool and workbench class of AutoGen 0.7.x, and at the end those of Agent Framework.
`tests/classes/test_coverage.py` and `tests/framework/test_framework_coverage.py` find them in the installed
packages, fail where one is missing here, run each program, and compare what is exported with this table. What AutoGen's
programs see is compared with a bare run, too. Written by `{WRITE}`.

A patch is laid on the named base and on every subclass, also on those that a program defines later. Classes of your own
are covered by the same patch as AutoGen's. The streams are those of the class's program, in the order in which they
start; one without an outcome completes.
"""


def text() -> str:
    """The whole document."""
    return "\n".join([HEAD, *(line for kind in TABLE for line in _section(kind)), *framework.lines(), *sdks.lines()])


def _section(kind: Kind) -> Iterator[str]:
    patch, modules = PATCHES[kind], {each.name: each.module for each in found() if each.kind == kind}
    methods = ", ".join(f"`{method}`" for method in patch.methods)
    also = f"; {patch.also}" if patch.also else ""
    yield f"## {TITLES[kind]}\n\nPatched: {methods} of `{patch.module}.{patch.base}`{also}.\n"
    yield "| class | in | since | streams of its program | |\n|---|---|---|---|---|"
    rest: list[str] = []
    for name, row in TABLE[kind].items():
        place = _public(modules.get(name, "?"))
        if isinstance(row, Run):
            yield f"| `{name}` | `{place}` | {row.since} | {_streams(row)} | {row.note} |"
        else:
            rest.append(f"| `{name}` | `{place}` | {row.since} | {row.why} |")
    yield ""
    if rest:
        yield "Patched like the others, and not run:\n\n| class | in | since | why not |\n|---|---|---|---|"
        yield from rest
        yield ""


def _streams(row: Run) -> str:
    """Repeated streams are counted."""
    lines: list[tuple[str, int]] = []
    for stream in row.streams.split(", "):
        if lines and lines[-1][0] == stream:
            lines[-1] = (stream, lines[-1][1] + 1)
        else:
            lines.append((stream, 1))
    return ", ".join(f"`{stream}`" + (f" × {count}" if count > 1 else "") for stream, count in lines)


def _public(module: str) -> str:
    """The package from which a program imports it."""
    return module.partition("._")[0]
