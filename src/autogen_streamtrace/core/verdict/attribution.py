"""Whose verdict: how the endings of nested streams explain each other.

Up: a stream that raises takes the verdict of the child whose exception it carries; one that ends normally takes
what its child suffered in silence. Down: a child that was merely stopped takes the verdict of what stopped it, so
it waits for its parent. Pure bookkeeping on one thread: no I/O, no clock but the times it is given.
"""

from collections.abc import Callable
from typing import Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.causes import Cause
from autogen_streamtrace.core.evidence.deadlines import Deadline
from autogen_streamtrace.core.stream.state import Ending, StreamState
from autogen_streamtrace.core.verdict import limits
from autogen_streamtrace.core.verdict.limits import Limit
from autogen_streamtrace.core.verdict.node import StreamNode, by_token, doing, evidence, innermost, itself
from autogen_streamtrace.core.verdict.rules import FAILED_FINISH, Evidence, Rule, Verdict, judge

PATIENCE: Final = 5.0
"""Seconds that a stopped stream waits for its parent's end."""

_KEPT: Final = 8
"""Endings by exception that a stream remembers of its children."""


class Attribution:
    """All open streams of a process.

    Args:
        settled: is called once for each, when it is over and judged.
        suspect: finds the limit that would explain an ending.
    """

    def __init__(self, settled: Callable[[StreamNode], None], suspect: limits.Suspect = limits.no_suspicion) -> None:
        self._settled = settled
        self._suspect = suspect
        self.open: dict[StreamNode, None] = {}
        self._waiting: dict[StreamNode, None] = {}
        self._strays: tuple[tuple[float, Cause, Verdict], ...] = ()
        """Starts, exceptions and verdicts of exchanges outside of any stream, newest last.

        In a thread without its starter's context only the exception tells whose exchange it was.
        """

    def started(self, state: StreamState) -> StreamNode:
        """A stream was read for the first time."""
        parent = state.parent.node if state.parent is not None else None
        if parent is not None and parent.attribution is not self:
            parent = None  # it was opened before a fork, or under an earlier instrument()
        node = state.node = StreamNode(self, state, parent)
        self.open[node] = None
        if parent is not None and parent.verdict is None:
            self._went_on(parent, state.layer)
            parent.kids = (*parent.kids, node)
            if state.layer == sc.HTTP and parent.state.layer == sc.MODEL:
                parent.attempts += 1
                parent.inherited = parent.refused = None
        return node

    def ended(self, node: StreamNode, ending: Ending) -> None:
        """A stream ended for its reader."""
        if node.ending is not None:
            if ending.over:
                self.over(node, ending.at)
            return
        node.ending = ending
        node.state.read_tail()
        if ending.over:
            node.over_at = ending.at
        above = _cut_above(node) if _stopped(node) else None
        if node.verdict is not None:
            self._close(node)
        elif above is not None and above.verdict is not None:
            self._fix(node, above.verdict._replace(origin=False), max(above.verdict_at, node.state.start))
        elif _stopped(node) and node.parent is not None and node.parent.verdict is None:
            node.expires = ending.at + PATIENCE
            self._waiting[node] = None
        else:
            self._fix(node, self._judge(node), ending.at)

    def left(self, node: StreamNode, ending: Ending, idle: bool) -> None:
        """The end user of a server layer's stream is gone; where ``idle``, that ends it only if a stream is open."""
        if not idle or any(kid.ending is None for kid in node.kids):
            self.ended(node, ending)

    def over(self, node: StreamNode, at: float) -> None:
        """A stream that had ended for its reader really ended."""
        if node.over_at is None:
            node.over_at = at
            self._close(node)

    def tick(self, now: float) -> None:
        """Judges the streams alone that have waited for their parent long enough."""
        for node in list(self._waiting):
            if node.verdict is None and (_parent_went_on(node) or now >= node.expires):
                self._alone(node)

    @property
    def impatient(self) -> bool:
        """Some stream waits, so that ``tick`` has to be called."""
        return bool(self._waiting)

    def stopped(self, loop: int, ending: Ending) -> None:
        """The event loop ``loop`` was closed: none of its streams can be read again."""
        for node in [c for c in self.open if c.state.loop == loop]:
            self.ended(node, ending)
            self.over(node, ending.at)

    def killed(self, now: float, limit: Limit | None = None) -> None:
        """The process ended with these streams open, for this limit."""
        for node in list(self.open):
            if node.verdict is None:
                killed = Verdict(sc.KILLED, "process", *doing(node), "interpreter ended", node.outermost, limit=limit)
                self._fix(node, killed, now)
            self.ended(node, Ending("closed", now))
            self.over(node, now)

    def _went_on(self, parent: StreamNode, layer: sc.Layer) -> None:
        """A parent that starts another child was not stopped with the one before."""
        if layer == sc.TOOL or parent.state.layer == sc.TEAM:
            return
        for kid in [k for k in parent.kids if k.waiting and k.state.layer == layer]:
            self._alone(kid)

    def _alone(self, node: StreamNode) -> None:
        assert node.ending is not None
        finished = node.ending.how == "raised" and node.state.terminal
        self._fix(node, self._finished(node) if finished else self._judge(node), node.ending.at)

    def _judge(self, node: StreamNode) -> Verdict:
        ending = node.ending
        assert ending is not None
        for kid in node.kids:
            _hear(node, kid)
            if _silent(kid) and not _unparsable(ending):
                self._alone(kid)
        if ending.how == "raised":
            carried = self._carried(node, ending)
            if carried is not None:
                return carried
        seen = evidence(node)
        rule = judge(seen)
        if rule.outcome == sc.COMPLETED and node.inherited is not None:
            return node.inherited._replace(origin=False)
        return self._own(node, seen, rule, ending)

    def _carried(self, node: StreamNode, ending: Ending) -> Verdict | None:
        """The verdict of the child whose exception this stream raises, if it is a child's."""
        cause = ending.cause
        assert cause is not None
        if cause.kind in ("cancelled", "closed"):
            return None
        for kid in reversed([k for k in node.kids if k.waiting]):
            theirs = kid.ending.cause if kid.ending is not None else None
            if theirs is None or theirs.raised not in cause.links:
                continue
            if theirs.kind != "cancelled":
                self._fix(kid, self._judge(kid), ending.at)
            elif cause.deadline:
                self._fix(kid, self._struck(kid), ending.at)
        for theirs_ending, verdict in reversed(node.raised):
            theirs = theirs_ending.cause
            assert theirs is not None
            if theirs.kind == "cancelled" or not theirs.types:
                continue
            same = theirs.raised in cause.links
            if same or cause.flattened == _simple(theirs.types[0]):
                return _taken(node, cause, verdict, same)
        for start, theirs, verdict in reversed(self._strays):
            if start >= node.state.start and theirs.raised in cause.links:
                return _taken(node, cause, verdict, same=True)
        unnamed = cause.status is None and node.state.layer == sc.MODEL
        if node.refused is not None and (unnamed or cause.status == node.refused.status):
            return node.refused._replace(
                origin=False,
                cause_type=cause.root,
                cause_chain=cause.types,
                cause_layer=node.state.layer,
            )
        return None

    def _struck(self, kid: StreamNode) -> Verdict:
        """A ``TimeoutError`` over a child's ``CancelledError``: a deadline was set between the two."""
        assert kid.ending is not None
        seen = evidence(kid)._replace(shutdown=False)
        own = self._own(kid, seen, judge(seen), kid.ending)
        return own._replace(cancelled_by=sc.BY_DEADLINE, origin=False)

    def _own(self, node: StreamNode, seen: Evidence, rule: Rule, ending: Ending | None) -> Verdict:
        state = node.state
        cause = ending.cause if ending is not None else None
        if cause is not None and cause.kind == "closed" and rule.outcome != sc.ABANDONED:
            cause = None  # that it was closed explains nothing
        waiting, name = _waiting_on(node, rule)
        ended_by = rule.ended_by(seen)
        if rule.outcome == sc.COMPLETED:
            if node.finisher is not None and state.layer in (sc.AGENT, sc.TEAM, sc.STREAM, sc.SERVER):
                ended_by = node.finisher
            return Verdict(rule.outcome, ended_by, waiting, name, rule.name)
        stopped = rule.outcome in (sc.CANCELLED, sc.ABANDONED)
        cancelled_by = _cancelled_by(node, rule, ended_by)
        limit = _limit(node, rule, ended_by)
        if state.layer in (sc.HTTP, sc.SERVER) and limit is None and ending is not None:
            limit = self._suspect(_observed(state, rule.outcome, ending, cancelled_by))
        return Verdict(
            rule.outcome,
            ended_by,
            waiting,
            name,
            rule.name,
            origin=not (stopped and node.late),
            cause_type=cause.root if cause is not None else "",
            cause_chain=cause.types if cause is not None else (),
            cause_layer=state.layer if cause is not None and cause.types else None,
            status=state.status if state.layer == sc.HTTP and rule.outcome == sc.REJECTED else None,
            cancelled_by=cancelled_by,
            limit=limit,
            intermediary=state.intermediary,
        )

    def _fix(self, node: StreamNode, verdict: Verdict, at: float) -> None:
        """The verdict falls: on the stream, on the children that it stopped, and in its parent's memory."""
        if node.verdict is not None:
            return
        node.verdict, node.verdict_at = verdict, at
        self._waiting.pop(node, None)
        hand_down = self._let_go if node.state.layer == sc.SERVER else self._hand_down
        for kid in node.kids:
            hand_down(kid, verdict, at)
            _hear(node, kid)
        node.kids = ()
        if node.parent is not None:
            node.parent.kids = tuple(kid for kid in node.parent.kids if kid is not node)
            _remember(node.parent, node, verdict)
        elif node.state.layer == sc.HTTP and node.ending is not None and node.ending.cause is not None:
            self._strays = (*self._strays[1 - _KEPT :], (node.state.start, node.ending.cause, verdict))
        self._close(node)

    def _hand_down(self, kid: StreamNode, verdict: Verdict, at: float) -> None:
        kid.state.read_tail()
        refused = kid.state.layer == sc.HTTP and (kid.state.status or 0) >= 400
        finished = kid.state.terminal and kid.state.last <= at  # what arrives later is not the parent's any more
        if _silent(kid) and verdict.outcome != sc.MALFORMED:
            self._alone(kid)
        elif finished or refused or not _goes_down(verdict):
            self._fix(kid, self._finished(kid), at)
        else:
            self._fix(kid, verdict._replace(origin=False), at)

    def _let_go(self, kid: StreamNode, verdict: Verdict, at: float) -> None:
        """Under a server layer, which reads no stream itself, what is open goes on: it may outlive the response.

        What had stopped before the end user left was stopped by something else.
        """
        if not kid.waiting:
            return
        carrier = kid.parent
        assert carrier is not None
        if (carrier.ending is not None and carrier.ending.gone) or not _goes_down(verdict):
            self._alone(kid)
        else:
            self._hand_down(kid, verdict, at)

    def _finished(self, node: StreamNode) -> Verdict:
        """The verdict of a stream whose end had been delivered before it was stopped."""
        seen = evidence(node)._replace(how="closed", kind=None, terminal=True)
        return self._own(node, seen, judge(seen), None)

    def _close(self, node: StreamNode) -> None:
        if node.verdict is None or node.over_at is None or node not in self.open:
            return
        del self.open[node]
        _fill(node)
        self._settled(node)


