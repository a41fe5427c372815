"""What is still to be done when this process ends: at ``atexit``, or as a child of ``multiprocessing`` ends."""

import atexit
import os
from collections.abc import Callable
from multiprocessing.util import Finalize, register_after_fork

from autogen_streamtrace.core.errors import contained


class ProcessEnd:
    """Calls ``end`` once, when the process ends in an orderly way, and once in each child that was forked meanwhile.

    A child of ``multiprocessing`` leaves ``atexit`` out, and calls what its own finalizers are.
    """

    def __init__(self, end: Callable[[], object]) -> None:
        self._end: Callable[[], object] | None = end
        self._ended_in = 0
        atexit.register(self.run)
        self._finalize = Finalize(None, self.run, exitpriority=0)
        register_after_fork(self, ProcessEnd._in_child)

    def run(self) -> None:
        """The process ends."""
        end = self._end
        if end is not None and self._ended_in != os.getpid():
            self._ended_in = os.getpid()
            with contained("ending with the process"):
                end()

    def cancel(self) -> None:
        """Nothing is to be done any more."""
        self._end = None
        atexit.unregister(self.run)
        self._finalize.cancel()

    def _in_child(self) -> None:
        if self._end is not None:
            self._finalize = Finalize(None, self.run, exitpriority=0)
