"""The event loops that read streams, and the servers that run on them."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final, NamedTuple

from autogen_streamtrace.core.evidence.deadlines import Deadline
from autogen_streamtrace.core.stream.state import clock
from autogen_streamtrace.core.watching.supervision import Timer

CHECK: Final = 1.0
"""Seconds between two searches for event loops that were closed unnoticed."""


def in_event_loop() -> bool:
    """Whether an event loop runs the calling code, so that it may not wait."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Loop(NamedTuple):
    """An event loop that reads streams."""

    loop: asyncio.AbstractEventLoop
    thread: int
    """Identity of the thread in which it runs."""


class Loops:
    """The event loops of one process, by their identity.

    Args:
        closed: called with a loop that was closed, and when, in seconds on ``clock``.
    """

    def __init__(self, closed: Callable[[int, float], None]) -> None:
        self._closed = closed
        self._known: dict[int, tuple[Loop, AsyncGenerator[None, None]]] = {}
        self._servers: dict[int, tuple[Callable[[], bool], Timer | None]] = {}
        self._inherited: list[object] = []

    def running(self) -> int:
        """The identity of the loop that runs the calling code; 0 where none does."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return 0
        known = self._known.get(id(loop))
        if known is None or known[0].loop is not loop:
            self._known[id(loop)] = (Loop(loop, threading.get_ident()), self._sentinel(id(loop)))
        return id(loop)

    def known(self) -> list[Loop]:
        """The loops that were not closed."""
        return [loop for loop, _ in list(self._known.values())]

    def drop(self, key: int) -> None:
        """Drops a loop that was closed and whose streams have ended."""
        self._known.pop(key, None)

    def check(self) -> None:
        """Finds loops that were closed unnoticed."""
        for key, (known, _) in list(self._known.items()):
            if known.loop.is_closed():
                self._closed(key, clock())

    def reset_after_fork(self) -> None:
        """After a fork: none of the parent's loops runs here."""
        self._inherited.append(self._known)  # if dropped, its generators would be closed by loops that never run here
        self._known = {}

    def server_started(self, loop: int, stopping: Callable[[], bool], grace: Timer | None = None) -> None:
        """A server runs on this event loop.

        Args:
            loop: the event loop.
            stopping: returns whether the server shuts down.
            grace: since when it does, and for how many seconds it lets its streams go on.
        """
        self._servers[loop] = stopping, grace

    def server_stopped(self, loop: int) -> None:
        """The server on this event loop has ended."""
        self._servers.pop(loop, None)

    def shutting_down(self, loop: int) -> bool:
        """Whether the server on this event loop shuts down."""
        server = self._servers.get(loop)
        return server is not None and server[0]()

    def grace(self, loop: int, at: float) -> Deadline | None:
        """The grace of the server that shuts down, where its time was up ``at`` this moment."""
        _, grace = self._servers.get(loop, (None, None))
        return grace.struck(at) if grace is not None else None

    def _sentinel(self, loop: int) -> AsyncGenerator[None, None]:
        """An asynchronous generator that the event loop closes when it shuts down, as it closes all others."""

        async def wait() -> AsyncGenerator[None, None]:
            try:
                yield
            finally:
                self._closed(loop, clock())

        sentinel = wait()
        with contextlib.suppress(StopIteration):
            sentinel.asend(None).send(None)
        return sentinel


def prime(generator: AsyncGenerator[Any, Any]) -> None:
    """Advances a native asynchronous generator to its first ``yield``, outside the event loop's hooks.

    A primed generator learns at once that it was dropped, and not from a task of the loop's.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        generator.asend(None).send(None)
    except StopIteration:
        pass
    finally:
        sys.set_asyncgen_hooks(*hooks)
