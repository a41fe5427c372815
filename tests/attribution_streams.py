"""Streams that are only said to start and to end, for the tests of whose verdict counts."""

import asyncio
from typing import Any, Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence import causes
from autogen_streamtrace.core.evidence.body.wire import Tail
from autogen_streamtrace.core.evidence.causes import Cause
from autogen_streamtrace.core.stream.state import Ending, StreamInfo, StreamState
from autogen_streamtrace.core.verdict import limits
from autogen_streamtrace.core.verdict.attribution import Attribution
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.verdict.rules import Verdict

DONE: Final = b'data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
"""The end of a body that is whole."""
HALF: Final = b'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":null}]}\n\n'
"""A part of a body."""
SILENT: Final = {"length": "length", "content_filter": "filtered", "abort": "rejected"}
"""Finish reasons by which a reply ends early without an exception, and their outcomes."""


def error(name: str, **attributes: object) -> BaseException:
    """An exception of another package."""
    module, _, simple = name.rpartition(".")
    made: BaseException = type(simple, (Exception,), {"__module__": module, **attributes})()
    return made


def over(outer: BaseException, inner: BaseException, how: str = "__cause__") -> BaseException:
    setattr(outer, how, inner)
    return outer


def late() -> BaseException:
    return error("httpx.ReadTimeout")


def flattened(name: str) -> BaseException:
    return RuntimeError(f"{name}: said so\nTraceback:\nTraceback (most recent call last):\n  ...")


class Followed(StreamState):
    """One of which the judge's side stays known when it is settled."""

    __slots__ = ("node",)

    node: StreamNode


class Streams:
    """A process's streams. Time passes by a second with each thing that happens."""

    def __init__(self, suspect: limits.Suspect = limits.no_suspicion) -> None:
        self.settled: list[StreamNode] = []
        self.records: list[StreamState] = []
        self._kept: list[BaseException] = []
        """Exceptions are told apart by where they are in memory: none may go before the last was read."""
        self.attribution = Attribution(suspect)
        self.now = 0.0

    def start(self, layer: sc.Layer, parent: StreamState | None = None, name: str = "", **info: Any) -> StreamState:
        state = Followed(StreamInfo(layer, name or f"the {layer}", **info), parent, 1)
        if layer == sc.HTTP:
            state.tail, state.timeouts = Tail(), {"read": 5.0}
        state.last = self.now
        self.records.append(state)
        self.settled += self.attribution.started(state)
        state.node = self.attribution.nodes[state]
        self.now += 1
        return state

    def turn(self, parent: StreamState | None = None) -> tuple[StreamState, StreamState, StreamState]:
        """An agent, its model stream, the HTTP exchange below."""
        agent = self.start("agent", parent)
        model = self.start("model", agent)
        return agent, model, self.start("http", model)

    def ends(self, state: StreamState, how: Any, cause: BaseException | Cause | None = None, **more: Any) -> None:
        if isinstance(cause, BaseException):
            self._kept.append(cause)
            cause = causes.read(cause)
        elif cause is None and how == "closed":
            cause = causes.CLOSED
        chunks = state.parent.chunks if state.parent is not None else 0
        self.now += 1
        self.settled += self.attribution.ended(state, Ending(how, self.now, cause=cause, parent_chunks=chunks, **more))

    def returns(self, *records: StreamState) -> None:
        for state in records:
            self.ends(state, "returned")

    def raises(self, cause: BaseException, *records: StreamState, **more: Any) -> None:
        for state in records:
            self.ends(state, "raised", cause, **more)

    def stops(self, state: StreamState, how: str) -> None:
        """Closes or cancels."""
        if how == "closed":
            self.closes(state)
        else:
            self.raises(asyncio.CancelledError(), state)

    def arrives(self, http: StreamState, part: bytes) -> None:
        """A part of a body."""
        assert http.tail is not None
        http.tail.feed(part)
        http.last = self.now

    def closes(self, *records: StreamState, **more: Any) -> None:
        for state in records:
            self.ends(state, "closed", **more)

    def leaves(self, server: StreamState, *, idle: bool = False, shutdown: bool = False, **more: Any) -> None:
        """The end user of a server layer's stream goes away."""
        self.now += 1
        ending = Ending("closed", self.now, cause=causes.CLOSED, gone=True, shutdown=shutdown, finished=False, **more)
        self.settled += self.attribution.client_gone(server, ending, idle)

    def finishes(self, state: StreamState, at: float | None = None) -> None:
        """Really ends."""
        self.settled += self.attribution.finished(state, self.now if at is None else at)

    def ticks(self, seconds: float = 0.0) -> None:
        """Time passes, without any fact."""
        self.settled += self.attribution.tick(self.now + seconds)

    def loop_closes(self, ending: Ending, loop: int = 1) -> None:
        self.settled += self.attribution.stopped(loop, ending)

    def dies(self, at: float) -> None:
        """The interpreter ends."""
        self.settled += self.attribution.killed(at)


def node(state: StreamState) -> StreamNode:
    assert isinstance(state, Followed)
    return state.node


def told(state: StreamState) -> Verdict:
    verdict = node(state).verdict
    assert verdict is not None, f"the {state.layer} has no verdict yet"
    return verdict


def outcomes(*records: StreamState) -> list[str]:
    return [told(state).outcome for state in records]


def origins(*records: StreamState) -> list[str]:
    return [state.layer for state in records if told(state).origin and told(state).early]


def delivers(state: StreamState) -> None:
    state.chunks += 1
