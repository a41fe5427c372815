"""The way into the store: requests wait in a bounded queue, and one thread writes them, many at once."""

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from autogen_streamtrace.commands.store.keeping import Bounds, Keeper
from autogen_streamtrace.commands.store.writing import Batch, Writer
from autogen_streamtrace.commands.ui.receiving.requests import ExportRequest, RequestError

WAITING: Final = 24 * 2**20
"""Bytes of requests that wait, at most."""
_AT_ONCE: Final = 4 * 2**20
"""Bytes of requests that are written in one transaction."""
_KEEPING: Final = 10.0
"""Seconds between two looks at the store's size and age."""

logger = logging.getLogger(__name__)


class BusyError(Exception):
    """Too much waits to be written: to be sent again later."""


class StoreFaultError(Exception):
    """The store took nothing of it, such as for want of disk: to be sent again later."""


Work = Callable[[], Batch]


class Inlet:
    """Takes what is to be written, and writes it in a thread of its own.

    Args:
        file: the store's file.
        bounds: its size and age.
    """

    def __init__(self, file: Path, bounds: Bounds) -> None:
        self._file = file
        self._bounds = bounds
        self._changed = threading.Condition()
        self._queue: deque[tuple[Work, int, Future[int]]] = deque()
        self._waiting = 0
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self.written = 0
        """Spans and records so far."""
        self.refused = 0
        """Requests that could not be used, so far."""
        self.generation = 0
        """Grows with each change of the store."""
        self.trouble = ""
        """Why nothing can be written now; empty where it can."""
        self._writer = Writer(file)

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    def close(self, timeout: float = 10.0) -> None:
        """Writes what waits, and ends."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread.ident is None:
            self._writer.close()
        else:
            self._thread.join(timeout)

    def take(self, request: ExportRequest) -> "Future[int]":
        """Queues a request. The result is how many of its spans and records could not be used, once it is stored.

        Raises:
            BusyError: too much waits.
        """
        return self.put(request.batch, len(request.data))

    def put(self, work: Work, size: int) -> "Future[int]":
        """The same for what ``work`` gives.

        Raises:
            BusyError: too much waits.
        """
        future: Future[int] = Future()
        with self._changed:
            if self._ended or (self._waiting and self._waiting + size > WAITING):
                raise BusyError("too much waits to be written; send it again later")
            self._waiting += size
            self._queue.append((work, size, future))
            self._changed.notify()
        return future

    def _run(self) -> None:
        keeper = Keeper(self._writer.connection, self._bounds, self._writer.forget)
        look_at = time.monotonic()
        while True:
            with self._changed:
                while not self._queue and not self._ended and time.monotonic() < look_at:
                    self._changed.wait(look_at - time.monotonic())
                taken = self._next()
                if not taken and self._ended:
                    break
            if taken:
                self._write(taken)
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + _KEEPING
                self._keep(keeper)
        self._writer.close()

    def _next(self) -> list[tuple[Work, int, "Future[int]"]]:
        taken: list[tuple[Work, int, Future[int]]] = []
        size = 0
        while self._queue and (not taken or size + self._queue[0][1] <= _AT_ONCE):
            taken.append(self._queue.popleft())
            size += taken[-1][1]
        return taken

    def _write(self, taken: list[tuple[Work, int, "Future[int]"]]) -> None:
        batches: list[tuple[Batch, Future[int]]] = []
        for work, _, future in taken:
            try:
                batches.append((work(), future))
            except RequestError as error:
                self.refused += 1
                future.set_exception(error)
            except Exception as error:
                logger.exception("A request could not be read.")
                future.set_exception(RequestError(f"it cannot be read: {type(error).__name__}"))
        self._store(batches)
        with self._changed:
            self._waiting -= sum(size for _, size, _ in taken)

    def _store(self, batches: list[tuple[Batch, "Future[int]"]]) -> None:
        """Writes all at once; where that fails, each alone, so that one does not cost the others."""
        if not any(batch.items for batch, _ in batches):
            for _, future in batches:
                future.set_result(0)
            return
        try:
            refused = self._writer.write([batch for batch, _ in batches])
        except Exception as error:
            if len(batches) > 1:
                for each in batches:
                    self._store([each])
                return
            batches[0][1].set_exception(self._fault(error))
            return
        self.trouble = ""
        self.written += sum(batch.items for batch, _ in batches) - refused
        self.generation += 1
        for at, (_, future) in enumerate(batches):
            future.set_result(0 if at else refused)

    def _fault(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error):
            logger.exception("A request could not be written.")
            return RequestError(f"it cannot be written: {type(error).__name__}: {error}")
        self.trouble = f"The store {self._file} cannot be written: {error}. {_remedy(error)}"
        return StoreFaultError(self.trouble)

    def _keep(self, keeper: Keeper) -> None:
        try:
            self.generation += keeper.keep(lambda: bool(self._queue))
        except Exception as error:  # what comes must still be written
            logger.warning("The store %s could not be kept within its bounds: %s.", self._file, error)


def _remedy(error: sqlite3.Error) -> str:
    if isinstance(error, sqlite3.OperationalError):
        return (
            "What was stored is safe; programs send the rest again for about a minute. Make room on its disk, or "
            "restart with --store on another."
        )
    return "It is damaged: end this command, move the file away, and start it again; a new one begins."
