"""`turns.py URL COUNT`: that many turns of an agent at once, on the model behind that URL, however each ends."""

import asyncio
import sys

from programs.agents import model_agent

import autogen_streamtrace


async def turn(url: str) -> None:
    agent, close = model_agent(url)
    try:
        async for _ in agent.run_stream(task="go"):
            pass
    finally:
        await close()


async def main(url: str, count: int) -> None:
    await asyncio.gather(*(turn(url) for _ in range(count)), return_exceptions=True)


autogen_streamtrace.instrument()
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
