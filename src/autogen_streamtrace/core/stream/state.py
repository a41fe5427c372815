"""One stream: its clock, its counts, and what was seen at its end."""

import time
import weakref
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.body.provider_replies import Wire
from autogen_streamtrace.core.evidence.body.wire import Tail
from autogen_streamtrace.core.evidence.causes import Cause
from autogen_streamtrace.core.evidence.content import Content
from autogen_streamtrace.core.evidence.deadlines import Deadline
from autogen_streamtrace.core.evidence.http.exchange import Exchange

clock: Final = time.perf_counter

How = Literal["returned", "raised", "closed", "unread"]
"""returned: ran to its end · raised: an exception came out · closed: its reader left it · unread: never read."""


def weakly(token: Any) -> Callable[[], Any]:
    """A weak reference, where the object allows one."""
    try:
        return weakref.ref(token) if token is not None else type(None)
    except TypeError:
        return lambda: token


class StreamInfo(NamedTuple):
    """What is known of a stream before its first read."""

    layer: sc.Layer
    name: str
    subject: int = 0
    """Identity of the agent, team, client or tool; calls that it makes to itself are the same stream."""
    token: Callable[[], Any] = type(None)
    """AutoGen's ``CancellationToken``, by a weak reference: it refers to the stream's futures, which would live on."""
    span_name: str = ""
    attributes: tuple[tuple[str, Any], ...] = ()
    """Attributes that the span has from its start."""
    streamed: bool = True
    """On ``model``: a ``create_stream``, not an unstreamed ``create``."""
    content: Content | None = None
    """The contents of its request, where contents are recorded."""
    framework: str = ""
    """The framework whose agent, team, tool or client it is, or in whose turn it happens."""
    key: str = ""
    """On ``team``: the key of its agents' ids in AutoGen's runtime."""


_ONLY_STARTED: Final = (sc.GEN_AI_REQUEST_STREAM, sc.A_FRAMEWORK)


class StreamLabels:
    """The attribute sets under which a stream is counted, fixed when it opens. Streams that open alike share one."""

    __slots__ = ("ended", "open", "started")

    def __init__(self, started: dict[str, Any]) -> None:
        self.started = started
        self.open = {key: value for key, value in started.items() if key not in _ONLY_STARTED}
        """The same without the attributes that ``open`` does not have."""
        self.ended: dict[tuple[Any, ...], dict[str, Any]] = {}
        """The labels of the endings so far, by what a verdict adds to them."""


_NO_LABELS: Final = StreamLabels({})


