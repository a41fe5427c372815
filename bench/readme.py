"""Writes docs/costs.md and the figure in README.md, from what the benches measure here and now.

    python bench/readme.py [--processes 6] [--rounds 4]

`nox -s bench` runs it with every peer installed. It takes some minutes.
"""

import argparse
import os
import re
from importlib.metadata import version
from pathlib import Path
from platform import python_version

from memory import in_use, of_a_layer
from overhead import CASES, CONTROL, EXPORTED, OFFICIAL, OURS, Cost, find, measured, share
from sides import PEERS

ROOT = Path(__file__).parent.parent
FIGURE, COSTS = ROOT / "README.md", ROOT / "docs" / "costs.md"
BLOCK = re.compile(r"(<!-- costs?: [^\n]* -->\n).*?(<!-- end of costs? -->)", re.DOTALL)
ROWS = (
    ("a chunk of an agent's reply", "agent", "chunk", ""),
    ("a chunk of a team's", "team", "chunk", ""),
    ("a turn of three chunks", "turn", "turn", ""),
    ("the same, exported", "turn", "turn", EXPORTED),
    ("the same, on the event loop", "turn", "turn loop", EXPORTED),
    ("a turn of 200 chunks, exported", "long", "turn", EXPORTED),
)
"""The text of each row, and where its costs are."""


def cell(row: Cost) -> str:
    return f"×{row.ratio(row.added):.2f} ({row.ratio(row.low):.2f}–{row.ratio(row.high):.2f})"


def table(costs: list[Cost], peers: list[str]) -> str:
    """A row for each case, a column for each side."""
    lines = [
        f"| CPU of | nothing, µs | again | autogen-streamtrace | {' | '.join(peers)} |".replace("|  |", "|"),
        "|---" * (4 + len(peers)) + "|",
    ]
    for text, case, measure, suffix in ROWS:
        control = find(costs, case, measure, CONTROL)
        cells = [cell(find(costs, case, measure, side + suffix)) for side in (OURS, *peers)]
        lines.append(f"| {text} | {control.base:,.0f} | {cell(control)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def figure(costs: list[Cost]) -> str:
    return f"**A turn of 200 chunks takes {share(costs)} of CPU, export included.**"


def sentences(costs: list[Cost], layer: float, processes: int, load: float) -> str:
    export = find(costs, "turn", "turn", f"{OURS}, its export")
    loop = find(costs, "turn", "turn loop", f"{OURS} without HTTP")
    http = find(costs, "turn", "turn", OFFICIAL)
    names = ("openai", "autogen-agentchat", "opentelemetry-sdk")
    return (
        f"{figure(costs)} Of a short turn, {http.added:.0f} µs are the official HTTP instrumentation's, and "
        f"{export.added:.0f} are its export. The event loop's thread spends {loop.added:.0f} µs a turn besides the "
        "official instrumentation. "
        f"An open layer takes {layer / 1000:.1f} KB.\n\n"
        f"Medians of {processes} processes, and the least and greatest of them. Python {python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in names)
        + ", OTLP over gRPC to a receiver in another process, recorder on, "
        + f"{os.cpu_count()} cores with a load average of {load:.0f}."
    )


def write(costs: list[Cost], peers: list[str], layer: float, processes: int, load: float) -> None:
    """Writes the blocks of both pages."""
    text = f"{sentences(costs, layer, processes, load)}\n\n{table(costs, peers)}\n"
    for page, block in ((FIGURE, f"{figure(costs)}\n"), (COSTS, text)):
        page.write_text(BLOCK.sub(rf"\g<1>{block}\g<2>", page.read_text()))
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=4)
    chosen = parser.parse_args()
    peers = [name for name, peer in PEERS.items() if peer.installed]
    costs = measured(list(CASES), peers, chosen.processes, chosen.rounds, "grpc")
    load = os.getloadavg()[2]
    write(costs, peers, of_a_layer(in_use(200)), chosen.processes, load)


if __name__ == "__main__":
    main()
