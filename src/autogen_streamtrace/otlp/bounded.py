"""Calls that may block for ever, with a deadline for whoever waits."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Set
from queue import SimpleQueue
from typing import Final

Call = Callable[[], object]

_LOOK: Final = 0.05
"""Seconds between two checks whether waiting is useless."""

logger = logging.getLogger(__name__)


class Helpers:
    """One daemon thread per name, for calls that may block.

    They start early: since Python 3.12 no thread can start while the interpreter ends, and the last flush is due then.
    """

    def __init__(self) -> None:
        self._queues: dict[str, SimpleQueue[tuple[Call, threading.Event]]] = {}

    def start(self, name: str) -> None:
        """Starts the thread of ``name`` where there is none.

        Raises:
            RuntimeError: no more threads can start.
        """
        if name not in self._queues:
            calls: SimpleQueue[tuple[Call, threading.Event]] = SimpleQueue()
            threading.Thread(target=_work, args=(calls,), name=f"autogen-streamtrace-{name}", daemon=True).start()
            self._queues[name] = calls

    def after_fork(self) -> None:
        """In a forked child: drops the parent's threads, which do not run here, and their work.

        The child starts its own at the first need: it may be about to execute another program.
        """
        self._queues = {}

    def run(
        self, calls: Mapping[str, Call], timeout: float, in_vain: Callable[[Set[str]], bool] = lambda late: False
    ) -> set[str]:
        """Makes each call on the thread of its name, at the same time.

        Returns the names of the calls that have not returned after ``timeout`` seconds, or that ``in_vain`` gives up
        before; these go on in the background. What a call raises is logged at DEBUG.
        """
        deadline = time.monotonic() + timeout
        done = {}
        for name, call in calls.items():
            done[name] = threading.Event()
            try:
                self.start(name)
            except RuntimeError:  # the interpreter ends, in a child that needed no thread so far
                _make(call, done[name])
            else:
                self._queues[name].put((call, done[name]))
        while late := {name for name, event in done.items() if not event.is_set()}:
            left = deadline - time.monotonic()
            if left <= 0 or in_vain(late):
                break
            done[min(late)].wait(min(left, _LOOK))
        return late


def _work(calls: SimpleQueue[tuple[Call, threading.Event]]) -> None:
    while True:
        _make(*calls.get())


def _make(call: Call, done: threading.Event) -> None:
    try:
        call()
    except Exception:
        logger.debug("a provider refused", exc_info=True)
    finally:
        done.set()
