"""CPU time on a machine that others use too.

The same work takes up to twice the CPU time while another process runs on the same core, since the two share its
caches and its execution units. So a fixed piece of work, the gauge, runs every few milliseconds between what is
measured, and costs are counted in it: both are slowed down alike. Counted so, a turn's cost varies by 6 % where its
plain CPU time varies by 25 %. ``Gauge.quiet`` is what the gauge takes while nobody disturbs.
"""

import gc
import inspect
import json.decoder
import statistics
import textwrap
import time
from typing import NamedTuple

WORK = textwrap.dedent(inspect.getsource(json.decoder.JSONDecoder))
"""Compiled by the gauge, as CPython has code and data of a size that a program's turn has, too."""


class Mark(NamedTuple):
    """A moment: seconds of CPU of the process, of this thread and of the gauge, and how often this ran."""

    process: float
    thread: float
    gauge: float
    runs: int


class Gauge:
    """Runs on one thread, beside what is measured there. Its own time is in no cost."""

    def __init__(self) -> None:
        self._spent, self._runs = 0.0, 0
        self._speeds: list[float] = []

    def run(self) -> None:
        """The fixed piece of work."""
        gc.disable()  # whether it falls in here would be chance
        started = time.thread_time()
        compile(WORK, "gauge", "exec")
        gc.enable()
        self._spent += time.thread_time() - started
        self._runs += 1

    def mark(self) -> Mark:
        return Mark(time.process_time() - self._spent, time.thread_time() - self._spent, self._spent, self._runs)

    def costs(self, since: Mark, until: Mark, count: int) -> tuple[float, float]:
        """The cost of each of ``count`` things, counted in gauges: of the process, and of this thread."""
        unit = (until.gauge - since.gauge) / (until.runs - since.runs)
        self._speeds.append(unit)
        return (until.process - since.process) / count / unit, (until.thread - since.thread) / count / unit

    @property
    def quiet(self) -> float:
        """Seconds that one run takes at the machine's own speed."""
        return statistics.quantiles(self._speeds, n=10)[0]
