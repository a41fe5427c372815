"""The client's side over HTTP/2, by the library h2."""

import asyncio
from collections import deque
from typing import Final, cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from autogen_streamtrace.commands.chaos.wire.http1 import MAX_BODY
from autogen_streamtrace.commands.chaos.wire.message import HOP_BY_HOP, Cut, Head, Lines, Request
from autogen_streamtrace.commands.chaos.wire.sink import Answer, Valve, open_valve, reset

HIGH_WATER: Final = 64 * 2**10
"""Bytes of one stream that may wait for its client."""


class Http2(asyncio.Protocol):
    """One connection: its streams are answered side by side."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        self.h2 = h2.connection.H2Connection(config)
        self.transport: asyncio.Transport
        self._asking: dict[int, tuple[Lines, bytearray]] = {}
        self._sinks: dict[int, _Stream] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._full = False
        """The socket takes no more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop has classes of its own
        self.h2.initiate_connection()
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        for task in self._tasks.values():
            task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError:
            self.flush()
            self.transport.close()
            return
        for event in events:
            self._happened(event)
        self.flush()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self.pump()

    def flush(self) -> None:
        """Send what the library has to say."""
        self.transport.write(self.h2.data_to_send())

    def pump(self) -> None:
        """Send what waited for room."""
        for sink in list(self._sinks.values()):
            sink.pump()
        self.flush()

    @property
    def full(self) -> bool:
        return self._full

    def _happened(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._asking[event.stream_id] = ([*event.headers], bytearray())
        elif isinstance(event, h2.events.DataReceived):
            self._received(event)
        elif isinstance(event, h2.events.StreamEnded):
            self._asked(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            task = self._tasks.get(event.stream_id)
            if task is not None:
                task.cancel()
        elif isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
            self.pump()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.transport.close()

    def _received(self, event: h2.events.DataReceived) -> None:
        if event.flow_controlled_length:
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        _, body = self._asking.get(event.stream_id, ([], bytearray()))
        body += event.data
        if len(body) > MAX_BODY:
            self.transport.abort()

    def _asked(self, stream: int) -> None:
        lines, body = self._asking.pop(stream)
        pseudo = {name: value for name, value in lines if name.startswith(b":")}
        request = Request(
            pseudo.get(b":method", b"GET").decode("latin-1"),
            pseudo.get(b":path", b"/").decode("latin-1"),
            "2",
            [line for line in lines if not line[0].startswith(b":")],
            bytes(body),
        )
        self._sinks[stream] = sink = _Stream(self, stream)
        task = asyncio.get_running_loop().create_task(self._serve(request, sink))
        self._tasks[stream] = task

    async def _serve(self, request: Request, sink: "_Stream") -> None:
        try:
            await self._answer(request, sink)
            if not sink.ended:
                sink.cut("fin")
            await sink.sent()
        finally:
            del self._sinks[sink.id], self._tasks[sink.id]


class _Stream:
    """One answer on a connection of HTTP/2."""

    def __init__(self, connection: Http2, stream: int) -> None:
        self.id = stream
        self.valve: Valve = open_valve
        self.ended = False
        self._connection = connection
        self._left: deque[bytes] = deque()
        self._size = 0
        self._ending = False
        self._sent = asyncio.Event()

    def begin(self, head: Head) -> None:
        lines = [(name.lower(), value) for name, value in head.headers if name.lower() not in HOP_BY_HOP]
        self._connection.h2.send_headers(self.id, [(b":status", b"%d" % head.status), *lines])
        self._connection.flush()

    def write(self, data: bytes) -> None:
        if data:
            self._left.append(data)
            self._size += len(data)
            self.pump()
            self._connection.flush()
            if self._size > HIGH_WATER:
                self.valve(False)

    def end(self) -> None:
        self.ended = self._ending = True
        self.pump()
        self._connection.flush()

    def cut(self, how: Cut) -> None:
        self.ended = True
        self._left.clear()
        self._sent.set()
        library, transport = self._connection.h2, self._connection.transport
        if how == "rst":
            reset(transport)
            return
        if how == "stream":
            library.reset_stream(self.id, h2.errors.ErrorCodes.INTERNAL_ERROR)
        if how == "goaway":
            library.close_connection(h2.errors.ErrorCodes.NO_ERROR, last_stream_id=self.id)
        self._connection.flush()
        if how != "stream":
            transport.close()

    def pump(self) -> None:
        """Send as much as the client's windows and the socket take."""
        library, id_ = self._connection.h2, self.id
        while self._left and not self._connection.full:
            room = min(library.local_flow_control_window(id_), library.max_outbound_frame_size)
            if room <= 0:
                return
            piece = self._left.popleft()
            if len(piece) > room:
                self._left.appendleft(piece[room:])
                piece = piece[:room]
            library.send_data(id_, piece)
            self._size -= len(piece)
        if self._size <= HIGH_WATER // 2:
            self.valve(True)
        if self._ending and not self._left:
            self._ending = False
            library.end_stream(id_)
            self._sent.set()

    async def sent(self) -> None:
        """Wait until all has gone out."""
        if self.ended:
            await self._sent.wait()
