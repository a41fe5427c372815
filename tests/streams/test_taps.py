"""One watched stream beside the same one bare: what its reader, its source and its surroundings notice."""

import asyncio
import contextlib
import gc
import sys
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import pytest
from programs.alike import SPAN, Wrap, alike, outcome, read, three, traced
from programs.watching import Watching, watching

import autogen_streamtrace
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core import tap
from autogen_streamtrace.core.stream.state import StreamInfo


@pytest.fixture
def told() -> Iterator[Watching]:
    with watching() as told:
        yield told


class Steps:
    """A stream that is no generator."""

    def __init__(self) -> None:
        self.count = 0

    def __aiter__(self) -> "Steps":
        return self

    async def __anext__(self) -> int:
        self.count += 1
        number = self.count
        await asyncio.sleep(0)
        if number == 2:
            raise ValueError("the second fails")
        if number > 3:
            raise StopAsyncIteration
        return number


def test_a_stream_can_be_read_by_a_task_for_each_item(told: Watching) -> None:
    async def program(wrap: Wrap) -> Any:
        stream = wrap(three())
        return [await asyncio.create_task(outcome(stream.__anext__())) for _ in range(4)]

    alike(program)
    assert told.outcome(SPAN) == "completed"


def test_a_stream_can_be_closed_from_another_task(told: Watching, caplog: pytest.LogCaptureFixture) -> None:
    async def program(wrap: Wrap) -> Any:
        stream = wrap(three())
        first = await stream.__anext__()
        closed = await asyncio.create_task(outcome(stream.aclose()))
        return first, closed, await outcome(stream.__anext__())

    alike(program)
    assert told.outcome(SPAN) == "abandoned"
    assert caplog.records == []


def test_a_stream_that_is_read_after_its_end_has_ended(told: Watching) -> None:
    async def program(wrap: Wrap) -> Any:
        stream = wrap(three())
        items = [item async for item in stream]
        return items, [item async for item in stream], await outcome(stream.__anext__()), await outcome(stream.aclose())

    alike(program)
    assert told.outcome(SPAN) == "completed"


def test_two_tasks_that_ask_a_generator_at_once_get_the_same_error(told: Watching) -> None:
    async def slow() -> AsyncGenerator[int, None]:
        await asyncio.sleep(0)
        yield 1

    async def program(wrap: Wrap) -> Any:
        stream = wrap(slow())
        return await asyncio.gather(outcome(stream.__anext__()), outcome(stream.__anext__()))

    assert alike(program)[1][0] is RuntimeError


def test_two_tasks_may_ask_an_iterator_at_once(told: Watching) -> None:
    async def program(wrap: Wrap) -> Any:
        stream = wrap(Steps()).__aiter__()
        return await asyncio.gather(outcome(stream.__anext__()), outcome(stream.__anext__()))

    alike(program)


def test_an_iterator_may_go_on_after_it_raised(told: Watching) -> None:
    async def program(wrap: Wrap) -> Any:
        stream = wrap(Steps()).__aiter__()
        return [await outcome(stream.__anext__()) for _ in range(5)]

    alike(program)


def test_an_iterable_may_be_iterated_twice(told: Watching) -> None:
    class Iterable:
        async def __aiter__(self) -> AsyncIterator[int]:
            yield 1
            yield 2

    async def program(wrap: Wrap) -> Any:
        stream = wrap(Iterable())
        return [item async for item in stream], [item async for item in stream]

    alike(program)


def test_an_iterator_needs_no_aiter_of_its_own(told: Watching) -> None:
    class Next:
        async def __anext__(self) -> int:
            raise StopAsyncIteration

    class Iterable:
        def __aiter__(self) -> Next:
            return Next()

    async def program(wrap: Wrap) -> Any:
        return [item async for item in wrap(Iterable())]

    alike(program)


def test_what_is_no_stream_fails_where_it_is_read(told: Watching) -> None:
    async def program(wrap: Wrap) -> Any:
        stream = wrap(5)
        return await outcome(read(stream))

    alike(program)


def test_a_value_sent_to_a_fresh_generator_is_refused(told: Watching) -> None:
    async def program(wrap: Wrap) -> Any:
        return await outcome(wrap(three()).asend("early"))

    assert alike(program)[0] is TypeError


