"""A process that is to die with streams open. ``victim.py WHAT [ARGUMENT…]`` prints a line once it is ready."""

import asyncio
import itertools
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import autogen_streamtrace
from autogen_streamtrace.commands.top.streams import open_streams


async def words(last: "asyncio.Event | None" = None) -> AsyncGenerator[str, None]:
    yield "one"
    yield "two"
    if last is not None:
        await last.wait()


def ready() -> None:
    print(os.getpid(), flush=True)


async def holds(streams: str = "3", then: Callable[[], object] = ready) -> None:
    """Three streams have ended, so many are open."""
    for _ in range(3):
        async for _ in autogen_streamtrace.trace_stream(words(), "ended"):
            pass
    waiting = asyncio.Semaphore(0)

    async def hold() -> None:
        async for word in autogen_streamtrace.trace_stream(words(asyncio.Event()), "open"):
            if word == "two":
                waiting.release()

    tasks = [asyncio.ensure_future(hold()) for _ in range(int(streams))]
    for _ in tasks:
        await waiting.acquire()
    await recorded(int(streams), 2)
    then()
    await asyncio.gather(*tasks)


async def recorded(streams: int, chunks: int) -> None:
    """Returns when the watcher has copied how far so many streams of this process have come."""
    mine = os.getpid()
    while sum(each.process == mine and each.chunks >= chunks for each in open_streams(layers=True)) < streams:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def flows() -> None:
    """One stream, item by item; each item is the count so far, and goes to stdout as soon as it was read."""

    async def numbers() -> AsyncGenerator[str, None]:
        count = 0
        while True:
            count += 1
            yield str(count)
            await asyncio.sleep(0.005)

    async for number in autogen_streamtrace.trace_stream(numbers(), "flowing"):
        print(number, flush=True)


async def saturated() -> None:
    """The same without a pause: the loop has not a moment to spare."""

    async def numbers() -> AsyncGenerator[int, None]:
        count = 0
        while True:
            count += 1
            yield count

    async for number in autogen_streamtrace.trace_stream(numbers(), "flowing"):
        if number % 1000 == 0:
            print(number, flush=True)


async def turns(url: str, count: str = "1") -> None:
    """Agents over the real client, each in the middle of a reply that stalls."""
    from programs.agents import model_agent

    agents = [model_agent(url, f"agent_{index}") for index in range(int(count))]
    waiting = asyncio.Semaphore(0)

    async def read(agent: Any) -> None:
        seen = 0
        async for _ in agent.run_stream(task="go"):
            seen += 1
            if seen == 3:
                waiting.release()

    tasks = [asyncio.ensure_future(read(agent)) for agent, _ in agents]
    for _ in tasks:
        await waiting.acquire()
    await recorded(3 * len(agents), 2)
    ready()
    await asyncio.gather(*tasks)


async def pings() -> None:
    """A stream that goes on while one inside it stands still, for a second by now."""

    async def outer() -> AsyncGenerator[int, None]:
        async def hold() -> None:
            async for _ in autogen_streamtrace.trace_stream(words(asyncio.Event()), "inner"):
                pass

        standing = asyncio.ensure_future(hold())
        for count in itertools.count():
            if count == 20:
                ready()
            yield count
            await asyncio.sleep(0.05)
        await standing

    async for _ in autogen_streamtrace.trace_stream(outer(), "outer"):
        pass


async def forks() -> None:
    """A child, which has streams of its own, outlives this process."""
    child = os.fork()
    if child == 0:
        os.closerange(1, 3)
        time.sleep(60)  # noqa: ASYNC251 - the loop is the parent's
        os._exit(0)

    def both() -> None:
        ready()
        print(child, flush=True)

    await holds("2", both)


async def runs_out_of_memory(url: str) -> None:
    """A tool asks for more memory than the process may have."""
    import resource

    from autogen_agentchat.agents import AssistantAgent
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    async def greedy(claim_id: str) -> str:
        """Fetches a claim."""
        resource.setrlimit(resource.RLIMIT_AS, (2**32, resource.getrlimit(resource.RLIMIT_AS)[1]))
        return "x" * 2**40

    ready()
    client = OpenAIChatCompletionClient(model="gpt-4o", api_key="none", base_url=url, max_retries=0, timeout=30)
    agent = AssistantAgent("writer", client, tools=[greedy], model_client_stream=True)
    async for _ in agent.run_stream(task="go"):
        pass


if __name__ == "__main__":
    autogen_streamtrace.instrument()
    what, *arguments = sys.argv[1:]
    asyncio.run(globals()[what](*arguments))
