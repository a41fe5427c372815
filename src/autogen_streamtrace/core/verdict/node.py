"""A stream before its judge, what it waits for, and the evidence that the rules are asked about."""

from typing import Any, Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.body.finish_reasons import FinishReasons, Meaning
from autogen_streamtrace.core.stream.state import Ending, StreamState
from autogen_streamtrace.core.verdict.rules import Evidence, Verdict


class StreamNode:
    """Its record, its open children, what its children suffered."""

    __slots__ = (
        "attempts",
        "carries",
        "ending",
        "exchange",
        "expires",
        "finished_at",
        "finisher",
        "heard",
        "inherited",
        "kids",
        "late",
        "loop_blocked",
        "loop_late",
        "outermost",
        "parent",
        "raised",
        "reasons",
        "refused",
        "stalls",
        "state",
        "verdict",
        "verdict_at",
        "waiting_kids",
    )

    def __init__(self, state: StreamState, parent: "StreamNode | None", reasons: FinishReasons) -> None:
        self.state = state
        self.reasons = reasons
        """What finish reasons mean."""
        self.parent = parent
        self.outermost = parent is None and state.layer != sc.HTTP
        """No traced stream encloses it. An HTTP exchange is no turn of anybody's."""
        self.kids: dict[StreamNode, None] = {}
        """Children without a verdict, in the order in which they started. Other threads copy it whole."""
        self.waiting_kids: dict[StreamNode, None] = {}
        """Those of them that have ended, in the order in which they did."""
        self.ending: Ending | None = None
        self.verdict: Verdict | None = None
        self.verdict_at = 0.0
        self.finished_at: float | None = None
        """When it really ended."""
        self.expires = 0.0
        self.late = parent is not None and parent.verdict is not None
        """It started after its parent's verdict."""
        self.raised: tuple[tuple[Ending, Verdict], ...] = ()
        """How children ended that raised, newest last."""
        self.inherited: Verdict | None = None
        """What the last child that was cut in silence suffered."""
        self.carries = False
        """Its verdict came up from a child."""
        self.refused: Verdict | None = None
        """The HTTP error status of the last attempt."""
        self.heard: StreamState | None = None
        """On ``model``: its last attempt, whose body says what it says whatever the client made of it."""
        self.finisher: sc.EndedBy | None = None
        """Who ended the last child that completed."""
        self.attempts = 0
        self.exchange: tuple[tuple[str, Any], ...] = ()
        """On ``model``: what its last exchange says of the server."""
        self.stalls = 0
        """How often its items stopped for longer than they may."""
        self.loop_blocked = False
        """In one of those times its event loop was blocked."""
        self.loop_late = 0.0
        """Seconds: the longest that its event loop was late, where that is worth telling."""

    @property
    def finish(self) -> str | None:
        """The finish reason, in the provider's words where they could be read."""
        return (self.heard.finish if self.heard is not None else None) or self.state.finish

    @property
    def meaning(self) -> Meaning | None:
        """What a model's finish reason means."""
        return self.reasons.meaning(self.finish) if self.state.layer == sc.MODEL else None

    @property
    def waiting(self) -> bool:
        """It has ended and waits for its parent's verdict."""
        return self.ending is not None and self.verdict is None

    @property
    def ended_at(self) -> float:
        """When it ended for its reader; for one that was open at the end of its process, when that was."""
        at = self.ending.at if self.ending is not None else self.finished_at
        return self.verdict_at if at is None else at

    @property
    def settled(self) -> bool:
        """It is over and judged: nothing about it changes any more."""
        return self.verdict is not None and self.finished_at is not None

    def release(self) -> None:
        """Lets go of streams that are settled too: contexts of tasks and kept connections may hold a stream for long.

        What is started inside it later belongs to the nearest stream around it that still goes on.
        """
        above = self.parent
        while above is not None and above.settled:
            above = above.parent
        self.parent = above
        self.state.parent = above.state if above is not None else None


def evidence(node: StreamNode) -> Evidence:
    """What the rules are asked about one stream."""
    state, ending = node.state, node.ending
    cause = ending.cause if ending is not None else None
    parent, heard = node.parent, node.heard
    of_model = parent is not None and parent.state.layer == sc.MODEL and state.carries_reply
    streamed = of_model and parent is not None and parent.state.info.streamed
    stopped_by = ending is not None and (ending.deadline is not None or ending.by_token)
    return Evidence(
        layer=state.layer,
        how=ending.how if ending is not None else "closed",
        kind=cause.kind if cause is not None else None,
        held=ending.held if ending is not None else False,
        thrown_in=ending.thrown_in if ending is not None else False,
        terminal=state.terminal,
        expects_terminator=(streamed and state.readable) or state.layer == sc.SERVER,
        of_model=of_model,
        finish=node.meaning,
        error=state.error or (heard is not None and heard.error),
        document=heard is not None and heard.document and state.info.streamed,
        empty=state.empty and heard is not None and state.info.streamed,
        terminated=state.terminated,
        status=state.status,
        gone=ending is not None and ending.gone,
        shutdown=ending is not None and ending.shutdown and not by_token(node),
        inside=ending is not None and ending.inside,
        deadline=stopped_by,
    )


def doing(node: StreamNode) -> tuple[sc.WaitingOn, str]:
    """What an open stream waits for: its reader, or the innermost open operation; its type and name."""
    return (sc.CALLER, "") if node.state.held else innermost(node)


def innermost(node: StreamNode) -> tuple[sc.WaitingOn, str]:
    """The innermost operation under ``node`` that is open, or was stopped with it: its type and name."""
    for kid in reversed(list(node.kids)):
        ending = kid.ending
        held = ending.held if ending is not None else kid.state.held
        stopped = ending is None or ending.cause is None or ending.cause.kind in ("cancelled", "closed")
        if stopped and not held:
            return innermost(kid)
    return itself(node.state)


_TYPES: Final[dict[sc.Layer, sc.WaitingOn]] = {sc.HTTP: "http", sc.MODEL: "model", sc.TOOL: "tool"}


def itself(state: StreamState) -> tuple[sc.WaitingOn, str]:
    """A stream as what another one waits for."""
    return _TYPES.get(state.layer, "agent"), state.name


def by_token(node: StreamNode) -> bool:
    """A token cancelled it, or something under it that was stopped."""
    own = node.ending is not None and node.ending.by_token
    return own or any(by_token(kid) for kid in node.waiting_kids)
