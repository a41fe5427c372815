"""Commands that stay until they are told to end."""

import signal
from queue import Empty, SimpleQueue
from typing import Any


class Stop:
    """SIGTERM and SIGINT (Ctrl-C) are heard from now on, and interrupt nothing.

    A handler may run in the middle of whatever the main thread does: an exception of its own would tear that, and an
    ``Event`` that is set there waits for ever where the thread has just begun to wait for it.
    """

    def __init__(self) -> None:
        self._told: SimpleQueue[Any] = SimpleQueue()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda number, _: self._told.put(number))

    def within(self, seconds: float) -> bool:
        """Waits for so long; true as soon as this process is told to end."""
        try:
            self._told.get(timeout=seconds)
        except Empty:
            return False
        return True
