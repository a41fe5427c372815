"""Where an answer goes: one exchange of HTTP/1 or HTTP/2, as a fault sees it."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Final, Protocol

from autogen_streamtrace.commands.chaos.wire.message import Cut, Head, Request

Valve = Callable[[bool], None]
"""Called with False when the client takes no more, and with True when it does again."""


_RESET: Final = struct.pack("ii", 1, 0)
"""What makes a close a reset: it does not linger at all."""


class Sink(Protocol):
    """The client's side of one exchange. Nothing that it does waits."""

    valve: Valve
    """Set by whoever writes."""

    def begin(self, head: Head) -> None:
        """Send status and headers. Without ``content-length`` or ``connection: close``, the body goes out in frames."""

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""

    def end(self) -> None:
        """End the body as HTTP requires."""

    def cut(self, how: Cut) -> None:
        """End the exchange in mid-body, or before it."""


class Answer(Protocol):
    """Answers a request. It is cancelled when the client leaves. If it returns without an end, it is cut."""

    async def __call__(self, request: Request, sink: Sink) -> None: ...


def open_valve(_: bool) -> None:
    """For a sink to which nobody writes yet."""


def reset(transport: asyncio.Transport) -> None:
    """Resets a connection; one that the client has closed meanwhile stays closed."""
    connection: socket.socket = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
