"""A server that shuts down: who stopped its streams, and that what was told leaves before the process does.

uvicorn imports the application when it already runs, so only what it calls later can be watched: ``Server.startup``
and ``Server.shutdown``. It ends by raising its signal again, so that ``atexit`` never runs.
"""

import asyncio
import functools
import gc
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from ..core.contain import contained
from ..core.ledger import Ledger
from ..core.patcher import Patcher

_UNWINDING: Final = 1.0
"""Seconds that cancelled streams have to end."""
_CANCELLING: Final = 0.1
"""Seconds of it before the garbage is collected."""


def apply(module: ModuleType, patcher: Patcher, ledger: Ledger) -> None:
    """Watches ``uvicorn.Server``, and flushes when it has shut down and cancelled streams have ended."""

    def starting(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def startup(self: Any, *args: Any, **kwargs: Any) -> Any:
            with contained("meeting a server"):
                ledger.serves(id(asyncio.get_running_loop()), lambda: self.should_exit)
            return await original(self, *args, **kwargs)

        return startup

    def stopping(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def shutdown(self: Any, *args: Any, **kwargs: Any) -> Any:
            loop = id(asyncio.get_running_loop())
            ledger.serves(loop, _stopping)
            try:
                return await original(self, *args, **kwargs)
            finally:
                await _unwound(ledger)
                await asyncio.to_thread(ledger.flush)
                if not getattr(self, "_captured_signals", True):
                    ledger.served(loop)  # no signal: the program goes on

        return shutdown

    patcher.attribute(module.Server, "startup", starting)
    patcher.attribute(module.Server, "shutdown", stopping)


def apply_gunicorn(module: ModuleType, patcher: Patcher, ledger: Ledger) -> None:
    """Watches gunicorn's own ASGI worker, which cancels what is open after ``_shutdown``."""

    def stopping(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def _shutdown(self: Any, *args: Any, **kwargs: Any) -> Any:
            ledger.serves(id(asyncio.get_running_loop()), _stopping)
            return await original(self, *args, **kwargs)

        return _shutdown

    patcher.attribute(module.ASGIWorker, "_shutdown", stopping)


def _stopping() -> bool:
    return True


async def _unwound(ledger: Ledger) -> None:
    """Waits for the streams of this loop that are being cancelled.

    A stream whose reader was cancelled while it held an item ends in the garbage collection, for which nobody waits
    any more.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _UNWINDING
    collect = loop.time() + _CANCELLING
    while ledger.busy(id(loop)) and loop.time() < deadline:
        if loop.time() > collect:
            collect = deadline
            gc.collect()
        await asyncio.sleep(0.01)
