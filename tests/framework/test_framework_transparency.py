"""The program sees of a ``ResponseStream`` exactly what it would have seen without us."""

import asyncio
import contextlib
import copy
import gc
import inspect
import pickle
import warnings
from collections.abc import AsyncGenerator, Iterator
from typing import Any
from unittest import mock

import agent_framework
import pytest
from agent_framework import BaseAgent, ResponseStream
from harness import Stream, Watch, instrumented
from hypothesis import given, settings
from hypothesis import strategies as st
from programs.scripts import RAISED, Move, Op, Source, play
from programs.watching import watching

import autogen_streamtrace
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core import tap
from autogen_streamtrace.core.stream.state import StreamInfo
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.flow.agent_framework.response_stream import watch

CAUGHT = st.sampled_from(["pass", "pass", "pass", "swallow", "replace", "wrap"])
ITEMS = st.sampled_from([None, 0, "word", ("a", 1)])
OPS = st.one_of(
    *[st.builds(Op, st.just("yield"), ITEMS, CAUGHT)] * 4,
    st.builds(Op, st.sampled_from(["pause", "work"]), caught=CAUGHT),
    st.builds(Op, st.just("raise"), st.sampled_from(sorted(RAISED)), CAUGHT),
)
SOURCES = st.builds(
    Source, st.lists(OPS, max_size=6).map(tuple), st.integers(0, 2), st.sampled_from(["", "", "", "mishap"])
)
TURNS = st.integers(0, 4)
MOVES = st.one_of(
    *[st.just(Move("anext"))] * 6,
    st.builds(Move, st.sampled_from(["cancel", "wait_for", "leave"]), TURNS),
    *(st.just(Move(kind)) for kind in ("aclose", "drop", "pause", "elsewhere", "close_elsewhere", "both", "final")),
)


async def aclose(stream: Any) -> None:
    """The generators' name for a stream's close."""
    await stream.close()


class Own(ResponseStream[Any, Any]):
    """A class of streams of the program's own."""


def bare(source: AsyncGenerator[Any, Any]) -> Any:
    return ResponseStream(source, finalizer=list)


def own(source: AsyncGenerator[Any, Any]) -> Any:
    return Own(source, finalizer=list)


def held_back(source: AsyncGenerator[Any, Any]) -> Any:
    return ResponseStream(source, finalizer=list, stream_updates=False)


def wrapped(source: AsyncGenerator[Any, Any]) -> Any:
    async def resolve() -> Any:
        return bare(source)

    return ResponseStream.from_awaitable(resolve())


@contextlib.contextmanager
def tracking() -> Iterator[StreamTracker]:
    gc.collect()
    gc.freeze()  # each example collects
    with watching() as told:
        yield told.tracker
    gc.unfreeze()


def test_a_watched_stream_is_noticed_as_the_bare_one() -> None:
    with tracking() as tracker, mock.patch.object(ResponseStream, "aclose", aclose, create=True):

        @settings(max_examples=150)
        @given(
            source=SOURCES,
            moves=st.lists(MOVES, max_size=8).map(tuple),
            make=st.sampled_from([bare, own, held_back, wrapped]),
        )
        def noticed(source: Source, moves: tuple[Move, ...], make: Any) -> None:
            def watched(generator: AsyncGenerator[Any, Any]) -> Any:
                stream = make(generator)
                watch(stream, tap.Reading(tracker, StreamInfo(sc.AGENT, "scripted")))
                return stream

            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # a coroutine that nobody awaits, both ways
                assert play(source, moves, watched) == play(source, moves, make)

        noticed()


class Clerk(BaseAgent):
    """An agent of the program's own, in the shape that it likes."""

    def run(self, messages: Any = None, *, stream: bool = False, **kwargs: Any) -> Any:
        async def updates() -> Any:
            yield agent_framework.AgentResponseUpdate(contents=[agent_framework.Content.from_text("approved")])

        async def response() -> Any:
            return agent_framework.AgentResponse(messages=[])

        if messages == "refuse":
            raise ValueError(messages)
        if messages == "generator":
            return updates()
        if messages == "future":
            return asyncio.ensure_future(response())
        if stream:
            return ResponseStream(updates(), finalizer=agent_framework.AgentResponse.from_updates)
        return response()


