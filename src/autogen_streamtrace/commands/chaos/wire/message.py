"""A request that came, and the beginning of an answer."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final, Literal

Lines = list[tuple[bytes, bytes]]
"""Header lines as they are on the wire."""

Cut = Literal["fin", "rst", "stream", "goaway"]
"""How an exchange is cut.

fin: the connection is closed · rst: it is reset · stream: HTTP/2 resets the stream, HTTP/1 closes the connection ·
goaway: HTTP/2 announces the end of the connection, then closes it; HTTP/1 closes it.
"""

HOP_BY_HOP: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
"""Headers of one connection, which are not passed on."""


@dataclass(frozen=True)
class Request:
    """A whole request."""

    method: str
    target: str
    """Path and query."""
    version: str
    """Of HTTP: 1.0, 1.1 or 2."""
    headers: Lines
    body: bytes = b""
    idle: float | None = None
    """Seconds for which its connection had been idle; None where it is the connection's first."""

    def header(self, name: str) -> str:
        """The last value of a header; empty where there is none."""
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for each, value in reversed(self.headers) if each.lower() == wanted), "")

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @cached_property
    def document(self) -> dict[str, Any]:
        """The body, where it is a JSON object; else an empty one."""
        try:
            read = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return read if isinstance(read, dict) else {}

    @property
    def model(self) -> str:
        """The model that it asks for."""
        return str(self.document.get("model", ""))


def phrase(status: int) -> str:
    """The standard's words for a status; empty for one that it does not know, such as 529."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


@dataclass
class Head:
    """Status and headers of an answer."""

    status: int
    headers: Lines = field(default_factory=list)
    reason: bytes = b""

    def __post_init__(self) -> None:
        self.reason = self.reason or phrase(self.status).encode()

    def value(self, name: bytes) -> bytes:
        """The value of a header, by its name in lower case; empty where there is none."""
        return next((value for each, value in self.headers if each.lower() == name), b"")

    def without(self, *names: bytes) -> "Head":
        """The same without these headers, named in lower case."""
        kept = [line for line in self.headers if line[0].lower() not in names]
        return Head(self.status, kept, self.reason)
