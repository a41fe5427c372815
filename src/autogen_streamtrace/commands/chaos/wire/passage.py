"""One reply on its way from its source to the client, as far as the fault lets it pass.

The source calls ``head``, ``feed``, ``over`` and ``broke``. The fault is a coroutine that calls the rest: it passes the
reply on until some place, and then does what it is about.
"""

import asyncio
import zlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from autogen_streamtrace.commands.chaos.wire.message import Cut, Head, Lines, Request
from autogen_streamtrace.commands.chaos.wire.pieces import Splitter
from autogen_streamtrace.commands.chaos.wire.sink import Sink
from autogen_streamtrace.core.evidence.body.wire import KEPT, read

HIGH_WATER: Final = 2**20
"""Bytes that may wait here before the source is asked to pause."""

Source = Callable[["Passage"], Awaitable[None]]
"""Starts the reply. It returns at once."""


class SourceBrokeError(Exception):
    """The source ended in mid-reply, by itself."""

    def __init__(self, how: Cut) -> None:
        super().__init__(how)
        self.how: Cut = how


class Passage:
    """A reply on its way."""

    def __init__(self, request: Request, sink: Sink, source: Source, *, hold_limit: float, untouched: bool) -> None:
        self.request = request
        self.events = self.bytes = 0
        """Units and bytes of the body that the client was sent."""
        self.valve: Callable[[bool], None] = lambda _: None
        """Set by the source: it is called with False when the source should pause."""
        self.answer: Head | None = None
        """The head, once it is there."""
        self.at_place = False
        """The fault has begun to strike."""
        self.sent: Head | None = None
        """The head that went out."""
        self.added: Lines = []
        """Header lines that are added to it."""
        self._sink = sink
        self._source = source
        self._hold_limit = hold_limit
        self._untouched = untouched
        """No fault will strike: length and framing stay as they are."""
        self._loop = asyncio.get_running_loop()
        self.started = self._loop.time()
        self.last = self.started
        """When the client was last sent something."""
        self._asked = self._begun = self._direct = self._over = False
        self._splitter: Splitter | None = None
        self._end = bytearray()
        """The last bytes of the body that were sent."""
        self._units: deque[bytes] = deque()
        self._waiting = 0
        self._broke: Cut | None = None
        self._news = asyncio.Event()
        self._gzip: zlib._Compress | None = None
        self._room = asyncio.Event()
        self._room.set()
        sink.valve = self._turned

    # What the source calls.

    def head(self, head: Head) -> None:
        """Status and headers have come."""
        self.answer = head
        self._splitter = Splitter(head.value(b"content-type"))
        self._news.set()

    def feed(self, data: bytes) -> None:
        """A piece of the body has come."""
        if self._direct:
            self._deliver(data)
            return
        assert self._splitter is not None, "the head comes before the body"
        self._units.extend(self._splitter.units(data))
        self._waiting += len(data)
        if self._waiting > HIGH_WATER:
            self._pause()
        self._news.set()

    def over(self) -> None:
        """The body is whole."""
        if self._splitter is not None and not self._direct and (rest := self._splitter.rest()):
            self._units.append(rest)
        self._over = True
        self._news.set()

    def broke(self, how: Cut) -> None:
        """The source ended in mid-reply."""
        if not self._over and self._broke is None:
            self._broke = how
            self._news.set()

    async def room(self) -> None:
        """Waits until there is room for more."""
        await self._room.wait()

    # What the fault calls.

    async def opened(self) -> Head:
        """Asks for the reply, and waits for its head."""
        if not self._asked:
            self._asked = True
            await self._source(self)
        while self.answer is None:
            await self._wait()
        return self.answer

    def compress(self) -> None:
        """Sends the body with ``content-encoding: gzip``, unless it is encoded already; before ``begin``."""
        if self.answer is not None and not self.answer.value(b"content-encoding"):
            self._gzip = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)

    def begin(self) -> None:
        """Sends the head, once."""
        if self._begun:
            return
        assert self.answer is not None
        self._begun = True
        head = self.answer if self._untouched else self.answer.without(b"content-length", b"connection")
        if self._gzip:
            head = Head(head.status, [*head.headers, (b"content-encoding", b"gzip")], head.reason)
        replaced = [name.lower() for name, _ in self.added]
        self.sent = head.without(*replaced)
        self.sent.headers.extend(self.added)
        self.last = self._loop.time()
        self._sink.begin(self.sent)

    async def next(self, until: float | None = None) -> bytes | None:
        """The next unit of the body, which is not yet sent; None where the reply is over.

        Args:
            until: the time on the loop's clock at which to stop waiting.

        Raises:
            asyncio.TimeoutError: it was not there by then.
            SourceBrokeError: the source ended in mid-reply.
        """
        while not self._units:
            if self._over:
                return None
            await self._wait(until)
        unit = self._units.popleft()
        self._waiting -= len(unit)
        if self._waiting <= HIGH_WATER // 2:
            self._resume()
        return unit

    @property
    def told(self) -> bool:
        """The client was sent the reply's own last word. It may leave then, and not wait for HTTP's end."""
        return read(bytes(self._end)).over

    def put_back(self, unit: bytes) -> None:
        """The unit comes next again."""
        self._units.appendleft(unit)
        self._waiting += len(unit)

    @property
    def document(self) -> bool:
        """The body is one document, no stream of events."""
        return self._splitter is not None and self._splitter.document

    def send(self, data: bytes) -> None:
        """Sends bytes of the body."""
        self.begin()
        self._deliver(data)

    async def rest(self, *, end: bool = True) -> None:
        """Passes on all that is left, as it comes; and HTTP's own end, unless it is withheld."""
        await self.opened()
        self.begin()
        if self._splitter is not None and (part := self._splitter.rest()):
            self._units.append(part)
        while self._units:
            self._deliver(self._units.popleft())
        self._direct = True
        self._resume()
        while not self._over:
            await self._wait()
        if end:
            self.end()

    def end(self, *, flush: bool = True) -> None:
        """Ends the body as HTTP requires, whatever its contents."""
        self.begin()
        if self._gzip and flush:
            self._sink.write(self._gzip.flush())
        self._sink.end()

    def cut(self, how: Cut) -> None:
        """Cuts the exchange."""
        self._sink.cut(how)

    def answer_with(self, head: Head, body: bytes) -> None:
        """Sends an answer of our own in place of the reply."""
        self._begun = True
        self.sent = head
        self._sink.begin(head)
        self._deliver(body)
        self._sink.end()

    async def hold(self, seconds: float | None = None) -> None:
        """Sends nothing for so many seconds; without them until the client leaves, or a limit, which cuts."""
        await asyncio.sleep(self._hold_limit if seconds is None else seconds)
        if seconds is None:
            self._sink.cut("fin")

    def _deliver(self, data: bytes) -> None:
        self.events += 1
        self.bytes += len(data)
        self.last = self._loop.time()
        self._end += data
        if len(self._end) > 2 * KEPT:
            del self._end[:-KEPT]
        if self._gzip and data:
            data = self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        self._sink.write(data)

    async def _wait(self, until: float | None = None) -> None:
        if self._broke is not None:
            raise SourceBrokeError(self._broke)
        self._news.clear()
        left = None if until is None else max(0.0, until - self._loop.time())
        if left is None:
            await self._news.wait()
        else:
            await asyncio.wait_for(self._news.wait(), left)

    def _turned(self, open_: bool) -> None:
        """The client takes no more, or takes more again."""
        if open_:
            self._resume()
        else:
            self._pause()

    def _pause(self) -> None:
        self._room.clear()
        self.valve(False)

    def _resume(self) -> None:
        self._room.set()
        self.valve(True)
