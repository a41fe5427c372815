"""A stream as its judge sees it, what it waits for, and its evidence for the rules."""

from typing import Any, Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.body.finish_reasons import FinishReasons, Meaning
from autogen_streamtrace.core.stream.state import Ending, StreamState
from autogen_streamtrace.core.verdict.rules import Evidence, Verdict


class StreamNode:
    """A stream's state, its open children, and how its children ended."""

    __slots__ = (
        "attempts",
        "broken",
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
        """The meanings of finish reasons."""
        self.parent = parent
        outlives = parent is None and state.parent is not None and state.parent.left
        self.outermost = parent is None and not outlives and state.layer != sc.HTTP
        """No traced stream encloses it, and it is no HTTP exchange."""
        self.kids = _NONE
        """Children without a verdict, in the order in which they started. Other threads copy all of it at once."""
        self.waiting_kids = _NONE
        """The children without a verdict that have ended, in the order of their ends."""
        self.ending: Ending | None = None
        self.verdict: Verdict | None = None
        self.verdict_at = 0.0
        self.finished_at: float | None = None
        """When it finished, in seconds on ``clock``."""
        self.expires = 0.0
        self.late = outlives or (parent is not None and parent.verdict is not None)
        """It started after the verdict of the stream around it."""
        self.raised: tuple[tuple[Ending, Verdict], ...] = ()
        """The endings of children that raised, newest last."""
        self.inherited: Verdict | None = None
        """The verdict of the last child that was cut without an exception."""
        self.carries = False
        """Its verdict came up from a child."""
        self.refused: Verdict | None = None
        """The HTTP error status of the last attempt."""
        self.broken: Verdict | None = None
        """How its last exchange failed, where none has answered since."""
        self.heard: StreamState | None = None
        """On ``model``: its last attempt. Its body is read, whatever the client made of it."""
        self.finisher: sc.EndedBy | None = None
        """Who ended the last child that completed."""
        self.attempts = 0
        self.exchange: tuple[tuple[str, Any], ...] = ()
        """On ``model``: the attributes of its last exchange that describe the server."""
        self.stalls = 0
        """How often its items stopped for longer than they may."""
        self.loop_blocked = False
        """Its event loop was blocked in one of these times."""
        self.loop_late = 0.0
        """The longest lateness of its event loop in seconds, where it is worth reporting."""

    def has(self, kid: "StreamNode") -> None:
        """A child has started."""
        if self.kids is _NONE:
            self.kids = {}
        self.kids[kid] = None

    def keeps_waiting(self, kid: "StreamNode") -> None:
        """A child has ended and waits for this stream."""
        if self.waiting_kids is _NONE:
            self.waiting_kids = {}
        self.waiting_kids[kid] = None

    def parts_with(self, kid: "StreamNode") -> None:
        """A child has its verdict."""
        self.kids.pop(kid, None)
        self.waiting_kids.pop(kid, None)

    def parts_with_all(self) -> None:
        """All children have their verdicts, or are on their own."""
        self.kids = self.waiting_kids = _NONE

    @property
    def finish(self) -> str | None:
        """The finish reason, in the provider's own word where it could be read."""
        return (self.heard.finish if self.heard is not None else None) or self.state.finish

    @property
    def meaning(self) -> Meaning | None:
        """What a model's finish reason means."""
        speaks = self.state.layer == sc.MODEL or self.state.alone
        return self.reasons.meaning(self.finish) if speaks else None

    @property
    def waiting(self) -> bool:
        """It has ended and waits for its parent's verdict."""
        return self.ending is not None and self.verdict is None

    @property
    def ended_at(self) -> float:
        """When it ended for its reader, or when its process ended."""
        at = self.ending.at if self.ending is not None else self.finished_at
        return self.verdict_at if at is None else at

    @property
    def settled(self) -> bool:
        """It is judged and has finished: nothing about it changes any more."""
        return self.verdict is not None and self.finished_at is not None

    def release(self) -> None:
        """Drops the settled streams around it: contexts of tasks and idle connections may refer to a stream for long.

        A stream that starts inside it later belongs to the nearest stream around it that is not settled.
        """
        above = self.parent
        while above is not None and above.settled:
            above = above.parent
        self.parent = above
        self.state.parent = above.state if above is not None else None


_NONE: Final[dict[StreamNode, None]] = {}
"""No children, which saves two dictionaries for each stream. Nothing is put into it."""


def evidence(node: StreamNode) -> Evidence:
    """The evidence of one stream for the rules."""
    state, ending = node.state, node.ending
    cause = ending.cause if ending is not None else None
    parent, heard = node.parent, node.heard
    of_model = state.carries_reply
    streamed = state.alone or (of_model and parent is not None and parent.state.info.streamed)
    looked_into = state.info.streamed or (state.items_read and not state.terminated)
    unseen = state.items_read and not node.attempts
    stopped_by = ending is not None and (ending.deadline is not None or ending.by_token)
    return Evidence(
        layer=state.layer,
        how=ending.how if ending is not None else "closed",
        kind=cause.kind if cause is not None else None,
        held=ending.held if ending is not None else False,
        thrown_in=ending.thrown_in if ending is not None else False,
        terminal=state.terminal,
        expects_terminator=(streamed and state.readable) or state.layer == sc.SERVER or unseen,
        unseen=unseen,
        of_model=of_model,
        alone=state.alone,
        finish=node.meaning,
        error=state.error or (heard is not None and heard.error),
        document=heard is not None and heard.document and looked_into,
        empty=state.empty and heard is not None and looked_into,
        terminated=state.terminated,
        status=state.status,
        gone=ending is not None and ending.gone,
        shutdown=ending is not None and ending.shutdown and not by_token(node),
        inside=ending is not None and ending.inside,
        deadline=stopped_by,
    )


def doing(node: StreamNode) -> tuple[sc.WaitingOn, str]:
    """The type and name of what an open stream waits for: its reader, or the innermost open operation."""
    return (sc.CALLER, "") if node.state.held else innermost(node)


def innermost(node: StreamNode) -> tuple[sc.WaitingOn, str]:
    """The type and name of the innermost operation under ``node`` that is open, or was stopped with it."""
    for kid in reversed(list(node.kids)):
        ending = kid.ending
        held = ending.held if ending is not None else kid.state.held
        stopped = ending is None or ending.cause is None or ending.cause.kind in ("cancelled", "closed")
        if stopped and not held:
            return innermost(kid)
    return itself(node.state)


_TYPES: Final[dict[sc.Layer, sc.WaitingOn]] = {sc.HTTP: "http", sc.MODEL: "model", sc.TOOL: "tool"}


def itself(state: StreamState) -> tuple[sc.WaitingOn, str]:
    """A stream as something that another stream waits for: its type and name."""
    return _TYPES.get(state.layer, "agent"), state.name


def by_token(node: StreamNode) -> bool:
    """Whether a token cancelled it, or a stopped stream under it."""
    own = node.ending is not None and node.ending.by_token
    return own or any(by_token(kid) for kid in node.waiting_kids)
