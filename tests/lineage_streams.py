"""Streams that are only said to start and to end, for the tests of whose verdict counts."""

import asyncio
from typing import Any, Final

from autogen_streamtrace.core import causes, limits
from autogen_streamtrace.core import names as n
from autogen_streamtrace.core.case import Case
from autogen_streamtrace.core.causes import Cause
from autogen_streamtrace.core.endings import Verdict
from autogen_streamtrace.core.lineage import Lineage
from autogen_streamtrace.core.record import Ending, Opening, Record
from autogen_streamtrace.core.wire import Tail

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


class Streams:
    """A process's streams. Time passes by a second with each thing that happens."""

    def __init__(self, suspect: limits.Suspect = limits.no_suspicion) -> None:
        self.settled: list[Case] = []
        self.records: list[Record] = []
        self._kept: list[BaseException] = []
        """Exceptions are told apart by where they are in memory: none may go before the last was read."""
        self.lineage = Lineage(self.settled.append, suspect)
        self.now = 0.0

    def start(self, layer: n.Layer, parent: Record | None = None, name: str = "", **opening: Any) -> Record:
        record = Record(Opening(layer, name or f"the {layer}", **opening), parent, 1)
        if layer == n.HTTP:
            record.tail, record.timeouts = Tail(), {"read": 5.0}
        record.last = self.now
        self.records.append(record)
        self.lineage.started(record)
        self.now += 1
        return record

    def turn(self, parent: Record | None = None) -> tuple[Record, Record, Record]:
        """An agent, its model stream, the HTTP exchange below."""
        agent = self.start("agent", parent)
        model = self.start("model", agent)
        return agent, model, self.start("http", model)

    def ends(self, record: Record, how: Any, cause: BaseException | Cause | None = None, **more: Any) -> None:
        if isinstance(cause, BaseException):
            self._kept.append(cause)
            cause = causes.read(cause)
        elif cause is None and how == "closed":
            cause = causes.CLOSED
        chunks = record.parent.chunks if record.parent is not None else 0
        self.now += 1
        self.lineage.ended(case(record), Ending(how, self.now, cause=cause, parent_chunks=chunks, **more))

    def returns(self, *records: Record) -> None:
        for record in records:
            self.ends(record, "returned")

    def raises(self, cause: BaseException, *records: Record, **more: Any) -> None:
        for record in records:
            self.ends(record, "raised", cause, **more)

    def stops(self, record: Record, how: str) -> None:
        """Closes or cancels."""
        if how == "closed":
            self.closes(record)
        else:
            self.raises(asyncio.CancelledError(), record)

    def arrives(self, http: Record, part: bytes) -> None:
        """A part of a body."""
        assert http.tail is not None
        http.tail.feed(part)
        http.last = self.now

    def closes(self, *records: Record, **more: Any) -> None:
        for record in records:
            self.ends(record, "closed", **more)

    def leaves(self, server: Record, *, idle: bool = False, shutdown: bool = False, **more: Any) -> None:
        """The end user of a server layer's stream goes away."""
        self.now += 1
        ending = Ending("closed", self.now, cause=causes.CLOSED, gone=True, shutdown=shutdown, over=False, **more)
        self.lineage.left(case(server), ending, idle)


def case(record: Record) -> Case:
    assert record.case is not None
    return record.case


def told(record: Record) -> Verdict:
    verdict = case(record).verdict
    assert verdict is not None, f"the {record.layer} has no verdict yet"
    return verdict


def outcomes(*records: Record) -> list[str]:
    return [told(record).outcome for record in records]


def origins(*records: Record) -> list[str]:
    return [record.layer for record in records if told(record).origin and told(record).early]


def delivers(record: Record) -> None:
    record.chunks += 1
