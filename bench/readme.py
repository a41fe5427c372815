"""Writes docs/costs.md and the figure in README.md, from what the benches measure here and now.

    python bench/readme.py [--processes 6] [--rounds 4]

`nox -s bench` runs it with every peer installed. It takes some minutes.
"""

import argparse
from collections.abc import Iterator

from memory import in_use, of_a_layer
from overhead import CASES, CONTROL, EXPORTED, OFFICIAL, OURS, Cost, find, measured, share
from pages import COSTS, ROOT, cell, conditions, table, write
from sides import PEERS

ROWS = (
    ("a chunk of an agent's reply", "agent", "chunk", ""),
    ("a chunk of a team's", "team", "chunk", ""),
    ("a turn of three chunks", "turn", "turn", ""),
    ("the same, exported", "turn", "turn", EXPORTED),
    ("the same, on the event loop", "turn", "turn loop", EXPORTED),
    ("a turn of 200 chunks, exported", "long", "turn", EXPORTED),
)
"""The text of each row, and where its costs are."""


def rows(costs: list[Cost], peers: list[str]) -> Iterator[list[str]]:
    """A row for each case, a column for each side."""
    for text, case, measure, suffix in ROWS:
        control = find(costs, case, measure, CONTROL)
        cells = [cell(find(costs, case, measure, side + suffix)) for side in (OURS, *peers)]
        yield [text, f"{control.base:,.0f}", cell(control), *cells]


def figure(costs: list[Cost]) -> str:
    return f"**A turn of 200 chunks takes {share(costs)} of CPU, export included.**"


def sentences(costs: list[Cost], layer: float, processes: int) -> str:
    export = find(costs, "turn", "turn", f"{OURS}, its export")
    loop = find(costs, "turn", "turn loop", f"{OURS} without HTTP")
    http = find(costs, "turn", "turn", OFFICIAL)
    return (
        f"{figure(costs)} Of a short turn, {http.added:.0f} µs are the official HTTP instrumentation's, and "
        f"{export.added:.0f} are its export. The event loop's thread spends {loop.added:.0f} µs a turn besides the "
        "official instrumentation. "
        f"An open layer takes {layer / 1000:.1f} KB.\n\n"
        f"{conditions(processes, ('openai', 'autogen-agentchat', 'opentelemetry-sdk'))}, "
        "OTLP over gRPC to a receiver in another process, recorder on."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=4)
    chosen = parser.parse_args()
    peers = [name for name, peer in PEERS.items() if peer.installed]
    costs = measured(list(CASES), peers, chosen.processes, chosen.rounds, "grpc")
    head = ["CPU of", "nothing, µs", "again", "autogen-streamtrace", *peers]
    text = f"{sentences(costs, of_a_layer(in_use(200)), chosen.processes)}\n\n{table(head, rows(costs, peers))}"
    write(ROOT / "README.md", "cost", figure(costs))
    write(COSTS, "costs", text)
    print(text)


if __name__ == "__main__":
    main()
