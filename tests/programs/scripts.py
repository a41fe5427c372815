"""Scripts of a stream and of its reader, played the same way over a bare stream and over a watched one.

``play`` returns everything that the reader and the source could notice: items, exceptions with their chains, when
(in turns of the event loop) each of the source's own lines ran, and what the event loop complained of.
"""

import asyncio
import contextlib
import gc
import re
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

Wrap = Callable[[AsyncGenerator[Any, Any]], Any]
TICK = 0.001
"""Virtual seconds that one turn of the event loop takes."""
_LONG = 9
"""Turns that the source works on one item: longer than the reader's patience."""


class MishapError(Exception):
    """Raised by the scripted source or thrown in by its reader."""


RAISED: dict[str, type[BaseException]] = {
    "mishap": MishapError,
    "timeout": asyncio.TimeoutError,
    "cancelled": asyncio.CancelledError,
    "stop": StopAsyncIteration,
    "runtime": RuntimeError,
}


@dataclass(frozen=True)
class Op:
    """One step of the source, ``yield``, ``pause``, ``work`` or ``raise``, and what it does to an exception there."""

    kind: str
    value: Any = None
    caught: str = "pass"


@dataclass(frozen=True)
class Source:
    """What the source does, and what its ``finally`` does."""

    ops: tuple[Op, ...]
    pauses_at_end: int = 0
    raises_at_end: str = ""


@dataclass(frozen=True)
class Move:
    """One move of the reader, with a number for the moves that take one."""

    kind: str
    value: Any = None


