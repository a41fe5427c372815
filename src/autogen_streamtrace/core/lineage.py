"""Whose verdict: how the endings of nested streams explain each other.

Up: a stream that raises takes the verdict of the child whose exception it carries; one that ends normally takes
what its child suffered in silence. Down: a child that was merely stopped takes the verdict of what stopped it, so
it waits for its parent. Pure bookkeeping on one thread: no I/O, no clock but the times it is given.
"""

from collections.abc import Callable
from typing import Final

from . import limits
from . import names as n
from .case import Case, by_token, doing, evidence, innermost, itself
from .causes import Cause
from .deadlines import Deadline
from .endings import FAILED_FINISH, Evidence, Limit, Rule, Verdict, judge
from .record import Ending, Record

PATIENCE: Final = 5.0
"""Seconds that a stopped stream waits for its parent's end."""

_KEPT: Final = 8
"""Endings by exception that a stream remembers of its children."""


class Lineage:
    """All open streams of a process.

    Args:
        settled: is called once for each, when it is over and judged.
        suspect: finds the limit that would explain an ending.
    """

    def __init__(self, settled: Callable[[Case], None], suspect: limits.Suspect = limits.no_suspicion) -> None:
        self._settled = settled
        self._suspect = suspect
        self.open: dict[Case, None] = {}
        self._waiting: dict[Case, None] = {}
        self._strays: tuple[tuple[float, Cause, Verdict], ...] = ()
        """Starts, exceptions and verdicts of exchanges outside of any stream, newest last.

        In a thread without its starter's context only the exception tells whose exchange it was.
        """

    def started(self, record: Record) -> Case:
        """A stream was read for the first time."""
        parent = record.parent.case if record.parent is not None else None
        if parent is not None and parent.lineage is not self:
            parent = None  # it was opened before a fork, or under an earlier instrument()
        case = record.case = Case(self, record, parent)
        self.open[case] = None
        if parent is not None and parent.verdict is None:
            self._went_on(parent, record.layer)
            parent.kids = (*parent.kids, case)
            if record.layer == n.HTTP and parent.record.layer == n.MODEL:
                parent.attempts += 1
                parent.inherited = parent.refused = None
        return case

    def ended(self, case: Case, ending: Ending) -> None:
        """A stream ended for its reader."""
        if case.ending is not None:
            if ending.over:
                self.over(case, ending.at)
            return
        case.ending = ending
        case.record.read_tail()
        if ending.over:
            case.over_at = ending.at
        above = _cut_above(case) if _stopped(case) else None
        if case.verdict is not None:
            self._close(case)
        elif above is not None and above.verdict is not None:
            self._fix(case, above.verdict._replace(origin=False), max(above.verdict_at, case.record.start))
        elif _stopped(case) and case.parent is not None and case.parent.verdict is None:
            case.expires = ending.at + PATIENCE
            self._waiting[case] = None
        else:
            self._fix(case, self._judge(case), ending.at)

    def left(self, case: Case, ending: Ending, idle: bool) -> None:
        """The end user of a server layer's stream is gone; where ``idle``, that ends it only if a stream is open."""
        if not idle or any(kid.ending is None for kid in case.kids):
            self.ended(case, ending)

    def over(self, case: Case, at: float) -> None:
        """A stream that had ended for its reader really ended."""
        if case.over_at is None:
            case.over_at = at
            self._close(case)

    def tick(self, now: float) -> None:
        """Judges the streams alone that have waited for their parent long enough."""
        for case in list(self._waiting):
            if case.verdict is None and (_parent_went_on(case) or now >= case.expires):
                self._alone(case)

    @property
    def impatient(self) -> bool:
        """Some stream waits, so that ``tick`` has to be called."""
        return bool(self._waiting)

    def stopped(self, loop: int, ending: Ending) -> None:
        """The event loop ``loop`` was closed: none of its streams can be read again."""
        for case in [c for c in self.open if c.record.loop == loop]:
            self.ended(case, ending)
            self.over(case, ending.at)

    def killed(self, now: float, limit: Limit | None = None) -> None:
        """The process ended with these streams open, for this limit."""
        for case in list(self.open):
            if case.verdict is None:
                killed = Verdict(n.KILLED, "process", *doing(case), "interpreter ended", case.outermost, limit=limit)
                self._fix(case, killed, now)
            self.ended(case, Ending("closed", now))
            self.over(case, now)

    def _went_on(self, parent: Case, layer: n.Layer) -> None:
        """A parent that starts another child was not stopped with the one before."""
        if layer == n.TOOL or parent.record.layer == n.TEAM:
            return
        for kid in [k for k in parent.kids if k.waiting and k.record.layer == layer]:
            self._alone(kid)

    def _alone(self, case: Case) -> None:
        assert case.ending is not None
        finished = case.ending.how == "raised" and case.record.terminal
        self._fix(case, self._finished(case) if finished else self._judge(case), case.ending.at)

    def _judge(self, case: Case) -> Verdict:
        ending = case.ending
        assert ending is not None
        for kid in case.kids:
            _hear(case, kid)
            if _silent(kid) and not _unparsable(ending):
                self._alone(kid)
        if ending.how == "raised":
            carried = self._carried(case, ending)
            if carried is not None:
                return carried
        seen = evidence(case)
        rule = judge(seen)
        if rule.outcome == n.COMPLETED and case.inherited is not None:
            return case.inherited._replace(origin=False)
        return self._own(case, seen, rule, ending)

    def _carried(self, case: Case, ending: Ending) -> Verdict | None:
        """The verdict of the child whose exception this stream raises, if it is a child's."""
        cause = ending.cause
        assert cause is not None
        if cause.kind in ("cancelled", "closed"):
            return None
        for kid in reversed([k for k in case.kids if k.waiting]):
            theirs = kid.ending.cause if kid.ending is not None else None
            if theirs is None or theirs.raised not in cause.links:
                continue
            if theirs.kind != "cancelled":
                self._fix(kid, self._judge(kid), ending.at)
            elif cause.deadline:
                self._fix(kid, self._struck(kid), ending.at)
        for theirs_ending, verdict in reversed(case.raised):
            theirs = theirs_ending.cause
            assert theirs is not None
            if theirs.kind == "cancelled" or not theirs.types:
                continue
            same = theirs.raised in cause.links
            if same or cause.flattened == _simple(theirs.types[0]):
                return _taken(case, cause, verdict, same)
        for start, theirs, verdict in reversed(self._strays):
            if start >= case.record.start and theirs.raised in cause.links:
                return _taken(case, cause, verdict, same=True)
        unnamed = cause.status is None and case.record.layer == n.MODEL
        if case.refused is not None and (unnamed or cause.status == case.refused.status):
            return case.refused._replace(
                origin=False,
                cause_type=cause.root,
                cause_chain=cause.types,
                cause_layer=case.record.layer,
            )
        return None

    def _struck(self, kid: Case) -> Verdict:
        """A ``TimeoutError`` over a child's ``CancelledError``: a deadline was set between the two."""
        assert kid.ending is not None
        seen = evidence(kid)._replace(shutdown=False)
        own = self._own(kid, seen, judge(seen), kid.ending)
        return own._replace(cancelled_by=n.BY_DEADLINE, origin=False)

    def _own(self, case: Case, seen: Evidence, rule: Rule, ending: Ending | None) -> Verdict:
        record = case.record
        cause = ending.cause if ending is not None else None
        if cause is not None and cause.kind == "closed" and rule.outcome != n.ABANDONED:
            cause = None  # that it was closed explains nothing
        waiting, name = _waiting_on(case, rule)
        ended_by = rule.ended_by(seen)
        if rule.outcome == n.COMPLETED:
            if case.finisher is not None and record.layer in (n.AGENT, n.TEAM, n.STREAM, n.SERVER):
                ended_by = case.finisher
            return Verdict(rule.outcome, ended_by, waiting, name, rule.name)
        stopped = rule.outcome in (n.CANCELLED, n.ABANDONED)
        cancelled_by = _cancelled_by(case, rule, ended_by)
        limit = _limit(case, rule, ended_by)
        if record.layer in (n.HTTP, n.SERVER) and limit is None and ending is not None:
            limit = self._suspect(_seen(record, rule.outcome, ending, cancelled_by))
        return Verdict(
            rule.outcome,
            ended_by,
            waiting,
            name,
            rule.name,
            origin=not (stopped and case.late),
            cause_type=cause.root if cause is not None else "",
            cause_chain=cause.types if cause is not None else (),
            cause_layer=record.layer if cause is not None and cause.types else None,
            status=record.status if record.layer == n.HTTP and rule.outcome == n.REJECTED else None,
            cancelled_by=cancelled_by,
            limit=limit,
            intermediary=record.intermediary,
        )

    def _fix(self, case: Case, verdict: Verdict, at: float) -> None:
        """The verdict falls: on the stream, on the children that it stopped, and in its parent's memory."""
        if case.verdict is not None:
            return
        case.verdict, case.verdict_at = verdict, at
        self._waiting.pop(case, None)
        hand_down = self._let_go if case.record.layer == n.SERVER else self._hand_down
        for kid in case.kids:
            hand_down(kid, verdict, at)
            _hear(case, kid)
        case.kids = ()
        if case.parent is not None:
            case.parent.kids = tuple(kid for kid in case.parent.kids if kid is not case)
            _remember(case.parent, case, verdict)
        elif case.record.layer == n.HTTP and case.ending is not None and case.ending.cause is not None:
            self._strays = (*self._strays[1 - _KEPT :], (case.record.start, case.ending.cause, verdict))
        self._close(case)

    def _hand_down(self, kid: Case, verdict: Verdict, at: float) -> None:
        kid.record.read_tail()
        refused = kid.record.layer == n.HTTP and (kid.record.status or 0) >= 400
        finished = kid.record.terminal and kid.record.last <= at  # what arrives later is not the parent's any more
        if _silent(kid) and verdict.outcome != n.MALFORMED:
            self._alone(kid)
        elif finished or refused or not _goes_down(verdict):
            self._fix(kid, self._finished(kid), at)
        else:
            self._fix(kid, verdict._replace(origin=False), at)

    def _let_go(self, kid: Case, verdict: Verdict, at: float) -> None:
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

    def _finished(self, case: Case) -> Verdict:
        """The verdict of a stream whose end had been delivered before it was stopped."""
        seen = evidence(case)._replace(how="closed", kind=None, terminal=True)
        return self._own(case, seen, judge(seen), None)

    def _close(self, case: Case) -> None:
        if case.verdict is None or case.over_at is None or case not in self.open:
            return
        del self.open[case]
        _fill(case)
        self._settled(case)


