"""Writes to a file whose disk may be slow, without making an event loop wait for it again and again."""

import errno
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

SLOW: Final = 0.01
"""Seconds of a slow write."""
MOST: Final = 4096
"""Writes, at most, that wait for the thread."""
_WELL: Final = 50
"""Quick writes in a row after which the thread ends."""

Write = Callable[[bytes, int], int]
"""Writes at a place, and returns how many bytes; raises ``OSError``."""


class Writer:
    """Writes at once. After a slow first write, or two slow ones in a row, a thread writes in the same order.

    A lone one is slow where the processor was busy, and what waits for the thread is lost when the process is killed.

    Args:
        write: writes bytes at a place.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[tuple[bytes, int] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._error: OSError | None = None
        self._was_slow = True

    @property
    def slow(self) -> bool:
        """Whether the thread writes."""
        return self._thread is not None

    def write(self, data: bytes, at: int, *, again: bool = False) -> None:
        """Writes, or lets the thread write.

        Args:
            data: the bytes.
            at: their place in the file.
            again: the same place is written again soon, so this write is skipped where others wait.

        Raises:
            OSError: this write failed, or an earlier one of the thread's did.
        """
        if self._thread is None and self._error is None:
            began = time.perf_counter()
            self._write_all(data, at)
            slow = time.perf_counter() - began > SLOW
            if slow and self._was_slow:
                self._hand_over()
            self._was_slow = slow
            return
        with self._lock:
            error, self._error = self._error, None
            if error is not None:
                raise error
            if self._thread is not None:
                waiting = self._waiting.qsize()
                if waiting >= MOST:
                    raise OSError(errno.ENOBUFS, "the disk is too slow")
                if not (again and waiting):
                    self._waiting.put((data, at))
                return
        self._write_all(data, at)

    def end(self, timeout: float) -> bool:
        """Waits up to ``timeout`` seconds for the thread's writes; returns whether all of them are done."""
        thread = self._thread
        if thread is None:
            return True
        self._waiting.put(None)
        thread.join(timeout)
        return not thread.is_alive()

    def _hand_over(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="autogen-streamtrace-recorder", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter ends
                    return
                self._thread = thread

    def _write_all(self, data: bytes, at: int) -> None:
        if self._write(data, at) != len(data):
            raise OSError(errno.ENOSPC, "no space is left on the device")

    def _work(self) -> None:
        quick = 0
        while True:
            item = self._waiting.get()
            if item is None:
                return
            began = time.perf_counter()
            try:
                self._write_all(*item)
            except OSError as error:
                self._error = error
            quick = quick + 1 if time.perf_counter() - began <= SLOW else 0
            with self._lock:
                if quick >= _WELL and self._waiting.empty():
                    self._thread = None
                    return
