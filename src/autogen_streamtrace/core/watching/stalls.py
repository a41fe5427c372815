"""Which open streams are stalled, and when to report it. It reads the streams' states and takes the time as given."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from autogen_streamtrace.core.stream.facts import Stall
from autogen_streamtrace.core.verdict.node import StreamNode, doing

MOST: Final = 100
"""Silences that one look reports, so that it never takes long; the next look reports the others."""
_WARNING: Final = 0.5
"""Share of ``after`` after which a silent stream's event loop is asked whether it still runs."""


class Look(NamedTuple):
    """The result of a look at the open streams."""

    stalled: list[tuple[StreamNode, Stall]]
    next: float
    """Seconds on ``clock``: nothing changes before then unless an item arrives or a stream starts."""


class Stalls:
    """The silences of a process's streams. Each is reported after ``after`` seconds, and whenever it has doubled."""

    def __init__(self, after: float) -> None:
        self.after: Final = after
        self._told: dict[StreamNode, tuple[float, float]] = {}
        """For each stalled stream: since when it is silent, and the silence at which it is reported next."""

    def stalled(self, node: StreamNode, now: float) -> bool:
        """Whether its items have stopped for too long. A stream that has ended for its reader is never stalled."""
        return not node.state.closed and now - node.state.last >= self.after

    def look(self, nodes: Iterable[StreamNode], now: float) -> Look:
        """What to report at ``now``, in seconds on ``clock``."""
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
        """Streams that were silent while nothing in this process could run, since ``since``, and that go on already."""
        found = []
        for node in nodes:
            state = node.state
            if state.start < since < state.last and state.longest_gap >= self.after and node not in self._told:
                found.append((node, Stall(state.longest_gap, *doing(node), loop_blocked=True)))
        return found
