"""What is open now: looked at twice a second, as long as somebody watches."""

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from autogen_streamtrace.commands.store.reading import Readers
from autogen_streamtrace.commands.ui import machine
from autogen_streamtrace.commands.ui.machine import Program
from autogen_streamtrace.commands.ui.views.filters import Filters
from autogen_streamtrace.commands.ui.views.now import now
from autogen_streamtrace.recorder import directory

Document = dict[str, Any]

EVERY: Final = 0.5
"""Seconds between two looks at the recorders."""
_FRESH: Final = 0.3
"""Seconds for which a look is good."""
_KEPT: Final = 16
"""Choices of which the view is kept."""
_WATCHERS: Final = 32
"""Live connections, at most."""

logger = logging.getLogger(__name__)


class Changes:
    """Wakes one live connection."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Something may have changed."""
        self._event.set()

    async def wait(self, timeout: float) -> bool:
        """Waits until something may have changed; false where nothing did for so many seconds."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout)
        except asyncio.TimeoutError:
            return False
        self._event.clear()
        return True


class Live:
    """Keeps what the recorders show.

    Args:
        readers: of the store.
        chosen: the setting ``recorder_dir``.
        trouble: why nothing can be stored now; empty where it can.
        worst: the first finding that is known of these turns.
    """

    def __init__(
        self,
        readers: Readers,
        chosen: directory.Chosen,
        trouble: Callable[[], str],
        worst: Callable[[Filters], Document | None],
    ) -> None:
        self._readers = readers
        self._chosen = chosen
        self._trouble = trouble
        self._worst = worst
        self._watchers: set[Changes] = set()
        self._lock = threading.Lock()
        self._programs: list[Program] = []
        self._looked = 0.0
        self.ended = False
        """The live connections are to end."""
        self._known: OrderedDict[str, tuple[float, Document]] = OrderedDict()

    def programs(self) -> list[Program]:
        """The processes of this machine, as they were a moment ago."""
        with self._lock:
            if time.monotonic() - self._looked > _FRESH:
                self._programs = machine.programs(self._chosen)
                self._looked = time.monotonic()
            return self._programs

    def now(self, filters: Filters) -> Document:
        """The view *Now*, the same one for all who ask for it at about the same time."""
        key = filters.key
        with self._lock:
            known = self._known.get(key)
        if known is None or time.monotonic() - known[0] > _FRESH:
            with self._readers.one() as reader:
                known = (time.monotonic(), now(reader, self.programs(), filters))
            with self._lock:
                self._known[key] = known
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
        trouble = self._trouble()
        return {**known[1], "worst": self._worst(filters), "trouble": [trouble] if trouble else []}

    def close(self) -> None:
        """Ends the live connections."""
        self.ended = True
        for each in self._watchers:
            each.tell()

    @property
    def full(self) -> bool:
        """Whether there are as many live connections as there may be."""
        return len(self._watchers) >= _WATCHERS

    @contextmanager
    def watched(self) -> Iterator[Changes]:
        """Somebody watches; what is yielded tells of changes."""
        changes = Changes()
        self._watchers.add(changes)
        try:
            yield changes
        finally:
            self._watchers.discard(changes)

    async def run(self) -> None:
        """Tells the watchers to look again, until it is cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            for each in list(self._watchers):
                each.tell()
