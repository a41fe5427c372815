"""Up: what a stream takes from its children, and what it remembers of them until its own end."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.causes import Cause
from autogen_streamtrace.core.evidence.exception_kinds import SESSIONS
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.verdict.rules import NO_STREAM, REPLIES, UNUSABLE, Rule, Verdict
from autogen_streamtrace.core.verdict.waiting import from_above

KEPT: Final = 8
"""Endings by exception that are remembered, of the children of a stream and of exchanges outside of any."""


class Stray(NamedTuple):
    """The end of an HTTP exchange outside of any stream.

    In a thread without its starter's context only the exception tells whose exchange it was.
    """

    start: float
    cause: Cause
    verdict: Verdict


def raisers(node: StreamNode) -> Iterator[tuple[StreamNode, bool]]:
    """The children that wait, whose exception this stream raises: their verdict falls before its own.

    Yields:
        Each, the newest first, and whether a deadline between the two stopped it.
    """
    assert node.ending is not None and node.ending.cause is not None
    cause = node.ending.cause
    if from_above(node.ending):
        return
    for kid in reversed([each for each in list(node.kids) if each.waiting]):
        theirs = kid.ending.cause if kid.ending is not None else None
        if theirs is None or theirs.raised not in cause.links:
            continue
        if theirs.kind != "cancelled":
            yield kid, False
        elif cause.deadline:
            yield kid, True


def carried(node: StreamNode, strays: Iterable[Stray]) -> Verdict | None:
    """The verdict of the child whose exception this stream raises, if it is a child's."""
    assert node.ending is not None and node.ending.cause is not None
    cause = node.ending.cause
    if from_above(node.ending):
        return None
    for theirs_ending, verdict in reversed(node.raised):
        theirs = theirs_ending.cause
        assert theirs is not None
        if theirs.kind == "cancelled" and not (theirs_ending.inside and node.ending.inside):
            continue
        if not theirs.types:
            continue
        same = theirs.raised in cause.links
        if same or cause.flattened == _simple(theirs.types[0]):
            return _taken(node, cause, verdict, same)
    if node.broken is not None and by_session(cause):
        return _taken(node, cause, node.broken, same=False)
    for stray in reversed([*strays]):
        if stray.start >= node.state.start and stray.cause.raised in cause.links:
            return _taken(node, cause, stray.verdict, same=True)
    unnamed = cause.status is None and node.state.layer == sc.MODEL
    if node.refused is not None and (unnamed or cause.status == node.refused.status):
        return node.refused._replace(
            origin=False,
            cause_type=cause.root,
            cause_chain=cause.types,
            cause_layer=node.state.layer,
        )
    return None


def by_session(cause: Cause) -> bool:
    """Whether a session's exception stands for whatever became of its exchange."""
    return not SESSIONS.isdisjoint(cause.types)


def refusals(node: StreamNode) -> list[StreamNode]:
    """The exchanges of a session that were refused, and whose bodies nobody has closed yet."""
    assert node.ending is not None and node.ending.cause is not None
    if not by_session(node.ending.cause):
        return []
    return [kid for kid in node.kids if kid.state.layer == sc.HTTP and (kid.state.status or 0) >= 400]


def remember(parent: StreamNode, kid: StreamNode, verdict: Verdict) -> None:
    """The verdict of a child has fallen."""
    if parent.verdict is not None:
        return
    if kid.ending is not None and kid.ending.how == "raised":
        parent.raised = (*parent.raised[1 - KEPT :], (kid.ending, verdict))
    hear(parent, kid)
    if kid.state.layer == sc.HTTP:
        if verdict.status is not None:
            parent.refused = verdict
        if verdict.outcome not in (sc.COMPLETED, sc.CANCELLED, sc.ABANDONED):
            parent.broken = verdict
        elif verdict.ended_by == sc.UPSTREAM and kid.state.size:
            parent.broken = None
    if verdict.outcome == sc.COMPLETED:
        parent.finisher = verdict.ended_by
    elif kid.state.layer != sc.TOOL and _goes_up(verdict):
        parent.inherited = verdict


def hear(parent: StreamNode, kid: StreamNode) -> None:
    """What the body of a model's reply said of it."""
    if parent.state.layer == sc.MODEL and kid.state.layer == sc.HTTP:
        kid.state.read_tail()
        parent.heard = kid.state
        parent.exchange = kid.state.info.attributes
        parent.state.terminated = kid.state.terminated
        parent.state.status = kid.state.status


def fill(node: StreamNode) -> None:
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


def short(node: StreamNode, rule: Rule) -> Verdict | None:
    """The verdict of the child that delivered less than was asked for, over which this stream ends or raises."""
    if node.inherited is None or rule.outcome == sc.COMPLETED:
        return node.inherited
    cause = node.ending.cause if node.ending is not None else None
    return _taken(node, cause, node.inherited, same=False) if cause is not None and cause.kind in UNUSABLE else None


def _goes_up(verdict: Verdict) -> bool:
    silent = verdict.outcome in (sc.TRUNCATED, sc.LENGTH, sc.FILTERED)
    return silent or verdict.rule in REPLIES or verdict.rule == NO_STREAM


def _taken(node: StreamNode, cause: Cause, verdict: Verdict, same: bool) -> Verdict:
    """The verdict of the stream whose exception this one carries: the same, or one in which it is but a text."""
    return verdict._replace(
        origin=False,
        cause_type=verdict.cause_type or cause.root,
        cause_chain=_chain(cause.types, verdict.cause_chain, same),
        cause_layer=verdict.cause_layer or node.state.layer,
    )


def _simple(name: str) -> str:
    return name.rpartition(".")[2]


def _chain(own: tuple[str, ...], theirs: tuple[str, ...], same: bool) -> tuple[str, ...]:
    """What the stream raised, down to what its child raised, and on from there."""
    if not same or not theirs or theirs[0] not in own:
        return own + theirs
    joint = own.index(theirs[0])
    return own if len(own) - joint >= len(theirs) else own[:joint] + theirs