def _waiting_on(node: StreamNode, rule: Rule) -> tuple[sc.WaitingOn, str]:
    if rule.waiting == "self":
        return itself(node.state)
    if rule.waiting == "innermost":
        return innermost(node)
    return rule.waiting, ""


def _stopped(node: StreamNode) -> bool:
    """It was stopped from above, or raised after its end: only its parent's end shows which.

    A body that ended in silence may have ended in the middle of an event, of which its reader may complain.
    """
    state, ending = node.state, node.ending
    assert ending is not None
    if state.layer == sc.HTTP and (state.status or 0) >= 400:
        return False
    if ending.how == "closed":
        return ending.gone or not state.terminal
    if ending.how == "returned":
        return _silent(node)
    return ending.cause is not None and (state.terminal or _from_above(ending))


def _silent(node: StreamNode) -> bool:
    """The body of a model's reply that ended cleanly, and said nothing of an end."""
    returned = node.ending is not None and node.ending.how == "returned" and node.state.layer == sc.HTTP
    return returned and judge(evidence(node)).outcome == sc.TRUNCATED


def _unparsable(ending: Ending) -> bool:
    return ending.cause is not None and ending.cause.kind == "malformed"


def _cut_above(node: StreamNode) -> StreamNode | None:
    """The server layer around it that was cut before: what is stopped after that was stopped by it."""
    above = node.parent
    while above is not None:
        if above.state.layer == sc.SERVER and above.verdict is not None and _goes_down(above.verdict):
            return above
        above = above.parent
    return None


