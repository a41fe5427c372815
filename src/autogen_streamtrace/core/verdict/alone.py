"""The verdict of one stream by itself, from its own evidence: the rule that fits, and what explains the ending."""

from typing import Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import report
from autogen_streamtrace.core.evidence.deadlines import Deadline
from autogen_streamtrace.core.evidence.exception_kinds import Kind
from autogen_streamtrace.core.stream.state import Ending, StreamState
from autogen_streamtrace.core.verdict import limits
from autogen_streamtrace.core.verdict.limits import Limit
from autogen_streamtrace.core.verdict.node import StreamNode, by_token, evidence, innermost, itself
from autogen_streamtrace.core.verdict.rules import CANCELLED_INSIDE, REFUSED, Evidence, Rule, Verdict, judge

_STOPPED_BY: Final[dict[Kind, tuple[sc.Outcome, ...]]] = {
    "closed": (sc.ABANDONED,),
    "cancelled": (sc.ABANDONED, sc.CANCELLED),
}
"""Which endings a close and a cancellation explain."""


def ended_alone(
    node: StreamNode, seen: Evidence, rule: Rule, ending: Ending | None, suspect: limits.Suspect
) -> Verdict:
    """The verdict of a stream whose ending no other stream explains.

    Args:
        node: the stream.
        seen: its evidence.
        rule: the rule that fits ``seen``.
        ending: how it ended; None where the way in which it was stopped explains nothing.
        suspect: finds the limit that would explain it.
    """
    state = node.state
    cause = ending.cause if ending is not None else None
    if cause is not None and rule.outcome not in _STOPPED_BY.get(cause.kind, sc.OUTCOMES):
        cause = None  # that it was stopped explains nothing
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
        limit = _suspected(suspect, _observed(state, rule.outcome, ending, cancelled_by))
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
        status=state.status if rule.name == REFUSED else None,
        cancelled_by=cancelled_by,
        limit=limit,
        intermediary=state.intermediary,
    )


def delivered(node: StreamNode, suspect: limits.Suspect) -> Verdict:
    """The verdict of a stream whose end had been delivered before it was stopped."""
    seen = evidence(node)._replace(how="closed", kind=None, terminal=True)
    return ended_alone(node, seen, judge(seen), None, suspect)


def struck(node: StreamNode, suspect: limits.Suspect) -> Verdict:
    """The verdict of a cancelled stream over which a ``TimeoutError`` came: a deadline was set between the two."""
    assert node.ending is not None
    seen = evidence(node)._replace(shutdown=False)
    verdict = ended_alone(node, seen, judge(seen), node.ending, suspect)
    return verdict._replace(cancelled_by=sc.BY_DEADLINE, origin=False)


def _waiting_on(node: StreamNode, rule: Rule) -> tuple[sc.WaitingOn, str]:
    if rule.waiting == "self":
        return itself(node.state)
    if rule.waiting == "innermost":
        return innermost(node)
    return rule.waiting, ""


def _cancelled_by(node: StreamNode, rule: Rule, ended_by: sc.EndedBy) -> sc.CancelledBy | None:
    if rule.outcome not in (sc.CANCELLED, sc.ABANDONED):
        return None
    if ended_by == sc.END_USER:
        return sc.BY_DISCONNECT
    if ended_by == sc.PROCESS:
        return sc.BY_SHUTDOWN
    if rule.name == CANCELLED_INSIDE:
        return sc.BY_INSIDE
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


def _suspected(suspect: limits.Suspect, seen: limits.Observation) -> Limit | None:
    """A verdict without a limit is better than none: what fails here costs the limit only."""
    try:
        return suspect(seen)
    except Exception as defect:
        report("looking for a limit", defect)
        return None


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
        longest_gap=state.longest_gap,
        intermediaries=state.exchange.suspects if state.exchange is not None else (),
    )