def _waiting_on(case: Case, rule: Rule) -> tuple[n.WaitingOn, str]:
    if rule.waiting == "self":
        return itself(case.record)
    if rule.waiting == "innermost":
        return innermost(case)
    return rule.waiting, ""


def _stopped(case: Case) -> bool:
    """It was stopped from above, or raised after its end: only its parent's end shows which.

    A body that ended in silence may have ended in the middle of an event, of which its reader may complain.
    """
    record, ending = case.record, case.ending
    assert ending is not None
    if record.layer == n.HTTP and (record.status or 0) >= 400:
        return False
    if ending.how == "closed":
        return ending.gone or not record.terminal
    if ending.how == "returned":
        return _silent(case)
    return ending.cause is not None and (record.terminal or _from_above(ending))


def _silent(case: Case) -> bool:
    """The body of a model's reply that ended cleanly, and said nothing of an end."""
    returned = case.ending is not None and case.ending.how == "returned" and case.record.layer == n.HTTP
    return returned and judge(evidence(case)).outcome == n.TRUNCATED


def _unparsable(ending: Ending) -> bool:
    return ending.cause is not None and ending.cause.kind == "malformed"


def _cut_above(case: Case) -> Case | None:
    """The server layer around it that was cut before: what is stopped after that was stopped by it."""
    above = case.parent
    while above is not None:
        if above.record.layer == n.SERVER and above.verdict is not None and _goes_down(above.verdict):
            return above
        above = above.parent
    return None


