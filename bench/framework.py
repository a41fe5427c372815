"""What watching Agent Framework costs: CPU per turn and per chunk, beside none and beside its own telemetry.

    python bench/framework.py [--processes 6] [--rounds 4]

Measured as ``bench/overhead.py`` does, in rows of the same form: what a side adds to bare, and in brackets the least
and the greatest of the processes. The same is measured of AutoGen, whose turn has another base.

Ours has the official HTTP instrumentation with it. So its own telemetry is measured without it and with it.
"""

import argparse
import json
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
from overhead import CONTROL, OURS, Program, compared, in_processes, one_process
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


SIDES: dict[str, Side] = {"bare": bare, CONTROL: bare, OURS: watched}
OWN: dict[str, Side] = {
    "own telemetry": partial(own, bare),
    "own telemetry with HTTP": partial(own, partial(HTTP.side, export=False)),
    f"{OURS}, own switched on": partial(own, watched),
}
CASES: dict[str, tuple[Program, dict[str, Side]]] = {
    "Agent Framework, turn": (turns, SIDES | OWN),
    "Agent Framework, chunk": (chunks, SIDES | OWN),
    "AutoGen, turn": (short_turns, SIDES),
    "AutoGen, chunk": (agent_chunks, SIDES),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--processes", type=int, default=6)
    options.add_argument("--rounds", type=int, default=4)
    options.add_argument("--task", help=argparse.SUPPRESS)
    given = options.parse_args()
    OBSERVABILITY_SETTINGS.enable_instrumentation = False
    if given.task:
        case, rounds, port = json.loads(given.task)
        print(json.dumps(one_process(*CASES[case], rounds, port)))
        return
    with model_server() as port:
        for case in CASES:
            for measure, found in in_processes(__file__, [case, given.rounds, port], given.processes).items():
                rows = compared(case.partition(",")[0], measure, found)
                print(f"{rows[0].case}, base {rows[0].base:.1f} us a {measure}", *rows, "", sep="\n")


if __name__ == "__main__":
    main()
