"""What an open layer takes: bytes of Python memory, real streams bare and instrumented in one process.

    python bench/memory.py [--streams 200]

Each stream has three layers (agent, model, http), has delivered some items and is held open by its reader.
"""

import argparse
import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

from programs import agent, model_server
from sides import HTTP, bare, watched

LAYERS = 3
ITEMS = 8


async def held_open(port: int, streams: int, flush: Callable[[], object]) -> float:
    """Bytes per stream that are in use while ``streams`` of them are open."""
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # httpcore's generators at the end
    agents = [agent(port, ITEMS * 4) for _ in range(streams + 5)]
    opened: list[Any] = []
    for one in agents[:5]:
        opened.append(await _started(one))  # imports, caches, first connections
    gc.collect()
    tracemalloc.start()
    for one in agents[5:]:
        opened.append(await _started(one))
    flush()
    gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for stream in opened:
        await stream.aclose()
    for one in agents:
        await one._model_client.close()
    return used / streams


async def _started(one: Any) -> Any:
    stream = one.run_stream(task="go")
    for _ in range(ITEMS):
        await stream.__anext__()
    return stream


def in_use(streams: int) -> dict[str, float]:
    """Bytes per stream, by side."""
    used = {}
    with model_server() as port:
        official = partial(HTTP.side, export=False)
        sides = (("warm", bare), ("bare", bare), ("official", official), ("watched", watched), ("control", bare))
        for name, side in sides:
            with side() as flush:
                used[name] = asyncio.run(held_open(port, streams, flush))
            gc.collect()
    return used


def of_a_layer(used: dict[str, float]) -> float:
    """Bytes of an open layer, without those of the official HTTP instrumentation."""
    return (used["watched"] - used["official"]) / LAYERS


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--streams", type=int, default=200)
    used = in_use(arguments.parse_args().streams)
    print(
        f"bare {used['bare']:.0f} bytes a stream (again: {used['control']:.0f}), "
        f"with the official HTTP instrumentation {used['official'] - used['bare']:+.0f}, "
        f"on top of it {of_a_layer(used):+.0f} bytes a layer"
    )


if __name__ == "__main__":
    main()
