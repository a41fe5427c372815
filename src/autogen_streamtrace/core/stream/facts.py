"""What happens to streams: one type for each kind of fact.

A reader, the watcher or an event loop creates a fact once, and nobody changes it. The facts reach the judge in the
order in which they happened.
"""

from typing import NamedTuple

from opentelemetry.context import Context

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.state import Ending, StreamInfo, StreamState


class Started(NamedTuple):
    """A stream was read for the first time."""

    state: StreamState


class Ended(NamedTuple):
    """A stream ended for its reader."""

    state: StreamState
    ending: Ending


class ClientGone(NamedTuple):
    """The end user of a server layer's stream went away."""

    state: StreamState
    ending: Ending
    idle: bool
    """It ends the stream only if another stream is open inside."""


class Finished(NamedTuple):
    """A stream that had ended for its reader finished: its source is closed too."""

    state: StreamState
    at: float
    """Seconds on ``clock``."""


class NeverStarted(NamedTuple):
    """A stream was created and dropped unread."""

    info: StreamInfo
    context: Context
    """Where it was created."""
    parent: StreamState | None
    """The stream around it."""


class Stall(NamedTuple):
    """A silence to report."""

    silence: float
    """Seconds since the last item, or since the start."""
    waiting_on: sc.WaitingOn
    waiting_on_name: str
    first: bool = True
    """It is the first report of this silence."""
    loop_blocked: bool = False
    stack: str = ""
    """The stack of the event loop's thread, innermost frame first: file, line and function."""


class Stalled(NamedTuple):
    """The watcher found a stream silent."""

    state: StreamState
    stall: Stall


class Left(NamedTuple):
    """A stream's reader left the loop in which it read. It may come back: the stream itself lives on."""

    state: StreamState
    ending: Ending
    """How it ended, if nobody comes back."""


class LoopClosed(NamedTuple):
    """An event loop was closed: none of its streams can be read again."""

    loop: int
    """The loop's identity."""
    at: float
    """Seconds on ``clock``."""


Fact = Started | Ended | ClientGone | Finished | NeverStarted | Stalled | Left | LoopClosed
