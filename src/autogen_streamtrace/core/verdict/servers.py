"""What the good answers of each server have shown: who stands in between, and which silence the path allows."""

from collections import OrderedDict, deque
from typing import Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.state import StreamState
from autogen_streamtrace.core.verdict.node import StreamNode

_SERVERS: Final = 256
"""Servers that are remembered, the latest used."""
_ANSWERS: Final = 8
"""Good answers of each whose intermediaries are remembered."""

_Key = tuple[str, object]


class _Server:
    __slots__ = ("longest_gap", "named")

    def __init__(self) -> None:
        self.longest_gap = 0.0
        self.named: deque[tuple[str, ...]] = deque(maxlen=_ANSWERS)


class Servers:
    """The servers that this process's HTTP clients have asked."""

    def __init__(self) -> None:
        self._known: OrderedDict[_Key, _Server] = OrderedDict()

    def settled(self, node: StreamNode) -> None:
        """Takes a settled exchange: gives it what is known of its server, and learns from it."""
        state = node.state
        exchange = state.exchange
        if state.layer != sc.HTTP or exchange is None or exchange.headers_at is None:
            return
        server = self._of(state)
        if state.status is not None and state.status >= 400:
            exchange.missing = _missing(server, exchange.intermediaries)
        else:
            server.named.append(exchange.intermediaries)
        if node.verdict is not None and node.verdict.outcome == sc.COMPLETED:
            read = state.longest_gap - node.loop_late  # that much of it may have been waiting to be read
            server.longest_gap = max(server.longest_gap, read)
        if server.longest_gap > 0:
            exchange.survived = server.longest_gap

    def _of(self, state: StreamState) -> _Server:
        key = state.name, next((value for name, value in state.info.attributes if name == sc.SERVER_PORT), None)
        server = self._known.pop(key, None) or _Server()
        self._known[key] = server
        if len(self._known) > _SERVERS:
            self._known.popitem(last=False)
        return server


def _missing(server: _Server, named: tuple[str, ...]) -> tuple[str, ...]:
    """The intermediaries that all good answers name and this one does not."""
    if not server.named:
        return ()
    first, *others = server.named
    return tuple(name for name in first if name not in named and all(name in other for other in others))