def _from_above(ending: Ending) -> bool:
    return ending.cause is not None and ending.cause.kind in ("cancelled", "closed")


def _parent_went_on(case: Case) -> bool:
    parent, ending = case.parent, case.ending
    if parent is None or ending is None or case.record.layer == n.TOOL or parent.record.layer == n.TEAM:
        return False
    return parent.record.chunks > ending.parent_chunks


def _goes_down(verdict: Verdict) -> bool:
    """What the model said of its reply is no ending of the exchange that carried it."""
    if verdict.outcome in (n.COMPLETED, n.LENGTH, n.FILTERED):
        return False
    return verdict.rule != FAILED_FINISH


def _goes_up(verdict: Verdict) -> bool:
    return verdict.outcome in (n.TRUNCATED, n.LENGTH, n.FILTERED) or verdict.rule == FAILED_FINISH


def _hear(parent: Case, kid: Case) -> None:
    """What the body of a model's reply said of it."""
    if parent.record.layer == n.MODEL and kid.record.layer == n.HTTP:
        kid.record.read_tail()
        parent.heard = kid.record
        parent.exchange = kid.record.opening.attributes
        parent.record.terminated = kid.record.terminated
        parent.record.status = kid.record.status


def _taken(case: Case, cause: Cause, verdict: Verdict, same: bool) -> Verdict:
    """The verdict of the stream whose exception this one carries: the same, or one in which it is but a text."""
    return verdict._replace(
        origin=False,
        cause_type=verdict.cause_type or cause.root,
        cause_chain=_chain(cause.types, verdict.cause_chain, same),
        cause_layer=verdict.cause_layer or case.record.layer,
    )


