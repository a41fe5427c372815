"""Reads headers: the sender's id of the request, what stands in between, which server answered, and what body follows.

It reads no value of any other header. Input from strangers is bounded: it reads so many lines, and so much of a value.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from autogen_streamtrace.core.evidence.http.signs import (
    ASKERS,
    EDGES,
    INTERMEDIARIES,
    OWN_ANSWERS,
    REWRITERS,
    SERVERS,
    Sign,
)

REQUEST_IDS: Final = (
    "x-request-id",
    "request-id",
    "cf-ray",
    "x-amzn-requestid",
    "x-amz-cf-id",
    "apim-request-id",
    "x-ms-request-id",
    "x-azure-ref",
)
"""The ids that the support of a provider or a proxy asks for."""

_VALUE: Final = 256
"""Characters of a value that are read; of ``Via`` the last ones, since the nearest comes last."""
_CONTENT: Final = 128
"""Characters of a content type and of a content encoding."""
_LINES: Final = 48
"""Lines that are read: the last ones with a known name."""
_KNOWN: Final = 128
"""Different sets of headers that are cached; a server sends few."""
_LONGEST: Final = 1e7
"""Seconds beyond which a timeout is ignored."""


class Headers(NamedTuple):
    """What the headers of one message say."""

    intermediaries: tuple[str, ...] = ()
    """What stands in between, nearest to this process first, from the closed lists of ``signs``."""
    upstream_server: str = ""
    """Product of the server that answered, where ``Server`` names it."""
    keep_alive: float | None = None
    """Seconds for which the other side keeps an idle connection open, if its headers state them."""
    expected_timeout: float | None = None
    """Seconds that an Envoy in front gives the whole request."""
    framed: bool = False
    """A length or chunks say where the body ends."""
    servers: tuple[str, ...] = ()
    """The intermediaries that ``Server`` names, nearest first."""
    own: str = ""
    """Which intermediary made the answer itself, if a header shows it."""
    content_type: str = ""
    content_encoding: str = ""
    """Of a response; several lines of one name are joined."""
    request_ids: tuple[tuple[str, str], ...] = ()
    """Response headers by which a provider's or a proxy's support knows the request."""

    @property
    def intermediary(self) -> str:
        """The nearest of them."""
        return self.intermediaries[0] if self.intermediaries else ""


NOTHING: Final = Headers()

Raw = Iterable[tuple[bytes, bytes]]
"""Names and values as they arrived."""


def of_response(raw: Raw) -> Headers:
    """Reads the headers of a response."""
    names, said, ids = _lines(raw, _RESPONSE)
    found = _answer(names, said)
    return Headers(*found[:-1], tuple(ids)) if ids else found


def of_request(raw: Raw) -> Headers:
    """Reads the headers of a request that came to this process."""
    _, said, _ = _lines(raw, _REQUEST)
    return _asked(said) if said else NOTHING


class _Wanted(NamedTuple):
    name: str
    read: slice
    """The part of a value that is read."""
    request_id: bool


_Said = tuple[tuple[str, bytes], ...]
"""Names in lower case, and the part of their values that is read."""


def _lines(raw: Raw, wanted: Mapping[bytes, _Wanted]) -> tuple[tuple[bytes, ...], _Said, list[tuple[str, str]]]:
    """All names as they came, what is read, and the request's ids."""
    names: list[bytes] = []
    said: list[tuple[str, bytes]] = []
    ids: list[tuple[str, str]] = []
    for name, value in raw:
        names.append(name)
        line = wanted.get(name.lower())
        if line is not None:
            said.append((line.name, value[line.read]))
            if line.request_id:
                ids.append((line.name, value[:_VALUE].decode("latin-1")))
    return tuple(names[:_LINES]), tuple(said[-_LINES:]), ids[-_LINES:]


@lru_cache(maxsize=_KNOWN)
def _answer(names: tuple[bytes, ...], said: _Said) -> Headers:
    values = _values(said)
    servers = _named(values, INTERMEDIARIES, "server")
    return Headers(
        _path(names, values, servers),
        _product(values),
        _keep_alive(values),
        framed="content-length" in values or "transfer-encoding" in values,
        servers=servers,
        own=next((name for name, header, part in OWN_ANSWERS if _says(values, header, part)), ""),
        content_type=_joined(said, "content-type"),
        content_encoding=_joined(said, "content-encoding"),
    )


@lru_cache(maxsize=_KNOWN)
def _asked(said: _Said) -> Headers:
    values = _values(said)
    via = _named(values, ASKERS, "via")[::-1]
    marked = _marked(values, ASKERS)
    if values.keys() >= _TRAEFIK:
        marked = tuple("traefik" if name == "apache" else name for name in marked)
    inside = tuple(name for name in marked if name not in EDGES and name not in via)
    milliseconds = _seconds("".join(values.get(_TIMEOUT, [])[-1:]))
    return Headers(
        tuple(dict.fromkeys((*inside, *via, *marked))),
        expected_timeout=None if milliseconds is None else milliseconds / 1000,
    )


def _joined(said: _Said, wanted: str) -> str:
    return b", ".join(value for name, value in said if name == wanted).decode("latin-1")[:_CONTENT]


def _values(said: _Said) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in said:
        values.setdefault(name, []).append(value.decode("latin-1").lower())
    return values


