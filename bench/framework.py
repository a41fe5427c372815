"""What watching Agent Framework costs: CPU per turn and per chunk, beside none and beside its own telemetry.

    python bench/framework.py [--processes 6] [--rounds 4] [--write]

Measured as ``bench/overhead.py`` does, in rows of the same form: what a side adds to bare, and in brackets the least
and the greatest of the processes. The same is measured of AutoGen, whose turn has another base. It takes some minutes.
``--write`` writes the block of docs/costs.md that is about Agent Framework.

Ours has the official HTTP instrumentation with it. So its own telemetry is measured without it and with it.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from unittest import mock

from agent_framework import Agent
from agent_framework.observability import OBSERVABILITY_SETTINGS
from agent_framework_openai import OpenAIChatCompletionClient
from gauge import Gauge
from openai import AsyncOpenAI
from opentelemetry import trace
from overhead import CONTROL, OURS, Cost, Program, compared, find, in_processes, one_process
from pages import COSTS, cell, conditions, table, write
from programs import CHUNKS, Costs, Flush, agent_chunks, batches, model_server, short_turns, sliced
from sides import HTTP, Providers, Side, bare, watched


@contextmanager
def own(beside: Side) -> Iterator[Flush]:
    """Agent Framework's own telemetry, beside another side. Without it, it is switched off."""
    providers = Providers.discarding()
    OBSERVABILITY_SETTINGS.enable_instrumentation = True
    with ExitStack() as patches:
        patches.callback(setattr, OBSERVABILITY_SETTINGS, "enable_instrumentation", False)
        patches.callback(providers.shutdown)
        patches.enter_context(mock.patch.object(trace, "get_tracer_provider", return_value=providers.tracers))
        patches.enter_context(
            mock.patch("opentelemetry.metrics._internal.get_meter_provider", return_value=providers.meters)
        )
        flush = patches.enter_context(beside())
        yield lambda: (flush(), providers.flush())


async def turns(port: int, flush: Flush, gauge: Gauge) -> Costs:
    """Turns of three chunks."""
    async with sdk(port, 3) as client:
        one = agent(client)
        return await batches(lambda: one.run("go", stream=True), nothing, flush, gauge, warm_up=20, turns=50, batches=2)


async def chunks(port: int, flush: Flush, gauge: Gauge) -> Costs:
    """A long reply of one agent."""
    async with sdk(port, CHUNKS) as client:
        return await sliced(agent(client).run("go", stream=True), gauge)


def sdk(port: int, chunks: int) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/{chunks}/v1", api_key="x", max_retries=0)


def agent(client: AsyncOpenAI) -> Agent:
    return Agent(client=OpenAIChatCompletionClient(model="gpt-4o", async_client=client), name="agent")


async def nothing() -> None:
    """Each turn has a session of its own."""


OWN, OWN_HTTP, BOTH = "own telemetry", "own telemetry with HTTP", f"{OURS}, own switched on"
SIDES: dict[str, Side] = {"bare": bare, CONTROL: bare, OURS: watched}
OWN_SIDES: dict[str, Side] = {
    OWN: partial(own, bare),
    OWN_HTTP: partial(own, partial(HTTP.side, export=False)),
    BOTH: partial(own, watched),
}
CASES: dict[str, tuple[Program, dict[str, Side]]] = {
    "Agent Framework, turn": (turns, SIDES | OWN_SIDES),
    "Agent Framework, chunk": (chunks, SIDES | OWN_SIDES),
    "AutoGen, turn": (short_turns, SIDES),
    "AutoGen, chunk": (agent_chunks, SIDES),
}
COLUMNS = {OURS: "autogen-streamtrace", OWN: OWN, OWN_HTTP: "the same, with HTTP", BOTH: "both"}
"""The head of each side's column."""
ROWS = (
    ("a turn of three chunks", "Agent Framework", "turn"),
    ("the same, on the event loop", "Agent Framework", "turn loop"),
    ("a chunk of an agent's reply", "Agent Framework", "chunk"),
    ("AutoGen's turn of three chunks", "AutoGen", "turn"),
    ("the same, on the event loop", "AutoGen", "turn loop"),
    ("a chunk of AutoGen's", "AutoGen", "chunk"),
)
"""The text of each row, and where its costs are."""


def measured(processes: int, rounds: int) -> list[Cost]:
    """The costs of all sides in all cases."""
    costs: list[Cost] = []
    with model_server() as port, tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "AUTOGEN_STREAMTRACE_RECORDER_DIR": folder}
        for case in CASES:
            found = in_processes(__file__, [case, rounds, port], processes, environment)
            for measure in sorted(found):
                costs += compared(case.partition(",")[0], measure, found[measure])
    return costs


def shown(costs: list[Cost]) -> Iterator[str]:
    """The costs as lines of text."""
    for row in costs:
        if row.side == CONTROL:
            yield f"\n{row.case}, base {row.base:.1f} us a {row.measure}"
        yield str(row)


def cells(costs: list[Cost]) -> Iterator[list[str]]:
    """A row for each case, a column for each side. AutoGen has no telemetry of its own that watches a turn."""
    for text, case, measure in ROWS:
        control = find(costs, case, measure, CONTROL)
        there = {row.side: cell(row) for row in costs if (row.case, row.measure) == (case, measure)}
        yield [text, f"{control.base:,.0f}", cell(control), *(there.get(side, "–") for side in COLUMNS)]


def page(costs: list[Cost], processes: int) -> str:
    """The block of docs/costs.md."""
    turn, alone = (find(costs, "Agent Framework", "turn", side) for side in (OURS, OWN_HTTP))
    return (
        f"**A turn of three chunks takes {turn.added:.0f} µs more**, and {alone.added:.0f} with its own telemetry and "
        "the official HTTP instrumentation, which ours has with it.\n\n"
        f"{conditions(processes, ('agent-framework-core', 'openai', 'opentelemetry-sdk'))}, "
        "recorder on, spans and log events discarded by their exporters.\n\n"
        f"{table(['CPU of', 'nothing, µs', 'again', *COLUMNS.values()], cells(costs))}"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--processes", type=int, default=6)
    options.add_argument("--rounds", type=int, default=4)
    options.add_argument("--write", action="store_true", help="write the block of docs/costs.md")
    options.add_argument("--task", help=argparse.SUPPRESS)
    given = options.parse_args()
    OBSERVABILITY_SETTINGS.enable_instrumentation = False
    if given.task:
        case, rounds, port = json.loads(given.task)
        print(json.dumps(one_process(*CASES[case], rounds, port)))
        return
    costs = measured(given.processes, given.rounds)
    print(*shown(costs), sep="\n")
    if given.write:
        write(COSTS, "costs of Agent Framework", page(costs, given.processes))


if __name__ == "__main__":
    main()
