"""One request, watched: when each piece of its response arrives, and how it ends."""

import itertools
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import httpx

from autogen_streamtrace.core.evidence.body import encodings, wire
from autogen_streamtrace.core.evidence.http import headers

End = Literal["whole", "unfinished", "cut", "refused", "unreachable", "out of time"]
"""whole: ended cleanly · unfinished: ended cleanly, without a terminator that its kind has · cut: the connection was
lost in mid-response · refused: an HTTP status of 400 or more · unreachable: no response · out of time: ours."""

CONNECT: Final = 10.0
_TAIL: Final = 4096
ECHOED: Final = b"data: [DONE]"
"""The echo application's last event: without it a clean end is a cut."""
_MOST_READS: Final = 100_000


@dataclass(frozen=True)
class Request:
    """What is sent."""

    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    longest: float = 120.0
    """Seconds after which the response is given up."""


@dataclass
class Exchange:
    """A request as it went. Times in seconds from its start."""

    url: str
    traceparent: str
    end: End = "unreachable"
    status: int | None = None
    intermediary: str = ""
    echo: bool = False
    """The response is of our own echo application."""
    headers_at: float | None = None
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    """When each piece came, and its bytes."""
    events: int = 0
    """Server-sent events that came."""
    ended_at: float = 0.0
    problem: str = ""
    """The exception's type, or the first words of a refusal."""

    @property
    def first(self) -> float | None:
        """Seconds to the first byte of the body."""
        return self.arrivals[0][0] if self.arrivals else None

    @property
    def silence(self) -> float:
        """Seconds from the last byte, or the start, to the end."""
        return self.ended_at - (self.arrivals[-1][0] if self.arrivals else 0.0)

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return sum(size for _, size in self.arrivals)

    @property
    def longest_gap(self) -> float:
        """Seconds, longest wait between two pieces."""
        times = [at for at, _ in self.arrivals]
        return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)

    @property
    def span(self) -> float:
        """Seconds over which the body arrived."""
        return self.arrivals[-1][0] - self.arrivals[0][0] if self.arrivals else 0.0

    @property
    def trace(self) -> str:
        """The trace id that was sent."""
        return self.traceparent.split("-")[1]


def perform(client: httpx.Client, url: str, request: Request) -> Exchange:
    """Sends the request and reads its response to the end, or until its time is up.

    The request carries a ``traceparent`` (https://www.w3.org/TR/trace-context/) of its own.
    """
    traceparent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    seen = Exchange(url, traceparent)
    began = time.perf_counter()
    # As every browser and SDK asks: a path that compresses a body may hold it back.
    sent = {"accept-encoding": "gzip", **request.headers, "traceparent": traceparent}
    timeout = httpx.Timeout(request.longest, connect=min(CONNECT, request.longest))
    try:
        with client.stream(
            request.method, url, headers=sent, content=request.body or None, timeout=timeout
        ) as response:
            seen.headers_at = time.perf_counter() - began
            _read(seen, response, began, request.longest)
    except httpx.TimeoutException as error:
        ours = not isinstance(error, httpx.ConnectTimeout)
        seen.end, seen.problem = ("out of time" if ours else "unreachable"), type(error).__name__
    except httpx.HTTPError as error:
        seen.end = "unreachable" if seen.status is None else "cut"
        seen.problem = type(error).__name__
    seen.ended_at = time.perf_counter() - began
    return seen


def _read(seen: Exchange, response: httpx.Response, began: float, longest: float) -> None:
    found = {name.lower(): value for name, value in response.headers.items()}
    seen.status, seen.intermediary = response.status_code, headers.of_response(response.headers.raw).intermediary
    seen.echo = "x-streamtrace-echo" in found
    head = tail = b""
    decode = encodings.decoder(found.get("content-encoding", ""))
    for raw in response.iter_raw():
        at = time.perf_counter() - began
        seen.arrivals.append((at, len(raw)))
        piece = _decoded(raw, decode)
        seen.events += (tail[-1:] + piece).count(b"\n\n")
        head = head if len(head) >= _TAIL else (head + piece)[:_TAIL]
        tail = (tail + piece)[-_TAIL:]
        if at > longest or len(seen.arrivals) >= _MOST_READS:
            seen.end = "out of time"
            return
    if response.status_code >= 400:
        seen.end, seen.problem = "refused", tail[:200].decode("utf-8", "replace").strip()
    else:
        finished = ECHOED in tail if seen.echo else _finished(tail, head if seen.size > _TAIL else b"")
        seen.end = "whole" if finished else "unfinished"


def _decoded(raw: bytes, decode: Callable[[bytes], bytes] | None) -> bytes:
    """The decoded bytes of a read; empty if they cannot be decoded."""
    try:
        return raw if decode is None else decode(raw)
    except Exception:  # each package has its own
        return b""


def _finished(tail: bytes, head: bytes) -> bool:
    """Whether a body is complete. A model's stream has a terminator; any other body counts as complete once it ends."""
    of_model = any(mark in tail or mark in head for mark in (b'"choices"', b'"delta"', b'"message_start"'))
    return not of_model or wire.read(tail, head).terminator


def as_json(seen: Exchange) -> dict[str, Any]:
    """For other programs."""
    return {
        "url": seen.url,
        "trace": seen.trace,
        "end": seen.end,
        "status": seen.status,
        "intermediary": seen.intermediary,
        "headers_at": seen.headers_at,
        "first": seen.first,
        "reads": len(seen.arrivals),
        "events": seen.events,
        "bytes": seen.size,
        "span": seen.span,
        "longest_gap": seen.longest_gap,
        "silence": seen.silence,
        "ended_at": seen.ended_at,
        "problem": seen.problem,
    }