def test_items_after_the_terminal_one_are_delivered(told: Watching) -> None:
    class Terminal:
        pass

    async def source() -> AsyncGenerator[Any, None]:
        yield Terminal
        yield Terminal()
        yield "after"

    async def main() -> list[Any]:
        opening = tap.Unopened(told.tracker, StreamInfo(sc.STREAM, "s", span_name=SPAN))
        stream = tap.tapped(told.tracker, source(), opening, Terminal)
        return [getattr(item, "__name__", type(item)) async for item in stream]

    assert asyncio.run(main()) == ["Terminal", Terminal, str]
    assert told.outcome(SPAN) == "completed"


def test_none_is_an_item(told: Watching) -> None:
    async def program(wrap: Wrap) -> Any:
        async def source() -> AsyncGenerator[None, None]:
            yield None
            yield None

        return [item async for item in wrap(source())]

    assert alike(program) == [None, None]
    assert (told.span(SPAN).attributes or {})["streamtrace.chunks"] == 2


@pytest.mark.xfail(reason="the tap's frame holds the last item until the next one comes")
def test_an_item_dies_with_its_reader(told: Watching) -> None:
    """And what its ``__del__`` raises shows at the same time."""
    log: list[str] = []

    class Item:
        def __del__(self) -> None:
            log.append("died")
            raise ValueError("in __del__")

    async def program(wrap: Wrap) -> Any:
        async def source() -> AsyncGenerator[Item, None]:
            yield Item()
            log.append("asked again")

        log.clear()
        async for item in wrap(source()):
            del item
            log.append("let go")
        return list(log)

    with _unraisable():
        alike(program)


@contextlib.contextmanager
def _unraisable() -> Any:
    before, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    yield
    sys.unraisablehook = before


@pytest.mark.parametrize("leaving", ["aclose", "break", "drop"])
def test_a_finally_that_awaits_runs_when_it_would_have_run(told: Watching, leaving: str) -> None:
    async def program(wrap: Wrap) -> Any:
        log: list[str] = []

        async def source() -> AsyncGenerator[int, None]:
            try:
                yield 1
            finally:
                log.append("begins")
                await asyncio.sleep(0)
                log.append("ends")

        stream = wrap(source())
        async for _ in stream:
            break
        if leaving == "aclose":
            await stream.aclose()
        elif leaving == "drop":
            del stream
        for turn in range(4):
            log.append(f"turn {turn}")
            await asyncio.sleep(0)
        return log

    alike(program)


def test_a_source_that_swallows_generator_exit_fails_alike_and_goes_on(told: Watching) -> None:
    async def program(wrap: Wrap) -> Any:
        async def source() -> AsyncGenerator[int, None]:
            for number in range(3):
                with contextlib.suppress(GeneratorExit):
                    yield number

        stream = wrap(source())
        seen: list[Any] = [await stream.__anext__()]
        try:
            await stream.aclose()
        except RuntimeError as error:
            seen += [error.args, error.__context__]
        return [*seen, await outcome(stream.__anext__()), await outcome(stream.__anext__())]

    alike(program)


def test_a_stream_that_is_never_read_is_never_started(told: Watching) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        traced(three())
        gc.collect()
    assert warned == []
    assert told.outcome(SPAN) == "never_started"
    assert told.points("streamtrace.started") == told.points("streamtrace.ended") == {"s": 1}


def test_a_dropped_stream_is_noticed_at_once(told: Watching) -> None:
    async def main() -> None:
        stream = traced(three())
        await stream.__anext__()
        assert len(autogen_streamtrace.open_streams()) == 1
        del stream
        assert autogen_streamtrace.open_streams() == []

    asyncio.run(main())
    assert told.outcome(SPAN) == "abandoned"


def test_a_stream_whose_loop_was_closed_is_abandoned(told: Watching) -> None:
    stream = traced(three())
    loop = asyncio.new_event_loop()
    loop.run_until_complete(stream.__anext__())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    assert told.outcome(SPAN) == "abandoned"
    assert autogen_streamtrace.open_streams() == []
