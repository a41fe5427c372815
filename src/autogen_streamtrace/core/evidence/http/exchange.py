"""An HTTP exchange beside its body: its headers, its connection, and how its body ended."""

import ssl
from typing import Final, Literal

from autogen_streamtrace.core.evidence.body.wire import Tail
from autogen_streamtrace.core.evidence.http import headers, refusals
from autogen_streamtrace.core.evidence.http.connections import Use
from autogen_streamtrace.core.evidence.http.headers import Headers

Close = Literal["finished", "fin", "reset", "local", "unframed"]
"""finished: the last chunk, all of its length, or END_STREAM came · fin: the other side closed · reset: the same, by
force · local: this process closed · unframed: the other side closed, and nothing shows whether the body was whole."""

_CHAIN: Final = 16
_NO_CONNECTION: Final = ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol")
_FIN: Final = (
    "Server disconnected",
    "peer closed connection without sending complete message body",
    "peer unexpectedly closed connection",
)
"""Messages by which httpcore and h11 report it; they have no exception type for it."""
_BODILESS: Final = (204, 304)
_FRAMED: Final = ("2", "3")
"""Versions of HTTP that always mark the end of a body."""


class Exchange:
    """An exchange of a client, or one that came to a server of this process."""

    __slots__ = ("answer", "close", "headers_at", "missing", "page", "survived", "use", "version", "within_event")

    def __init__(self, answer: Headers = headers.NOTHING, use: Use | None = None) -> None:
        self.answer = answer
        """What the response's headers show; for a server's exchange, the request's."""
        self.headers_at: float | None = None
        """When the response's headers came, in seconds on ``clock``."""
        self.use = use
        self.version = ""
        """The version of HTTP."""
        self.close: Close | None = None
        self.within_event: bool | None = None
        """The body was cut inside an event."""
        self.page = ""
        """The name of the page, if it is a known refusal."""
        self.missing: tuple[str, ...] = ()
        """Intermediaries that good answers of this server name, and this refusal does not."""
        self.survived: float | None = None
        """The longest silence in a good answer of this server so far, in seconds."""

    @property
    def intermediaries(self) -> tuple[str, ...]:
        """What stands in between, nearest to this process first."""
        named = self.answer.intermediaries
        return named if not self.page or self.page in named else (*named, self.page)

    @property
    def intermediary(self) -> str:
        """The nearest of them."""
        return next(iter(self.intermediaries), "")

    @property
    def suspects(self) -> tuple[str, ...]:
        """The parties that may have cut it: the one that refused, else all intermediaries."""
        return (self.page,) if self.page else self.intermediaries

    def ended(self, how: str, error: BaseException | None, status: int | None, at: float) -> None:
        """Reads how the exchange ended for its reader.

        Args:
            how: one of ``stream.state.How``.
            error: the exception, where one was raised.
            status: the HTTP status, where a response came.
            at: the time of the end, in seconds on ``clock``.
        """
        if self.use is not None:
            self.use.release(at)
        if how == "closed":
            self.close = "local"
        elif error is not None:
            self.close = closed_by(error)
        else:
            framed = self.answer.framed or self.version in _FRAMED or status in _BODILESS
            self.close = "finished" if framed else "unframed"

    def read(self, status: int | None, body: Tail) -> None:
        """Reads from the whole body which party refused, or whether the cut fell inside an event."""
        if status is not None and status >= 400:
            self.page = refusals.page(status, body.beginning, self.answer.servers, self.answer.own)
        elif self.close != "finished":
            self.within_event = body.within_event


def closed_by(error: BaseException) -> Close | None:
    """How the connection closed, by an HTTP client's exception; None if it does not show that."""
    link: BaseException | None = error
    if not isinstance(error, Exception):  # it was cancelled
        return "local"
    for _ in range(_CHAIN):
        if link is None:
            break
        name = type(link).__name__
        if name in _NO_CONNECTION or isinstance(link, ConnectionRefusedError):
            return None
        if name == "StreamReset" or isinstance(link, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
            return "reset"
        if isinstance(link, ssl.SSLEOFError) or str(link).startswith(_FIN):
            return "fin"
        if link.args and type(link.args[0]).__name__ in _HTTP2:
            return _HTTP2[type(link.args[0]).__name__]
        if name.endswith("Timeout") or name == "ClosedResourceError":
            return "local"
        last, link = link, link.__cause__ or link.__context__
        if link is None:
            return _LAST.get(type(last).__name__, "local")
    return None


_HTTP2: Final[dict[str, Close]] = {"StreamReset": "reset", "ConnectionTerminated": "fin"}
"""Events of ``h2`` that httpcore puts into its exceptions."""
_LAST: Final[dict[str, Close | None]] = {"BrokenResourceError": "reset", "ReadError": None, "WriteError": None}
"""The innermost exception; whatever is raised in this process otherwise makes it close the connection."""