def _path(names: Sequence[bytes], values: Mapping[str, list[str]], servers: tuple[str, ...]) -> tuple[str, ...]:
    """The intermediaries, nearest first.

    ``Via`` and ``Server`` each have an order of their own. The order of the lines shows which of the two is nearer.
    """
    via = _named(values, INTERMEDIARIES, "via")[::-1]
    if len(values.get("via", ())) > 1 and "caddy" in values["via"][0] and _by_alphabet(names):
        via = ("caddy", *via)  # Caddy writes its own line before those that it passes on
    marks = _marked(values, INTERMEDIARIES)
    there = {*servers, *via, *marks}
    overwritten = {name for name in REWRITERS if servers and name not in servers}
    edges = tuple(name for name in _INWARDS if name in there and name in EDGES and name not in overwritten)
    server_first = bool(servers and via) and _server_is_nearer(names, servers[0])
    both = (*servers, *via) if server_first else (*via, *servers)
    return tuple(dict.fromkeys((*edges, *both, *marks)))


def _server_is_nearer(names: Sequence[bytes], server: str) -> bool:
    """Whoever wrote ``Server`` stands nearer to this process than whoever wrote ``Via``.

    Envoy writes all names in lower case, Caddy in the order of the alphabet, nginx its own headers before those that it
    passes on. Varnish and Squid write ``Via`` behind what they pass on, and ``Connection`` behind that.
    """
    small = [name.lower() for name in names]
    if server == "envoy":
        return list(names) == small
    if server == "caddy":
        return _by_alphabet(names)
    return b"connection" in small and b"via" in small[small.index(b"connection") :]


def _by_alphabet(names: Sequence[bytes]) -> bool:
    """Go's ``net/http`` sorts the headers that it writes, except those that it adds itself."""
    own = (b"date", b"transfer-encoding")
    passed = [name for name in names if name.lower() not in own]
    return passed == sorted(passed)


def _named(values: Mapping[str, list[str]], signs: tuple[Sign, ...], header: str) -> tuple[str, ...]:
    """The names in a header, in its order."""
    rows = [(name, part) for name, of, part in signs if of == header]
    entries = [entry for value in values.get(header, ()) for entry in value.split(",")]
    found = (next((name for name, part in rows if part in entry), "") for entry in entries)
    return tuple(dict.fromkeys(filter(None, found)))


def _marked(values: Mapping[str, list[str]], signs: tuple[Sign, ...]) -> tuple[str, ...]:
    """The names by headers other than ``Server`` and ``Via``, in the order of the table."""
    found = (name for name, header, part in signs if header not in _IN_ORDER and _says(values, header, part))
    return tuple(dict.fromkeys(found))


def _says(values: Mapping[str, list[str]], header: str, part: str) -> bool:
    said = values.get(header)
    return said is not None and any(part in value for value in said)


def _product(values: Mapping[str, list[str]]) -> str:
    """The server that answered. Node sends no ``Server``, but states how long it keeps a connection."""
    for value in reversed(values.get("server", ())):
        found = next((name for name, part in SERVERS if part in value), "")
        if found:
            return found
    kept = "".join(values.get("keep-alive", [])[-1:])
    return "node" if "server" not in values and _NODE(kept) else ""


def _keep_alive(values: Mapping[str, list[str]]) -> float | None:
    found = _KEPT("".join(values.get("keep-alive", [])[-1:]))
    return _seconds(found[1]) if found else None


def _seconds(text: str) -> float | None:
    """A number that can be a timeout."""
    return float(text) if _NUMBER(text) and 0 < float(text) <= _LONGEST else None


_KEPT: Final = re.compile(r"\btimeout=(\d{1,9})\b").search
_NODE: Final = re.compile(r"timeout=\d{1,9}").fullmatch
_NUMBER: Final = re.compile(r"[0-9]{1,9}").fullmatch
_IN_ORDER: Final = ("server", "via")
_TIMEOUT: Final = "x-envoy-expected-rq-timeout-ms"
_TRAEFIK: Final = {"x-forwarded-server", "x-real-ip", "x-forwarded-port"}
"""Apache sends only the first of these."""
_INWARDS: Final = tuple(dict.fromkeys(name for name, _, _ in INTERMEDIARIES))


_NONE, _BEGINNING, _END = slice(0), slice(_VALUE), slice(-_VALUE, None)
"""Parts of a value that are read; none where the name alone is enough."""


def _wanted(signs: tuple[Sign, ...], *more: str) -> dict[bytes, _Wanted]:
    """Those headers, ``more`` of them with their value whatever the signs say."""
    read = {*more, *_IN_ORDER, *(header for _, header, part in signs if part)}
    names = {*(header for _, header, _ in signs), *more}
    return {
        name.encode(): _Wanted(
            name, (_END if name == "via" else _BEGINNING) if name in read else _NONE, name in REQUEST_IDS
        )
        for name in names
    }


_RESPONSE: Final = {
    **{name.encode(): _Wanted(name, _NONE, True) for name in REQUEST_IDS},
    **_wanted(INTERMEDIARIES, "keep-alive", "content-type", "content-encoding"),
    **{name.encode(): _Wanted(name, _NONE, False) for name in ("content-length", "transfer-encoding")},
}
_REQUEST: Final = {
    **_wanted(ASKERS, _TIMEOUT),
    **{name.encode(): _Wanted(name, _NONE, False) for name in sorted(_TRAEFIK)},
}
