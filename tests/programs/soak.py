"""Processes under load that are killed at any moment.

For each line on stdin, the path of a file, it forks a process that reads streams and writes there what happens to
them: ``I`` it is about to start, ``S`` it has started, ``E`` it has ended for its reader, and how. Prints its pid.
What it exports has the name of that file as the resource's ``truth``.
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncGenerator, Callable

import autogen_streamtrace
from autogen_streamtrace import trace_stream
from autogen_streamtrace.otlp import SIGNALS
from autogen_streamtrace.otlp.environment import targets

TASKS = 6
MOST = 125
"""Streams of a task. A quarter of them has another inside: some 940 names, and none may be capped at a thousand."""


async def words(count: int, fails: bool = False) -> AsyncGenerator[str, None]:
    for index in range(count):
        await asyncio.sleep(random.random() * 0.004)
        yield str(index)
    if fails:
        raise ValueError


async def whole(name: str, note: Callable[..., None]) -> None:
    async for word in trace_stream(words(3), name):
        if word == "0":
            note("S", name)
    note("E", name, "completed")


async def raises(name: str, note: Callable[..., None]) -> None:
    try:
        async for word in trace_stream(words(2, fails=True), name):
            if word == "0":
                note("S", name)
    except ValueError:
        note("E", name, "failed")


async def leaves(name: str, note: Callable[..., None]) -> None:
    stream = trace_stream(words(5), name)
    async for _ in stream:
        note("S", name)
        break
    await stream.aclose()  # type: ignore[attr-defined]
    note("E", name, "abandoned")


async def nests(name: str, note: Callable[..., None]) -> None:
    async def outer() -> AsyncGenerator[str, None]:
        note("I", name + ".inner")
        async for word in trace_stream(words(3), name + ".inner"):
            if word == "0":
                note("S", name + ".inner")
            yield word
        note("E", name + ".inner", "completed")

    async for word in trace_stream(outer(), name):
        if word == "0":
            note("S", name)
    note("E", name, "completed")


async def hangs(name: str, note: Callable[..., None]) -> None:
    async def forever() -> AsyncGenerator[str, None]:
        yield "0"
        await asyncio.Event().wait()

    async for _ in trace_stream(forever(), name):
        note("S", name)


async def load(note: Callable[..., None]) -> None:
    async def task(index: int) -> None:
        for number in range(MOST):
            kind = random.choice((whole, raises, leaves, nests))
            name = f"{index}.{number}"
            note("I", name)
            await kind(name, note)

    async def hanging() -> None:
        note("I", "hanging")
        await hangs("hanging", note)

    await asyncio.gather(hanging(), *(task(index) for index in range(TASKS)))


def child(path: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(*what: str) -> None:
        os.write(descriptor, (" ".join(what) + "\n").encode())

    random.seed(path)
    os.environ["OTEL_RESOURCE_ATTRIBUTES"] = f"truth={os.path.basename(path)}"
    autogen_streamtrace.instrument(max_names=1000, events="none")
    asyncio.run(load(note))


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for each in SIGNALS:
        targets(each)  # imports the exporters once
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            child(line.strip())
            os._exit(0)
        print(pid, flush=True)
