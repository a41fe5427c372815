"""A real agent in the middle of a reply that stalls. ``stalling.py URL NAME``."""

import asyncio
import sys

from programs.agents import model_agent

import autogen_streamtrace


async def main(url: str, name: str) -> None:
    seen = 0
    async for _ in model_agent(url, name, timeout=600)[0].run_stream(task="go"):
        seen += 1
        if seen == 3:
            print("open", flush=True)


autogen_streamtrace.instrument()
asyncio.run(main(*sys.argv[1:]))