def _from_above(ending: Ending) -> bool:
    return ending.cause is not None and ending.cause.kind in ("cancelled", "closed")


def _parent_went_on(node: StreamNode) -> bool:
    parent, ending = node.parent, node.ending
    if parent is None or ending is None or node.state.layer == sc.TOOL or parent.state.layer == sc.TEAM:
        return False
    return parent.state.chunks > ending.parent_chunks


def _goes_down(verdict: Verdict) -> bool:
    """What the model said of its reply is no ending of the exchange that carried it."""
    if verdict.outcome in (sc.COMPLETED, sc.LENGTH, sc.FILTERED):
        return False
    return verdict.rule != FAILED_FINISH


def _goes_up(verdict: Verdict) -> bool:
    return verdict.outcome in (sc.TRUNCATED, sc.LENGTH, sc.FILTERED) or verdict.rule == FAILED_FINISH


def _hear(parent: StreamNode, kid: StreamNode) -> None:
    """What the body of a model's reply said of it."""
    if parent.state.layer == sc.MODEL and kid.state.layer == sc.HTTP:
        kid.state.read_tail()
        parent.heard = kid.state
        parent.exchange = kid.state.info.attributes
        parent.state.terminated = kid.state.terminated
        parent.state.status = kid.state.status


def _taken(node: StreamNode, cause: Cause, verdict: Verdict, same: bool) -> Verdict:
    """The verdict of the stream whose exception this one carries: the same, or one in which it is but a text."""
    return verdict._replace(
        origin=False,
        cause_type=verdict.cause_type or cause.root,
        cause_chain=_chain(cause.types, verdict.cause_chain, same),
        cause_layer=verdict.cause_layer or node.state.layer,
    )


