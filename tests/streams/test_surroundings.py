"""What surrounds a watched stream: context variables, the current span, the log, other streams."""

import asyncio
import contextvars
import inspect
import logging
import weakref
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from programs.alike import SPAN, Wrap, alike, outcome, read, three, traced
from programs.watching import Watching, watching

from autogen_streamtrace import trace_stream


@pytest.fixture
def told() -> Iterator[Watching]:
    with watching() as told:
        yield told


def test_context_variables_of_a_source_are_seen_as_bare(told: Watching) -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def program(wrap: Wrap) -> Any:
        async def source() -> AsyncGenerator[str, None]:
            for number in range(2):
                seen = variable.get()
                variable.set(f"source {number}")
                yield seen

        seen = []
        async for item in wrap(source()):
            seen.append((item, variable.get()))
            variable.set("reader")
        stream = wrap(source())
        seen.append(await asyncio.create_task(outcome(stream.__anext__())))
        return [*seen, variable.get()]

    alike(program)


def test_the_readers_own_span_stays_current(told: Watching) -> None:
    tracer = told.tracer_provider.get_tracer("program")

    async def fails() -> AsyncGenerator[int, None]:
        yield 1
        raise ValueError("late")

    async def main() -> None:
        with tracer.start_as_current_span("reader") as mine:
            stream = traced(three())
            async for _ in stream:
                assert trace.get_current_span() is mine
                break
            await asyncio.create_task(stream.aclose())
            assert trace.get_current_span() is mine
            with pytest.raises(ValueError, match="late"):
                await read(traced(fails()))
            assert trace.get_current_span() is mine

    asyncio.run(main())
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_span_that_a_source_holds_over_its_yield_stays_current_inside(told: Watching) -> None:
    tracer = told.tracer_provider.get_tracer("program")

    async def source() -> AsyncGenerator[int, None]:
        with tracer.start_as_current_span("work"):
            yield 1
            tracer.start_span("step").end()
            yield 2

    assert asyncio.run(read(traced(source()))) == [1, 2]
    assert told.parent("step") == "work"
    assert told.parent("work") == SPAN


def test_nothing_is_logged_when_tasks_take_turns(told: Watching, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def source() -> AsyncGenerator[int, None]:
        try:
            while True:
                await asyncio.sleep(0)
                yield 1
        finally:
            await asyncio.sleep(0)

    async def main() -> None:
        stream = traced(traced(source()))
        for _ in range(3):
            await asyncio.create_task(outcome(stream.__anext__()))
        await asyncio.wait_for(stream.__anext__(), 5)
        cancelled = asyncio.create_task(outcome(stream.__anext__()))
        await asyncio.sleep(0)
        cancelled.cancel()
        await cancelled
        await asyncio.create_task(outcome(stream.aclose()))

    asyncio.run(main())
    told.spans()
    assert [record.getMessage() for record in caplog.records if record.name != "asyncio"] == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_passes(told: Watching, kind: type[BaseException]) -> None:
    async def source() -> AsyncGenerator[int, None]:
        yield 1
        raise kind("now")

    with pytest.raises(kind, match="now"):
        asyncio.run(read(traced(source())))
    assert told.outcome(SPAN) == "failed"


def test_a_watched_generator_is_a_generator_with_the_name_of_its_own(told: Watching) -> None:
    stream: Any = traced(three())
    assert inspect.isasyncgen(stream)
    assert (stream.__name__, stream.__qualname__) == ("three", "three")
    assert weakref.ref(stream)() is stream


def test_two_streams_at_once_never_mix(told: Watching) -> None:
    async def letters(first: str) -> AsyncGenerator[str, None]:
        for letter in (first, first * 2):
            await asyncio.sleep(0)
            yield letter

    async def main() -> Any:
        return await asyncio.gather(*(read(trace_stream(letters(each), each)) for each in "abcdef"))

    assert asyncio.run(main()) == [[each, each * 2] for each in "abcdef"]
    for each in "abcdef":
        assert told.outcome(f"stream {each}") == "completed"
        assert told.parent(f"stream {each}") is None
