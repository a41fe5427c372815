"""One turn of one agent, read to its end."""

from collections.abc import Awaitable, Callable

from autogen_streamtrace.commands.demo.scenarios.program import TASK, Program, read


def turn(fault: str) -> Callable[[Program], Awaitable[None]]:
    """A turn whose model stream suffers this fault."""

    async def run(program: Program) -> None:
        await read(program.agent(program.server.url(fault)).run_stream(task=TASK))

    return run