def _fill(case: Case) -> None:
    """What the body said, and the client's result did not."""
    record, heard = case.record, case.heard
    if heard is None:
        return
    record.finish = case.finish
    record.response_id, record.response_model = heard.response_id, heard.response_model
    if record.input_tokens is None:
        record.input_tokens = heard.input_tokens
    if record.output_tokens is None:
        record.output_tokens = heard.output_tokens
    case.heard = None


def _remember(parent: Case, kid: Case, verdict: Verdict) -> None:
    if parent.verdict is not None:
        return
    if kid.ending is not None and kid.ending.how == "raised":
        parent.raised = (*parent.raised[1 - _KEPT :], (kid.ending, verdict))
    _hear(parent, kid)
    if kid.record.layer == n.HTTP and verdict.status is not None:
        parent.refused = verdict
    if verdict.outcome == n.COMPLETED:
        parent.finisher = verdict.ended_by
    elif kid.record.layer != n.TOOL and _goes_up(verdict):
        parent.inherited = verdict


def _cancelled_by(case: Case, rule: Rule, ended_by: n.EndedBy) -> n.CancelledBy | None:
    if rule.outcome not in (n.CANCELLED, n.ABANDONED):
        return None
    if ended_by == n.CLIENT:
        return n.BY_DISCONNECT
    if ended_by == n.PROCESS:
        return n.BY_SHUTDOWN
    if _deadline(case, rule, ended_by) is not None:
        return n.BY_DEADLINE
    if rule.outcome == n.ABANDONED:
        return None
    return n.BY_TOKEN if by_token(case) else n.BY_TASK


def _deadline(case: Case, rule: Rule, ended_by: n.EndedBy) -> Deadline | None:
    stopped = rule.outcome in (n.CANCELLED, n.ABANDONED) and ended_by == n.CALLER
    return case.ending.deadline if stopped and case.ending is not None else None


def _limit(case: Case, rule: Rule, ended_by: n.EndedBy) -> Limit | None:
    """The limit that this process set and that struck."""
    deadline = _deadline(case, rule, ended_by)
    if deadline is None and ended_by == n.PROCESS and case.ending is not None:
        deadline = case.ending.grace
    if deadline is not None:
        return Limit(deadline.limit, deadline.seconds, n.CONFIGURED)
    timer = case.ending.cause.timer if case.ending is not None and case.ending.cause is not None else ""
    if rule.outcome != n.TIMEOUT or not timer or case.record.timeouts is None:
        return None
    return Limit(f"http_client.{timer}_timeout", case.record.timeouts.get(timer), n.CONFIGURED)


def _seen(record: Record, outcome: n.Outcome, ending: Ending, cancelled_by: n.CancelledBy | None) -> limits.Seen:
    first = record.first - record.start if record.chunks else None
    duration = ending.at - record.start
    silence = ending.at - record.last
    refused = outcome == n.REJECTED
    return limits.Seen(
        outcome,
        silence=(duration if first is None else first) if refused else silence,
        duration=duration,
        first=first,
        status=record.status if record.layer == n.HTTP else None,
        intermediary=record.intermediary,
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