class StreamState:
    """A stream that has been read from. It has a fixed size, and its reader writes it."""

    __slots__ = (
        "alone",
        "asked",
        "caller_time",
        "chunks",
        "closed",
        "content",
        "content_type",
        "context",
        "document",
        "empty",
        "error",
        "exchange",
        "failure",
        "finish",
        "finished",
        "first",
        "follows",
        "info",
        "input_tokens",
        "items_read",
        "labels",
        "last",
        "layer",
        "left",
        "longest_gap",
        "longest_send",
        "loop",
        "output_tokens",
        "parent",
        "response_id",
        "response_model",
        "serial",
        "size",
        "slot",
        "span",
        "start",
        "start_ns",
        "status",
        "tail",
        "tail_read",
        "terminal",
        "terminated",
        "timeouts",
        "wire",
    )

    def __init__(self, info: StreamInfo, parent: "StreamState | None", loop: int) -> None:
        self.info = info
        self.layer = info.layer
        """The layer it belongs to: asked for more often than anything else."""
        self.parent = parent
        self.loop = loop
        """Identity of the event loop that reads it; 0 for a synchronous one."""
        self.labels = _NO_LABELS
        self.context: Context | None = None
        """Where its span belongs, until the span starts."""
        self.span: Span = INVALID_SPAN
        """Its own, or the one around it where its own starts only at its end."""
        self.start_ns = time.time_ns()
        self.start = self.asked = self.last = clock()
        """Seconds on ``clock``: the start · the reader's last request · the last item's arrival."""
        self.first = 0.0
        self.longest_gap = 0.0
        self.caller_time = 0.0
        self.longest_send = 0.0
        """On ``server``: the longest delay of sending one piece, in seconds."""
        self.chunks = 0
        self.size = 0
        """Bytes on ``http`` and ``server``, characters on ``model``."""
        self.slot = -1
        """Its place in the flight recorder; -1 where it has none."""
        self.serial = 0
        """Its number there, while it has a place."""
        self.terminal = False
        """The terminal item was delivered; on ``http``, a finish reason or a terminator was read."""
        self.terminated = False
        """A finish reason or a terminator was seen in what arrived."""
        self.closed = False
        """It has ended for its reader."""
        self.finished = False
        """It has also finished: nothing that starts now is inside it."""
        self.left = False
        """Its reader left it, and did not read it to its end."""
        self.follows = False
        """On ``model``: its exchange is open, and ends it if nobody waits for an item then."""
        self.content = info.content
        self._init_outcome()

    def _init_outcome(self) -> None:
        """What its end, its body or its result shows."""
        self.failure: Cause | None = None
        """On ``tool``: the failure of its own code or in its result, where no exception comes out."""
        self.finish: str | None = None
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        """On ``http`` from the body; on ``model`` from the client's result, else from the body."""
        self.response_id: str | None = None
        self.response_model: str | None = None
        """As the body names them."""
        self.status: int | None = None
        self.exchange: Exchange | None = None
        """On ``http`` and ``server``: its headers, connection and close."""
        self.timeouts: dict[str, float | None] | None = None
        """The HTTP client's timeouts for this request, in seconds."""
        self.error = False
        """On ``http``: the body says that the provider failed."""
        self.alone = False
        """On ``http``: the body is a model's reply, though no model's stream is above it."""
        self.document = False
        """On ``http``: the body of a model's reply is no event stream."""
        self.empty = False
        """On ``model``: the client's result holds nothing."""
        self.items_read = False
        """On ``model``: the items of an SDK, or its whole reply, are read for what they say of the reply."""
        self.content_type = ""
        """On ``http``: that of a model's reply."""
        self.tail: Tail | None = None
        self.tail_read = False
        self.wire: Wire | None = None
        """What the body said, where ``look_ahead`` has read it."""

    @classmethod
    def unwatched(cls, info: StreamInfo) -> "StreamState":
        """The state of a stream that could not be opened. Nothing is reported of it."""
        state = cls(info, None, 0)
        state.closed = True
        return state

    @property
    def name(self) -> str:
        """Host, model, tool, agent or team."""
        return self.info.name

    @property
    def held(self) -> bool:
        """The reader has the last item, or a response, and has not asked for more."""
        return self.last > self.asked

    @property
    def intermediary(self) -> str:
        """The nearest known intermediary between this process and the other side; empty where none is known."""
        return self.exchange.intermediary if self.exchange is not None else ""

    @property
    def carries_reply(self) -> bool:
        """An HTTP exchange whose body is a model's reply, or a refusal."""
        asked = self.alone or (self.parent is not None and self.parent.layer == sc.MODEL)
        return asked and self.layer == sc.HTTP and not 300 <= (self.status or 0) < 400

    @property
    def readable(self) -> bool:
        """Whether its body's end could be read, so that no terminator in it means that none came."""
        return self.tail is not None and self.tail.readable

    def look_ahead(self) -> None:
        """Reads the body of a stream that has ended, whose end is judged soon."""
        if self.closed and self.tail is not None and not self.tail_read:
            self.wire = self.tail.read()

    def read_tail(self) -> None:
        """Reads from the body what it says of the reply and its end."""
        if self.tail is None or self.tail_read:
            return
        self.tail_read = self.closed
        if self.exchange is not None and self.closed:
            self.exchange.read(self.status, self.tail)
        wire = self.wire or self.tail.read()
        below_model = self.parent is not None and self.parent.layer == sc.MODEL
        if wire is not None:
            self.alone = wire.reply and not below_model
        if wire is not None and (below_model or self.alone):
            self.finish, self.terminal = wire.finish, wire.terminator
            self.terminated = wire.terminator
            self.error, self.document = wire.error, wire.document
            self.response_id, self.response_model = wire.response_id, wire.response_model
            self.input_tokens, self.output_tokens = wire.input_tokens, wire.output_tokens

    def nanoseconds(self, at: float) -> int:
        """A time on ``clock`` as nanoseconds since the epoch."""
        return self.start_ns + round((at - self.start) * 1e9)


class Ending(NamedTuple):
    """What was seen when a stream ended for its reader."""

    how: How
    at: float
    """Seconds on ``clock``."""
    held: bool = False
    cause: Cause | None = None
    thrown_in: bool = False
    by_token: bool = False
    """Its ``CancellationToken`` was cancelled by then."""
    gone: bool = False
    """On ``server``: it ended because the end user's connection was gone."""
    shutdown: bool = False
    """The server that runs its event loop was shutting down by then."""
    parent_chunks: int = 0
    """Items that its parent had delivered by then."""
    deadline: Deadline | None = None
    """The program's deadline by which its task was being cancelled."""
    grace: Deadline | None = None
    """How long the server that shuts down lets its streams go on, where that time was up by then."""
    finished: bool = True
    """It has also finished; otherwise it finishes later."""
    inside: bool = False
    """Cancelled, though nothing above was: its task was not being cancelled, nor its token, and no deadline struck."""
