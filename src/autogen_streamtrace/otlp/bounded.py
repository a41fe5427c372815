"""Calls that may block for ever, waited for only so long."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Generic, TypeVar

Call = Callable[[], object]
NameT = TypeVar("NameT", bound=str)

_logger = logging.getLogger(__name__)


class Helpers(Generic[NameT]):
    """One daemon thread per name, for calls that may block.

    They are started early: a thread that is started while the interpreter ends is refused since Python 3.12, and just
    then the last flush is due.
    """

    def __init__(self) -> None:
        self._queues: dict[NameT, SimpleQueue[tuple[Call, threading.Event]]] = {}

    def start(self, name: NameT) -> None:
        """Starts the thread of ``name`` where there is none."""
        if name not in self._queues:
            self._queues[name] = SimpleQueue()
            threading.Thread(
                target=_work, args=(self._queues[name],), name=f"autogen_streamtrace-{name}", daemon=True
            ).start()

    def after_fork(self) -> None:
        """In the child: the parent's threads are not here, and what they were to do is not this process's."""
        names, self._queues = list(self._queues), {}
        for name in names:
            self.start(name)

    def run(self, calls: Mapping[NameT, Call], timeout: float) -> set[NameT]:
        """Makes each call on the thread of its name, at the same time.

        Returns the names whose calls have not returned after ``timeout`` seconds; these go on by themselves. What a
        call raises is logged at DEBUG.
        """
        deadline = time.monotonic() + timeout
        done = {}
        for name, call in calls.items():
            self.start(name)
            done[name] = threading.Event()
            self._queues[name].put((call, done[name]))
        return {name for name, event in done.items() if not event.wait(max(0.0, deadline - time.monotonic()))}


def _work(calls: SimpleQueue[tuple[Call, threading.Event]]) -> None:
    while True:
        call, done = calls.get()
        try:
            call()
        except Exception:
            _logger.debug("a provider refused", exc_info=True)
        finally:
            done.set()
