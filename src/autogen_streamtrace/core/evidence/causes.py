"""Reads an exception: its chain, its root, and what kind of ending it means."""

import asyncio
import contextlib
import errno
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from autogen_streamtrace.core.evidence import end_users, sends
from autogen_streamtrace.core.evidence.exception_kinds import GRPC_CODES, KINDS, TIMERS, WRAPPERS, Kind

_GROUPS: Final = ("BaseExceptionGroup", "ExceptionGroup")
"""Groups that task groups raise around their tasks' exceptions; before 3.11 from the package ``exceptiongroup``."""

_CHAIN_LIMIT: Final = 16


@dataclass(frozen=True)
class Cause:
    """What an exception shows. It does not refer to the exception, which would keep its frames alive."""

    types: tuple[str, ...]
    """Full type names from the one raised down to the innermost, by ``__cause__``, else ``__context__``.

    A group goes on with its first exception.
    """
    links: frozenset["Link"]
    """All exceptions that can be reached from the one raised, which is included."""
    raised: "Link"
    """The one raised."""
    root: str
    """The first type in the chain that is no wrapper."""
    kind: Kind
    timer: str
    """Which timer of an HTTP client fired: connect, read, write, pool, or empty."""
    status: int | None
    """The HTTP status that an exception in the chain carries."""
    deadline: bool
    """A plain ``TimeoutError``, as ``asyncio.timeout`` and ``wait_for`` raise it."""
    flattened: str
    """The type name in the text of an exception that AutoGen's team flattened, else empty."""


Link = tuple[int, str]
"""Identity and type name. A later object at the address of a dead exception seldom has its type too."""

CLOSED: Final = Cause(
    ("GeneratorExit",),
    frozenset(),
    (0, ""),
    "GeneratorExit",
    "closed",
    timer="",
    status=None,
    deadline=False,
    flattened="",
)

UNNAMED: Final = replace(CLOSED, types=(), root="", kind="other")
"""A failure without an exception: a tool's result reports it."""


def read(error: BaseException) -> Cause:
    """Reads ``error`` and at most 16 links of its chain."""
    if type(error) is GeneratorExit:
        return CLOSED
    chain = _chain(error)
    names = tuple(map(full_name, chain))
    flattened = _flattened(error)
    wraps = [name in WRAPPERS or bool(_members(link)) for name, link in zip(names, chain, strict=True)]
    at = next((i for i, wrap in enumerate(wraps) if not wrap and not (flattened and i == 0)), 0)
    classes: list[type] = [type(link) for link in chain]
    kind, timer = _decided(chain, classes, *_meaning(classes[at]))
    return Cause(
        types=names,
        links=_reachable(error),
        raised=_link(error),
        root=names[at],
        kind=kind,
        timer=timer,
        status=next((s for s in map(_status, chain) if s is not None), None),
        deadline=isinstance(error, (TimeoutError, asyncio.TimeoutError)) and kind == "late",
        flattened=flattened,
    )


def full_name(error: BaseException) -> str:
    """``module.QualName``; built-in types without their module."""
    return _type_name(type(error)).removeprefix("builtins.")


def _type_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


@lru_cache(maxsize=512)
def _meaning(cls: type) -> tuple[Kind, str]:
    for base in cls.__mro__:
        kind = KINDS.get(_type_name(base))
        if kind:
            return kind, TIMERS.get(base.__name__, "") if kind == "timeout" else ""
    return "other", ""


def _decided(chain: Sequence[BaseException], classes: Sequence[type], kind: Kind, timer: str) -> tuple[Kind, str]:
    """The kind of the ending. A link further down, which shows the side that left, overrides the root's kind."""
    kinds = [_meaning(cls)[0] for cls in classes]
    if "gone" in kinds or sends.given_up(chain) or end_users.left(chain):
        return "gone", ""
    if kind == "rejected" and (code := _grpc_code(chain)):
        return GRPC_CODES.get(code, kind), ""
    if kind == "late" and any(isinstance(link, TimeoutError) and link.errno for link in chain):
        return "socket", ""  # the kernel gave the connection up
    if kind in ("lost", "socket", "other") and ("closed here" in kinds or any(map(_closed_here, chain))):
        return "closed here", ""
    if kind == "other" and classes[0].__name__ == "LocalProtocolError" and "socket" in kinds:
        return "lost", ""  # HTTP/2's error after the other side went away
    return kind, timer


def _grpc_code(chain: Sequence[BaseException]) -> str:
    """The name of the status code that the first gRPC error in the chain carries; empty where there is none."""
    for link in chain:
        if any(_type_name(base) == "grpc.RpcError" for base in type(link).__mro__):
            with contextlib.suppress(Exception):
                return str(link.code().name)  # type: ignore[attr-defined]
    return ""


def _closed_here(error: BaseException) -> bool:
    """A read from a socket that this process has closed."""
    return isinstance(error, OSError) and error.errno == errno.EBADF


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and len(chain) < _CHAIN_LIMIT and not any(link is seen for seen in chain):
        chain.append(link)
        link = link.__cause__ or next(iter(_members(link)), link.__context__)
    return chain


def _members(error: BaseException) -> tuple[BaseException, ...]:
    members = getattr(error, "exceptions", ()) if type(error).__name__ in _GROUPS else ()
    return members if isinstance(members, tuple) else ()


def _link(error: BaseException) -> Link:
    return id(error), _type_name(type(error))


def _reachable(error: BaseException) -> frozenset[Link]:
    seen: set[Link] = set()
    waiting: list[BaseException | None] = [error]
    while waiting and len(seen) < 4 * _CHAIN_LIMIT:
        reached = waiting.pop()
        if reached is not None and _link(reached) not in seen:
            seen.add(_link(reached))
            waiting += (*reversed(_members(reached)), reached.__context__, reached.__cause__)
    return frozenset(seen)


def _status(error: BaseException) -> int | None:
    """The ``status_code`` that the SDKs put on their errors, httpx on the error's response."""
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int) and status >= 100:  # Ollama's error within a stream has -1
            return status
    return None


def _flattened(error: BaseException) -> str:
    """AutoGen's team raises ``RuntimeError("<Type>: <message>\\nTraceback:\\n...")`` for a member's exception."""
    if type(error) is not RuntimeError or not error.args:
        return ""
    text = str(error.args[0])
    head, colon, _ = text[:200].partition(":")
    return head if colon and head.isidentifier() and "\nTraceback" in text else ""