class Stage:
    """One performance: its log, and the exceptions that were made in it."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.streams: set[int] = set()
        """Identities of the source and of what was made of it."""
        self.kept: Any = None
        self._made: list[BaseException] = []

    def note(self, *what: Any) -> None:
        self.log.append((*what, _turns()))

    def make(self, kind: str) -> BaseException:
        error = RAISED[kind](f"made {len(self._made)}")
        self._made.append(error)
        return error

    def describe(self, error: BaseException | None, depth: int = 8) -> Any:
        """Type, arguments, which of the made ones it is, and its chain."""
        if error is None or depth == 0:
            return None
        which = next((i for i, made in enumerate(self._made) if made is error), None)
        chain = [self.describe(link, depth - 1) for link in (error.__cause__, error.__context__)]
        return (type(error).__name__, _plain(error.args), which, error.__suppress_context__, *chain)

    def let_go_of_frames(self) -> None:
        """The reader keeps an exception, not the lines that it came through: they would keep the stream."""
        for error in self._made:
            error.__traceback__ = None

    def reset_after_fork(self) -> None:
        """Lets go of the stream that outlived its event loop, and of the exceptions, which may hold it."""
        self._made.clear()
        self.kept = None

    async def source(self, script: Source) -> AsyncGenerator[Any, Any]:
        self.note("source starts")
        try:
            for op in script.ops:
                try:
                    if op.kind == "yield":
                        self.note("source got", (yield op.value))
                    elif op.kind == "pause":
                        await asyncio.sleep(0)
                    elif op.kind == "work":
                        for _ in range(_LONG):
                            await asyncio.sleep(0)
                    else:
                        raise self.make(op.value)
                except BaseException as error:
                    self.note("source caught", self.describe(error))
                    if op.caught == "swallow":
                        continue
                    if op.caught == "replace":
                        raise self.make("mishap")  # noqa: B904 - without a cause
                    if op.caught == "wrap":
                        raise self.make("runtime") from error
                    raise
        finally:
            self.note("finally begins")
            for _ in range(script.pauses_at_end):
                await asyncio.sleep(0)
            self.note("finally ends")
            if script.raises_at_end:
                raise self.make(script.raises_at_end)


class Reader:
    """Holds the only reference to the stream."""

    def __init__(self, stage: Stage, stream: Any) -> None:
        self._stage = stage
        self.stream = stream

    async def read(self, moves: tuple[Move, ...]) -> None:
        for move in moves:
            if self.stream is not None:
                await getattr(self, move.kind)(move.value)
                self._stage.let_go_of_frames()

    async def _noted(self, what: str, step: Awaitable[Any]) -> None:
        try:
            item = await step
        except BaseException as error:
            self._stage.note(what, "raised", self._stage.describe(error))
        else:
            self._stage.note(what, "gave", item)

    async def anext(self, _: Any) -> None:
        await self._noted("anext", self.stream.__anext__())

    async def asend(self, value: Any) -> None:
        await self._noted("asend", self.stream.asend(value))

    async def athrow(self, kind: str) -> None:
        await self._noted("athrow", self.stream.athrow(self._stage.make(kind)))

    async def aclose(self, _: Any) -> None:
        await self._noted("aclose", self.stream.aclose())

    async def final(self, _: Any) -> None:
        """All that is left, of a stream that has a final response."""
        await self._noted("final", self.stream.get_final_response())

    async def pause(self, _: Any) -> None:
        await asyncio.sleep(0)

    async def drop(self, _: Any) -> None:
        self.stream = None
        self._stage.note("dropped")
        for _turn in range(6):
            await asyncio.sleep(0)

    async def leave(self, after: int) -> None:
        """``async for`` with a ``break``."""
        try:
            async for item in self.stream:
                self._stage.note("for", item)
                after -= 1
                if after < 0:
                    break
        except BaseException as error:
            self._stage.note("for", "raised", self._stage.describe(error))
        await self.drop(None)

    async def elsewhere(self, _: Any) -> None:
        """One item, asked for by a task of its own."""
        await self._noted("task", asyncio.ensure_future(_coroutine(self.stream.__anext__())))

    async def close_elsewhere(self, _: Any) -> None:
        await self._noted("closing task", asyncio.ensure_future(_coroutine(self.stream.aclose())))

    async def both(self, _: Any) -> None:
        """Two tasks ask at once."""
        steps = [asyncio.ensure_future(_coroutine(self.stream.__anext__())) for _ in range(2)]
        done = await asyncio.gather(*steps, return_exceptions=True)
        told = [self._stage.describe(each) if isinstance(each, BaseException) else each for each in done]
        self._stage.note("both", told)

    async def cancel(self, turns: int) -> None:
        """One item, asked for by a task that is cancelled some turns later."""
        task = asyncio.ensure_future(_coroutine(self.stream.__anext__()))
        for _ in range(turns):
            await asyncio.sleep(0)
        self._stage.note("cancelling", task.cancel())
        for _ in range(20):
            if task.done():
                break
            await asyncio.sleep(0)
        self._stage.note("cancelled", task.done(), task.cancelled(), getattr(task, "cancelling", int)())
        await self._noted("cancelled task", task)

    async def wait_for(self, turns: int) -> None:
        patience = turns * TICK if _turns() else float(turns > 1)
        await self._noted("wait_for", asyncio.wait_for(self.stream.__anext__(), patience))


def play(source: Source, moves: tuple[Move, ...], wrap: Wrap | None = None) -> list[Any]:
    """The log of one performance: over the bare source, or over what ``wrap`` makes of it."""
    stage = Stage()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(complain)
        bare = stage.source(source)
        reader = Reader(stage, bare if wrap is None else wrap(bare))
        stage.streams |= {id(bare), id(reader.stream)}
        del bare
        await reader.read(moves)
        stage.note("reader ends")
        stage.kept, reader.stream = reader.stream, None

    def complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        stage.note("event loop", _plain(context["message"]), stage.describe(context.get("exception")))

    with noticing(stage):
        run(main())
        stage.reset_after_fork()
        gc.collect()
    return stage.log


@contextlib.contextmanager
def noticing(stage: Stage) -> Iterator[None]:
    """Notes what Python could not raise."""

    def hook(unraisable: Any) -> None:
        if id(unraisable.object) in stage.streams:
            stage.note("unraisable", stage.describe(unraisable.exc_value))

    before, sys.unraisablehook = sys.unraisablehook, hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def run(main: Any) -> None:
    """``asyncio.run`` on an event loop whose clock is the number of its turns; under uvloop, on its own clock."""
    loop = asyncio.new_event_loop()
    if isinstance(loop, asyncio.SelectorEventLoop):
        _virtual(loop)
    try:
        loop.run_until_complete(main)
        loop.run_until_complete(_cancel_the_rest())
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


async def _cancel_the_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


def _virtual(loop: Any) -> None:
    turns, select = [1], loop._selector.select

    def at_once(timeout: float | None = None) -> Any:
        turns[0] += 1
        return select(0 if timeout is not None else None)

    loop._selector.select = at_once
    loop.time = lambda: turns[0] * TICK
    loop.turns = turns


def _turns() -> int:
    """How often the running event loop has turned; 0 where it does not count."""
    try:
        return int(getattr(asyncio.get_running_loop(), "turns", [0])[0])
    except RuntimeError:
        return -1


async def _coroutine(step: Awaitable[Any]) -> Any:
    return await step


def _plain(told: Any) -> str:
    """Without addresses, and without the name of the generator that a warning of Python's is about."""
    return re.sub(r" at 0x[0-9a-f]+|(?<=' of ')[^']+(?=' was never awaited)", "", str(told))
