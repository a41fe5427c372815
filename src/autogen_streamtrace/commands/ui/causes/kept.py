"""The findings of `diagnose` for a choice of turns, found in a process of their own and kept fresh."""

import asyncio
import logging
import multiprocessing
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from autogen_streamtrace.commands.ui.causes import finding
from autogen_streamtrace.commands.ui.views.filters import Filters

Document = dict[str, Any]

logger = logging.getLogger(__name__)

_KEPT: Final = 32
"""Choices whose findings are kept."""
_PATIENCE: Final = 0.2
"""Seconds that a first answer waits for."""
_REST: Final = 4.0
"""How much longer than it took to find them findings stay before they are looked for again."""
_LEAST: Final = 0.5
"""Seconds, at the least."""


@dataclass
class _Known:
    document: Document
    generation: int
    at: float
    took: float


class Causes:
    """Keeps findings fresh.

    Args:
        file: the store's file.
        limits: files of the user's own limits.
        generation: grows with each change of the store.
    """

    def __init__(self, file: Path, limits: tuple[Path, ...], generation: Callable[[], int]) -> None:
        self._file = file
        self._limits = limits
        self._generation = generation
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._pool: ProcessPoolExecutor | None = None

    async def of(self, filters: Filters) -> Document:
        """The findings as they are known, and whether they are of the newest state."""
        looking = self.refresh(filters)
        if looking is not None and filters.key not in self._known:
            await asyncio.wait([looking], timeout=_PATIENCE)
        known = self._known.get(filters.key)
        if known is None:
            return {**_NOTHING, "fresh": False, "again_in": 0.5}
        self._known.move_to_end(filters.key)
        fresh = known.generation == self._generation()
        wait = None if fresh else max(_LEAST, known.at + _REST * known.took - time.monotonic())
        return {**known.document, "fresh": fresh, "again_in": wait}

    def refresh(self, filters: Filters) -> "asyncio.Task[None] | None":
        """Looks for the findings where the store has changed and it is time; none where that is not needed."""
        known = self._known.get(filters.key)
        if known is not None and (known.generation == self._generation() or not self._due(known)):
            return None
        return self._look(filters)

    def known(self, filters: Filters) -> Document:
        """The findings that are known, without looking for newer ones."""
        known = self._known.get(filters.key)
        return known.document if known is not None else _NOTHING

    def worst(self, filters: Filters) -> Document | None:
        """The first finding that is known; none where nothing is."""
        return next(iter(self.known(filters)["findings"]), None)

    def with_trace(self, trace: str) -> list[Document]:
        """The known findings among whose examples a turn is."""
        found: dict[str, Document] = {}
        for known in self._known.values():
            found.update({each["id"]: each for each in known.document["findings"] if trace in each["traces"]})
        return list(found.values())

    def close(self) -> None:
        """Ends the process."""
        for looking in self._looking.values():
            looking.cancel()
        if self._pool is not None:
            processes = list((self._pool._processes or {}).values())
            self._pool.shutdown(wait=False, cancel_futures=True)
            for each in processes:
                each.terminate()

    def _due(self, known: _Known) -> bool:
        return time.monotonic() - known.at >= max(_LEAST, _REST * known.took)

    def _look(self, filters: Filters) -> "asyncio.Task[None]":
        looking = self._looking.get(filters.key)
        if looking is None:
            looking = self._looking[filters.key] = asyncio.ensure_future(self._find(filters))
            looking.add_done_callback(lambda _: self._looking.pop(filters.key, None))
        return looking

    async def _find(self, filters: Filters) -> None:
        generation, began = self._generation(), time.monotonic()
        if self._pool is None:
            # A forked child would inherit the locks of this process's threads.
            self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), finding.prepare)
        loop = asyncio.get_running_loop()
        try:
            document = await loop.run_in_executor(self._pool, finding.find, self._file, self._limits, filters)
        except BrokenProcessPool:
            logger.warning("The process that finds the causes has died; another one is started.")
            self._pool = None
            return
        except sqlite3.Error as error:
            logger.warning("The causes cannot be found, since the store cannot be read: %s.", error)
            return
        self._known[filters.key] = _Known(document, generation, time.monotonic(), time.monotonic() - began)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)


_NOTHING: Final[Document] = {"as_of": None, "looked_at": None, "summary": "", "services": [], "findings": []}
