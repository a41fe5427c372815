"""Which open streams are stalled, and when that is to be told: a pure look at the records, without a clock."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from autogen_streamtrace.core.stream.facts import Stall
from autogen_streamtrace.core.verdict.node import StreamNode, doing

MOST: Final = 100
"""Silences that one look tells; the others are left to the next one, so that it never takes long."""
_WARNING: Final = 0.5
"""Share of the patience after which a silent stream's event loop is asked whether it still runs."""


class Look(NamedTuple):
    """What a look at the open streams found."""

    stalled: list[tuple[StreamNode, Stall]]
    next: float
    """Seconds on the records' clock: nothing changes before then unless an item arrives or a stream starts."""


class Stalls:
    """The silences of a process's streams: each is told after ``after`` seconds, and whenever it has doubled."""

    def __init__(self, after: float) -> None:
        self.after: Final = after
        self._told: dict[StreamNode, tuple[float, float]] = {}
        """Of each stalled stream: since when, and the silence at which it is told next."""

    def stalled(self, node: StreamNode, now: float) -> bool:
        """Its items have stopped for too long. One that has ended for its reader is open, but never stalled."""
        return not node.state.closed and now - node.state.last >= self.after

    def look(self, nodes: Iterable[StreamNode], now: float) -> Look:
        """What is to be told at ``now``, in seconds on the records' clock."""
        found: list[tuple[StreamNode, Stall]] = []
        told: dict[StreamNode, tuple[float, float]] = {}
        soonest, early = now + self.after * _WARNING, self.after * _WARNING
        for node in nodes:
            state = node.state
            last = state.last
            silence = now - last
            if silence < early or state.closed:
                continue
            since, due = self._told.get(node, (last, self.after))
            if since != last:
                due = self.after
            if silence >= due and len(found) < MOST:
                found.append((node, Stall(silence, *doing(node), first=due == self.after)))
                while due <= silence:
                    due *= 2
            if due > self.after:
                told[node] = last, due
            soonest = min(soonest, last + due)
        self._told = told
        return Look(found, soonest)

    def held_up(self, nodes: Iterable[StreamNode], since: float, now: float) -> list[tuple[StreamNode, Stall]]:
        """Streams that were silent while nothing in this process could run, from ``since``, and go on already."""
        found = []
        for node in nodes:
            state = node.state
            if state.start < since < state.last and state.longest_gap >= self.after and node not in self._told:
                found.append((node, Stall(state.longest_gap, *doing(node), loop_blocked=True)))
        return found
