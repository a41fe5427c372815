"""What watching costs: CPU per chunk and per turn, beside none and beside other instrumentations.

    python bench/overhead.py [--against genai-openai,openinference] [--processes 6] [--rounds 4] [--json]

The sides take turns in one process, in an order that is shuffled each round, and the first round is thrown away. A
process is off by a few microseconds as a whole, so there are several of them: each figure is the median over the
processes, and in brackets stand the least and the greatest of them. With six processes the true median is between
these in 97 of 100 runs.

Garbage collection is on. What is there before a side's turn is kept out of it, as a look at the whole heap would fall
to one side by chance.

The model server and the OTLP receiver run in processes of their own. The CPU is that of the whole process, all threads
counted; a line that says "on the event loop" counts its thread alone. All signals are on: spans and log events in
batches, metrics in memory; the exporters discard what they get, unless the line says "exported".
"""

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from gauge import Gauge
from programs import Costs, Flush, agent_chunks, long_turns, model_server, receiver, short_turns, team_chunks
from sides import HTTP, PEERS, Side, bare, exported, watched

Program = Callable[[int, Flush, Gauge], Awaitable[Costs]]
"""Runs against the model server on this port, and measures."""
CASES: dict[str, Program] = {
    "agent": agent_chunks,
    "team": team_chunks,
    "turn": short_turns,
    "long": long_turns,
}
OURS, EXPORTED, CONTROL, OFFICIAL = "streamtrace", " exported", "bare again", "HTTP alone"


@dataclass(frozen=True)
class Cost:
    """What one side adds to one case: microseconds of CPU, and the base. ``low`` and ``high`` are of ``added``."""

    case: str
    measure: str
    side: str
    base: float
    added: float
    low: float
    high: float

    def ratio(self, added: float) -> float:
        return 1 + added / self.base

    def __str__(self) -> str:
        where = f"{self.case}, {self.measure.replace('turn loop', 'on the event loop')}"
        between = f"[{self.low:+.1f} to {self.high:+.1f}]"
        return f"{where:28} {self.side:30} {self.added:+9.1f} us {between:22} x {self.ratio(self.added):.3f}"


def sides_of(case: str, peers: list[str]) -> dict[str, Side]:
    """The sides of a case by name."""
    chosen: dict[str, Side] = {"bare": bare, CONTROL: bare}
    if case != "long":
        chosen |= {OURS: watched, **{name: partial(PEERS[name].side, export=False) for name in peers}}
    if case == "turn":
        chosen[OFFICIAL] = partial(HTTP.side, export=False)
    if case in ("turn", "long"):
        exporting = {name: partial(PEERS[name].side, export=True) for name in peers}
        chosen |= {name + EXPORTED: side for name, side in {OURS: exported, **exporting}.items()}
    return chosen


def one_process(program: Program, sides: dict[str, Side], rounds: int, port: int) -> dict[str, dict[str, float]]:
    """The medians of what this process measures, by measure and side, in microseconds."""
    costs, gauge = defaultdict[tuple[str, str], list[float]](list), Gauge()
    for number in range(rounds + 1):
        for name in random.sample(sorted(sides), len(sides)):
            with sides[name]() as flush:
                gc.collect()
                gc.freeze()
                found = asyncio.run(program(port, flush, gauge))
            for measure, values in found.items() if number else ():
                costs[measure, name] += values
    medians: dict[str, dict[str, float]] = defaultdict(dict)
    for measure in {measure for measure, _ in costs}:
        medians[measure] = {side: statistics.median(costs[measure, side]) * gauge.quiet * 1e6 for side in sides}
    return medians


def in_processes(
    script: str, task: list[Any], count: int, environment: dict[str, str] | None = None
) -> dict[str, list[dict[str, float]]]:
    """What so many processes measured of a task, by measure: what ``one_process`` of each of them found."""
    command = [sys.executable, script, "--task", json.dumps(task)]
    done = [subprocess.run(command, env=environment, capture_output=True, text=True) for _ in range(count)]
    for each in done:
        if each.returncode:
            sys.exit(each.stderr)
    found = [json.loads(each.stdout.splitlines()[-1]) for each in done]
    return {measure: [each[measure] for each in found] for measure in found[0]}


