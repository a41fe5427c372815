"""uvicorn ends by raising its signal again, so that ``atexit`` never runs: what was told must leave before."""

import asyncio
import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from ..core.ledger import Ledger
from ..core.patcher import Patcher

_UNWINDING: Final = 1.0
"""Seconds that cancelled streams have to end."""


def apply(module: ModuleType, patcher: Patcher, ledger: Ledger) -> None:
    """Flushes when ``uvicorn.Server`` has shut down, and cancelled streams have ended."""

    def flushing(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def _serve(self: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return await original(self, *args, **kwargs)
            finally:
                await _unwound(ledger)
                await asyncio.to_thread(ledger.flush)

        return _serve

    patcher.attribute(module.Server, "_serve", flushing)


async def _unwound(ledger: Ledger) -> None:
    """Waits for the streams of this loop that are being cancelled."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _UNWINDING
    while ledger.busy(id(loop)) and loop.time() < deadline:  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0.01)