def _fill(node: StreamNode) -> None:
    """What the body said, and the client's result did not."""
    state, heard = node.state, node.heard
    if heard is None:
        return
    state.finish = node.finish
    state.response_id, state.response_model = heard.response_id, heard.response_model
    if state.input_tokens is None:
        state.input_tokens = heard.input_tokens
    if state.output_tokens is None:
        state.output_tokens = heard.output_tokens
    node.heard = None


def _remember(parent: StreamNode, kid: StreamNode, verdict: Verdict) -> None:
    if parent.verdict is not None:
        return
    if kid.ending is not None and kid.ending.how == "raised":
        parent.raised = (*parent.raised[1 - _KEPT :], (kid.ending, verdict))
    _hear(parent, kid)
    if kid.state.layer == sc.HTTP and verdict.status is not None:
        parent.refused = verdict
    if verdict.outcome == sc.COMPLETED:
        parent.finisher = verdict.ended_by
    elif kid.state.layer != sc.TOOL and _goes_up(verdict):
        parent.inherited = verdict


def _cancelled_by(node: StreamNode, rule: Rule, ended_by: sc.EndedBy) -> sc.CancelledBy | None:
    if rule.outcome not in (sc.CANCELLED, sc.ABANDONED):
        return None
    if ended_by == sc.END_USER:
        return sc.BY_DISCONNECT
    if ended_by == sc.PROCESS:
        return sc.BY_SHUTDOWN
    if _deadline(node, rule, ended_by) is not None:
        return sc.BY_DEADLINE
    if rule.outcome == sc.ABANDONED:
        return None
    return sc.BY_TOKEN if by_token(node) else sc.BY_TASK


def _deadline(node: StreamNode, rule: Rule, ended_by: sc.EndedBy) -> Deadline | None:
    stopped = rule.outcome in (sc.CANCELLED, sc.ABANDONED) and ended_by == sc.CALLER
    return node.ending.deadline if stopped and node.ending is not None else None


def _limit(node: StreamNode, rule: Rule, ended_by: sc.EndedBy) -> Limit | None:
    """The limit that this process set and that struck."""
    deadline = _deadline(node, rule, ended_by)
    if deadline is None and ended_by == sc.PROCESS and node.ending is not None:
        deadline = node.ending.grace
    if deadline is not None:
        return Limit(deadline.limit, deadline.seconds, sc.CONFIGURED)
    timer = node.ending.cause.timer if node.ending is not None and node.ending.cause is not None else ""
    if rule.outcome != sc.TIMEOUT or not timer or node.state.timeouts is None:
        return None
    return Limit(f"http_client.{timer}_timeout", node.state.timeouts.get(timer), sc.CONFIGURED)


def _observed(
    state: StreamState, outcome: sc.Outcome, ending: Ending, cancelled_by: sc.CancelledBy | None
) -> limits.Observation:
    first = state.first - state.start if state.chunks else None
    duration = ending.at - state.start
    silence = ending.at - state.last
    refused = outcome == sc.REJECTED
    return limits.Observation(
        outcome,
        silence=(duration if first is None else first) if refused else silence,
        duration=duration,
        first=first,
        status=state.status if state.layer == sc.HTTP else None,
        intermediary=state.intermediary,
        cause=ending.cause.root if ending.cause is not None else "",
        cancelled_by=cancelled_by or "",
    )


def _simple(name: str) -> str:
    return name.rpartition(".")[2]


def _chain(own: tuple[str, ...], theirs: tuple[str, ...], same: bool) -> tuple[str, ...]:
    """What the stream raised, down to what its child raised, and on from there."""
    if not same or not theirs or theirs[0] not in own:
        return own + theirs
    joint = own.index(theirs[0])
    return own if len(own) - joint >= len(theirs) else own[:joint] + theirs
