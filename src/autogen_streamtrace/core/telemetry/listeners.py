"""Who else in this process hears how each stream ended, whatever providers the program has."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from autogen_streamtrace.core.stream.state import StreamInfo, StreamState
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.watching.recorder import Report


class Heard(NamedTuple):
    """A stream that ended."""

    info: StreamInfo
    attributes: dict[str, Any]
    state: StreamState | None
    """None where it was never started."""
    parent: StreamState | None
    """The stream around it."""


Listener = Callable[[Heard], object]

_listeners: Final[list[Listener]] = []


def listen(listener: Listener) -> Callable[[], None]:
    """Tells a listener of every stream that ends from now on, on the judge's thread; returns what ends that."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def tell_end(node: StreamNode, report: Report) -> None:
    """Tells all listeners of a stream that has settled."""
    tell(node.state.info, report.attributes, node.state, node.parent.state if node.parent is not None else None)


def tell(
    info: StreamInfo, attributes: dict[str, Any], state: StreamState | None, parent: StreamState | None = None
) -> None:
    """Tells all listeners of a stream that ended."""
    for listener in tuple(_listeners):
        listener(Heard(info, attributes, state, parent))
