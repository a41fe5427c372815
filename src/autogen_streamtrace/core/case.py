"""A stream before its judge, what it waits for, and the evidence that the rules are asked about."""

from typing import Any, Final

from . import names as n
from .endings import Evidence, Verdict
from .record import Ending, Record


class Case:
    """Its record, its open children, what its children suffered."""

    __slots__ = (
        "attempts",
        "ending",
        "exchange",
        "expires",
        "finisher",
        "heard",
        "inherited",
        "kids",
        "late",
        "lineage",
        "loop_blocked",
        "over_at",
        "parent",
        "raised",
        "record",
        "refused",
        "stalls",
        "verdict",
        "verdict_at",
    )

    def __init__(self, lineage: object, record: Record, parent: "Case | None") -> None:
        self.lineage = lineage
        """Whose it is: after a fork, or a later ``instrument()``, there is another one."""
        self.record = record
        self.parent = parent
        self.kids: tuple[Case, ...] = ()
        """Children without a verdict, in the order in which they started."""
        self.ending: Ending | None = None
        self.verdict: Verdict | None = None
        self.verdict_at = 0.0
        self.over_at: float | None = None
        """When it really ended."""
        self.expires = 0.0
        self.late = parent is not None and parent.verdict is not None
        """It started after its parent's verdict."""
        self.raised: tuple[tuple[Ending, Verdict], ...] = ()
        """How children ended that raised, newest last."""
        self.inherited: Verdict | None = None
        """What the last child that was cut in silence suffered."""
        self.refused: Verdict | None = None
        """The HTTP error status of the last attempt."""
        self.heard: Record | None = None
        """On ``model``: its last attempt, whose body says what it says whatever the client made of it."""
        self.finisher: n.EndedBy | None = None
        """Who ended the last child that completed."""
        self.attempts = 0
        self.exchange: tuple[tuple[str, Any], ...] = ()
        """On ``model``: what its last exchange says of the server."""
        self.stalls = 0
        """How often its items stopped for longer than they may."""
        self.loop_blocked = False
        """In one of those times its event loop was blocked."""

    @property
    def finish(self) -> str | None:
        """The finish reason, in the provider's words where they could be read."""
        return (self.heard.finish if self.heard is not None else None) or self.record.finish

    @property
    def outermost(self) -> bool:
        """No traced stream encloses it."""
        return self.parent is None

    @property
    def waiting(self) -> bool:
        """It has ended and waits for its parent's verdict."""
        return self.ending is not None and self.verdict is None


def evidence(case: Case) -> Evidence:
    """What the rules are asked about one stream."""
    record, ending = case.record, case.ending
    cause = ending.cause if ending is not None else None
    of_model = record.layer == n.HTTP and case.parent is not None and case.parent.record.layer == n.MODEL
    streamed = of_model and record.parent is not None and record.parent.opening.streamed
    return Evidence(
        layer=record.layer,
        how=ending.how if ending is not None else "closed",
        kind=cause.kind if cause is not None else None,
        held=ending.held if ending is not None else False,
        thrown_in=ending.thrown_in if ending is not None else False,
        terminal=record.terminal,
        expects_terminator=(streamed and record.readable) or record.layer == n.SERVER,
        of_model=of_model,
        finish=case.finish,
        status=record.status,
        gone=ending is not None and ending.gone,
        shutdown=ending is not None and ending.shutdown and not by_token(case),
    )


def doing(case: Case) -> tuple[n.WaitingOn, str]:
    """What an open stream waits for: its reader, or the innermost open operation; its type and name."""
    return (n.CALLER, "") if case.record.held else innermost(case)


def innermost(case: Case) -> tuple[n.WaitingOn, str]:
    """The innermost operation under ``case`` that is open, or was stopped with it: its type and name."""
    for kid in reversed(case.kids):
        ending = kid.ending
        held = ending.held if ending is not None else kid.record.held
        stopped = ending is None or ending.cause is None or ending.cause.kind in ("cancelled", "closed")
        if stopped and not held:
            return innermost(kid)
    return itself(case.record)


_TYPES: Final[dict[n.Layer, n.WaitingOn]] = {n.HTTP: "http", n.MODEL: "model", n.TOOL: "tool"}


def itself(record: Record) -> tuple[n.WaitingOn, str]:
    """A stream as what another one waits for."""
    return _TYPES.get(record.layer, "agent"), record.name


def by_token(case: Case) -> bool:
    """A token cancelled it, or something under it that was stopped."""
    own = case.ending is not None and case.ending.by_token
    return own or any(by_token(kid) for kid in case.kids if kid.waiting)
