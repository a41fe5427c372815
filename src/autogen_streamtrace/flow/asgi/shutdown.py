"""A server that shuts down: it stops streams, and it may end the process before the telemetry is out.

Also the server's timers: gunicorn kills a worker that shows no sign of life, or that does not end in time.

uvicorn imports the application when it already runs, so only what it calls later can be watched: ``Server.startup``
and ``Server.shutdown``. It ends by raising its signal again, so ``atexit`` never runs.
"""

import asyncio
import contextlib
import functools
import gc
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.stream.state import clock
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.core.watching.supervision import HEARTBEAT, Timer
from autogen_streamtrace.core.watching.supervision import process as supervision
from autogen_streamtrace.neighbours import servers

_UVICORN_GRACE: Final = "uvicorn.timeout_graceful_shutdown"
_GUNICORN_GRACE: Final = "gunicorn.graceful_timeout"
_UNWINDING: Final = 1.0
"""Seconds that cancelled streams have to finish."""
_LEAVING: Final = 5.0
"""Seconds that the telemetry has to leave."""
_CANCELLING: Final = 0.1
"""Seconds before garbage is collected."""


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches ``uvicorn.Server``, and flushes when it has shut down and cancelled streams have ended."""

    def starting(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def startup(self: Any, *args: Any, **kwargs: Any) -> Any:
            with contained("meeting a server"):
                tracker.loops.server_started(id(asyncio.get_running_loop()), lambda: self.should_exit)
                supervision.runs_under(self.config)
            return await original(self, *args, **kwargs)

        return startup

    def stopping(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def shutdown(self: Any, *args: Any, **kwargs: Any) -> Any:
            loop = id(asyncio.get_running_loop())
            with contained("meeting a server that shuts down"):
                seconds = self.config.timeout_graceful_shutdown
                _shuts_down(tracker, None if seconds is None else Timer(_UVICORN_GRACE, seconds, clock()))
            try:
                return await original(self, *args, **kwargs)
            finally:
                await _leave(tracker)
                if not servers.CAPTURED_SIGNALS.of(self, True):
                    tracker.loops.server_stopped(loop)  # without a signal the program goes on

        return shutdown

    patcher.attribute(module.Server, "startup", starting)
    patcher.attribute(module.Server, "shutdown", stopping)


def apply_gunicorn(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches gunicorn's own ASGI worker, which cancels what is open after ``_shutdown``."""

    def stopping(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def _shutdown(self: Any, *args: Any, **kwargs: Any) -> Any:
            with contained("meeting a server that shuts down"):
                _shuts_down(tracker, Timer(_GUNICORN_GRACE, self.cfg.graceful_timeout, clock()))
            return await original(self, *args, **kwargs)

        return _shutdown

    patcher.attribute(module.ASGIWorker, servers.SHUTDOWN.attribute, stopping)


def apply_worker(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches the signs of life of gunicorn's workers, of whatever class: gunicorn kills a worker without them."""

    def beating(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def notify(self: Any, *args: Any, **kwargs: Any) -> Any:
            with contained("meeting a worker"):
                supervision.begins(Timer(HEARTBEAT, self.cfg.timeout, clock()))
                supervision.runs_under(self.cfg)
            return original(self, *args, **kwargs)

        return notify

    patcher.attribute(module.Worker, "notify", beating)


def _shuts_down(tracker: StreamTracker, grace: Timer | None) -> None:
    """Notes that the server on this event loop shuts down; gunicorn's timer starts at the same moment."""
    tracker.loops.server_started(id(asyncio.get_running_loop()), _stopping, grace)
    for configuration in supervision.servers:
        seconds = getattr(configuration, "graceful_timeout", None)
        if isinstance(seconds, (int, float)):
            supervision.begins(Timer(_GUNICORN_GRACE, seconds, clock()))


def _stopping() -> bool:
    return True


async def _leave(tracker: StreamTracker) -> None:
    """Exports everything, on a thread of its own: all threads of the program's may be busy with tools."""
    with contained("leaving a server that has shut down"):
        await _unwound(tracker)
        loop = asyncio.get_running_loop()
        left = loop.create_future()

        def leave() -> None:
            tracker.leave(_LEAVING)
            with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits any more
                loop.call_soon_threadsafe(_done, left)

        threading.Thread(target=leave, name="autogen-streamtrace-leaving", daemon=True).start()
        await asyncio.wait({left}, timeout=_LEAVING + _UNWINDING)


def _done(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


async def _unwound(tracker: StreamTracker) -> None:
    """Waits for the streams of this loop that are being cancelled.

    A stream whose reader was cancelled while it held an item ends only in the garbage collection.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _UNWINDING
    collect = loop.time() + _CANCELLING
    while tracker.busy(id(loop)) and loop.time() < deadline:
        if loop.time() > collect:
            collect = deadline
            gc.collect()
        await asyncio.sleep(0.01)