class AsyncClerk(BaseAgent):
    async def run(self, messages: Any = None, *, stream: bool = False, **kwargs: Any) -> Any:
        return agent_framework.AgentResponse(messages=[])


def told(applied: Watch) -> list[Stream]:
    autogen_streamtrace.flush()
    return applied.seen().streams


def test_a_stream_stays_the_object_that_it_is() -> None:
    made: list[Any] = []

    class Own(Clerk):
        def run(self, messages: Any = None, **kwargs: Any) -> Any:
            made.append(super().run(messages, **kwargs))
            return made[-1]

    async def body() -> None:
        stream = Own(name="clerk").run("x", stream=True)
        assert stream is made[0]
        assert isinstance(stream, ResponseStream)
        assert (type(stream).__name__, type(stream).__module__) == ("ResponseStream", "agent_framework._types")
        assert stream.with_cleanup_hook(lambda: made.append("cleaned")) is stream
        assert [update.text async for update in stream] == ["approved"]
        assert made[1:] == ["cleaned"]
        assert len(stream.updates) == 1

    with instrumented() as applied:
        asyncio.run(body())
        assert [(s.layer, s["outcome"]) for s in told(applied)] == [("agent", "completed")]


def test_an_agent_of_the_programs_own_returns_what_it_likes() -> None:
    async def body() -> None:
        clerk = Clerk(name="clerk")
        assert [update.text async for update in clerk.run("generator", stream=True)] == ["approved"]
        future = clerk.run("future")
        assert isinstance(future, asyncio.Future)
        assert (await future).messages == []
        with pytest.raises(ValueError, match="refuse"):
            clerk.run("refuse")  # at once, as without us
        assert inspect.iscoroutinefunction(AsyncClerk.run)
        assert not inspect.iscoroutinefunction(Clerk.run)
        coroutine = clerk.run()
        assert inspect.iscoroutine(coroutine)
        assert asyncio.iscoroutine(coroutine)
        await asyncio.create_task(coroutine)
        await AsyncClerk(name="clerk").run("x")

    with instrumented() as applied:
        asyncio.run(body())
        assert [s["outcome"] for s in told(applied)] == ["completed"] * 4


def test_a_coroutine_that_nobody_awaits_is_warned_of_once_and_by_its_own_name() -> None:
    with instrumented(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        coroutine = Clerk(name="clerk").run()
        del coroutine
        gc.collect()
    assert [str(each.message) for each in caught] == ["coroutine 'Clerk.run.<locals>.response' was never awaited"]


def test_a_stream_has_the_methods_that_its_class_has_when_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hooked() -> Any:
        stream = Clerk(name="clerk").run("x", stream=True)
        hooked = stream.with_cleanup_hook(lambda: None)
        return "its own" if [update async for update in stream] and hooked is stream else hooked

    with instrumented():
        assert asyncio.run(hooked()) == "its own"
        monkeypatch.setattr(ResponseStream, "with_cleanup_hook", lambda *args: "the program's")
        assert asyncio.run(hooked()) == "the program's"
        monkeypatch.undo()
        assert asyncio.run(hooked()) == "its own"


def test_an_open_stream_ends_under_the_watch_that_is_taken_away() -> None:
    async def body() -> Any:
        with instrumented() as applied:
            stream = Clerk(name="clerk").run("x", stream=True)
            await stream.__anext__()
        assert [update async for update in stream] == []
        return applied

    applied = asyncio.run(body())
    assert [s["outcome"] for s in told(applied)] == ["completed"]


def test_every_original_comes_back() -> None:
    classes: list[Any] = [agent_framework.Agent, agent_framework.Workflow, agent_framework.FunctionTool, Clerk]
    before = [(cls, dict(vars(cls))) for cls in classes]
    with instrumented():
        assert all(dict(vars(cls)) != had for cls, had in before)
    assert [(cls, dict(vars(cls))) for cls in classes] == before


def test_an_agent_can_still_be_copied() -> None:
    with instrumented():
        assert copy.copy(Clerk(name="clerk")).name == "clerk"
        assert pickle.loads(pickle.dumps(agent_framework.Message(role="user", contents=["x"]))).text == "x"
