"""Down: which verdict a child takes from the stream that stopped it."""

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.verdict.node import StreamNode, doing
from autogen_streamtrace.core.verdict.rules import REPLIES, Verdict
from autogen_streamtrace.core.verdict.waiting import ended_in_silence


def goes_down(verdict: Verdict) -> bool:
    """What the model said of its reply is no ending of the exchange that carried it."""
    if verdict.outcome in (sc.COMPLETED, sc.LENGTH, sc.FILTERED):
        return False
    return verdict.rule not in REPLIES


def cut_above(node: StreamNode) -> StreamNode | None:
    """The server layer around it that was cut before: what is stopped after that was stopped by it."""
    above = node.parent
    while above is not None:
        if above.state.layer == sc.SERVER and above.verdict is not None and goes_down(above.verdict):
            return above
        above = above.parent
    return None


def stays_open(kid: StreamNode, verdict: Verdict) -> bool:
    """What is open goes on under a server layer, which reads no stream itself, and where it is a session's exchange.

    The first may outlive the response, the second the tool call in which it was opened.
    """
    if kid.parent is None or kid.waiting:
        return False
    return kid.parent.state.layer == sc.SERVER or (_of_session(kid) and not goes_down(verdict))


def _of_session(kid: StreamNode) -> bool:
    """An exchange whose response has begun, and which is no model's: nothing says how long it should be."""
    of_model = kid.state.alone or (kid.parent is not None and kid.parent.state.layer == sc.MODEL)
    return kid.state.layer == sc.HTTP and kid.state.status is not None and not of_model


def given_up(kid: StreamNode) -> Verdict:
    """The verdict of a healthy stream that was given up because another member failed."""
    return Verdict(sc.CANCELLED, "agent", *doing(kid), "given up with a sibling", origin=False, cancelled_by=sc.BY_TASK)


def judged_alone(kid: StreamNode, verdict: Verdict) -> bool:
    """Its own ending explains it, not ``verdict``, which has fallen on its parent."""
    parent = kid.parent
    assert parent is not None
    if parent.state.layer == sc.SERVER:
        gone = parent.ending is not None and parent.ending.gone  # what had stopped before was stopped by something else
        if gone or not goes_down(verdict):
            return True
    if kid.waiting and _struck_later(kid, parent, verdict):
        return True
    if kid.waiting and not goes_down(verdict) and (_of_session(kid) or _was_given_up(kid)):
        return True
    kid.state.read_tail()
    return ended_in_silence(kid) and verdict.outcome != sc.MALFORMED


def _struck_later(kid: StreamNode, parent: StreamNode, verdict: Verdict) -> bool:
    """The deadline that stopped its parent struck after its own end: it explains nothing of it."""
    deadline = parent.ending.deadline if parent.ending is not None else None
    assert kid.ending is not None
    return verdict.cancelled_by == sc.BY_DEADLINE and deadline is not None and kid.ending.at < deadline.at


def _was_given_up(kid: StreamNode) -> bool:
    """It was cancelled before its end came, and its parent did without it."""
    cause = kid.ending.cause if kid.ending is not None else None
    return cause is not None and cause.kind == "cancelled" and not kid.state.terminal


def was_delivered(kid: StreamNode, verdict: Verdict, at: float) -> bool:
    """Its end had been delivered when ``verdict`` fell on its parent, or it is none that a child could take."""
    kid.state.read_tail()
    refused = kid.state.layer == sc.HTTP and (kid.state.status or 0) >= 400
    finished = kid.state.terminal and kid.state.last <= at  # what arrives later is not the parent's any more
    return finished or refused or not goes_down(verdict)