def compared(case: str, measure: str, processes: list[dict[str, float]]) -> list[Cost]:
    """What each side adds to bare, and what the control does."""
    base = statistics.median((each["bare"] + each[CONTROL]) / 2 for each in processes)

    def cost(side: str, added: list[float]) -> Cost:
        return Cost(case, measure, side, base, statistics.median(added), min(added), max(added))

    def against(side: str, other: Callable[[dict[str, float]], float]) -> list[float]:
        return [each[side] - other(each) for each in processes]

    rows = [cost(CONTROL, against(CONTROL, lambda each: each["bare"]))]
    for side in processes[0]:
        if side not in ("bare", CONTROL):
            rows.append(cost(side, against(side, lambda each: (each["bare"] + each[CONTROL]) / 2)))
        if side + EXPORTED in processes[0] and measure == "turn":
            rows.append(cost(f"{side}, its export", against(side + EXPORTED, lambda each, side=side: each[side])))
    if measure == "turn loop" and OFFICIAL in processes[0]:
        rows.append(cost(f"{OURS} without HTTP", against(OURS, lambda each: each[OFFICIAL])))
    return rows


def measured(cases: list[str], peers: list[str], processes: int, rounds: int, protocol: str) -> list[Cost]:
    """The costs of all sides in some cases."""
    costs: list[Cost] = []
    with ExitStack() as stack:
        model, taker = stack.enter_context(model_server()), stack.enter_context(receiver(protocol))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        environment = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{taker}",
            "AUTOGEN_STREAMTRACE_RECORDER_DIR": folder,
        }
        for case in cases:
            task = [case, peers, rounds, model]
            for measure, found in in_processes(__file__, task, processes, environment).items():
                costs += compared(case, measure, found)
    return costs


def share(costs: list[Cost], side: str = OURS) -> str:
    """The one figure on top."""
    row = find(costs, "long", "turn", side + EXPORTED)
    added, low, high = (f"{value / row.base:+.1%}" for value in (row.added, row.low, row.high))
    return f"{added} [{low} to {high}]"


def find(costs: list[Cost], case: str, measure: str, side: str) -> Cost:
    return next(row for row in costs if (row.case, row.measure, row.side) == (case, measure, side))


def shown(costs: list[Cost]) -> str:
    """The costs as lines of text."""
    whole = any(row.case == "long" for row in costs)
    lines = [f"CPU of a turn of 200 chunks, export included: {share(costs)}", ""] if whole else []
    for case in dict.fromkeys(row.case for row in costs):
        of_case = [row for row in costs if row.case == case]
        unit = of_case[0].measure.partition(" ")[0]
        lines += [f"{case}: base {of_case[0].base:.1f} us a {unit}", *map(str, of_case), ""]
    return "\n".join(lines)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    installed = [name for name, peer in PEERS.items() if peer.installed]
    parser.add_argument("--against", default=",".join(installed), help="peers; by default all that are installed")
    parser.add_argument("--only", default=",".join(CASES), help="cases: agent, team, turn, long")
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--protocol", choices=["grpc", "http/protobuf"], default="grpc")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    return parser


def peers_in(text: str, parser: argparse.ArgumentParser) -> list[str]:
    """The names of peers in a list with commas."""
    chosen = list(filter(None, text.split(",")))
    for name in chosen:
        if name not in PEERS:
            parser.error(f"--against: {name!r} is not known; known: {', '.join(PEERS)}")
        if not PEERS[name].installed:
            parser.error(f"--against: {name!r} needs {' and '.join(PEERS[name].packages)}: nox -s bench installs them")
    return chosen


def main() -> None:
    parser = arguments()
    chosen = parser.parse_args()
    if chosen.task:
        case, peers, rounds, port = json.loads(chosen.task)
        print(json.dumps(one_process(CASES[case], sides_of(case, peers), rounds, port)))
        return
    cases = list(filter(None, chosen.only.split(",")))
    if unknown := set(cases) - set(CASES):
        parser.error(f"--only: {', '.join(unknown)} is not known; known: {', '.join(CASES)}")
    costs = measured(cases, peers_in(chosen.against, parser), chosen.processes, chosen.rounds, chosen.protocol)
    print(json.dumps([asdict(row) for row in costs]) if chosen.json else shown(costs))


if __name__ == "__main__":
    main()
