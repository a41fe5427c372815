"""Commands that run until a signal ends them."""

import signal
from queue import Empty, SimpleQueue
from typing import Any


class Stop:
    """SIGTERM and SIGINT (Ctrl-C) are heard from now on, and interrupt nothing.

    A handler may interrupt the main thread anywhere: an exception of the handler would break the interrupted code, and
    setting an ``Event`` would deadlock where the thread has just begun to wait for that event.
    """

    def __init__(self) -> None:
        self._told: SimpleQueue[Any] = SimpleQueue()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda number, _: self._told.put(number))

    def within(self, seconds: float) -> bool:
        """Waits for so many seconds; true as soon as this process gets a signal to end."""
        try:
            self._told.get(timeout=seconds)
        except Empty:
            return False
        return True
