"""Down: which verdict a child takes from the stream that stopped it."""

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.verdict.rules import FAILED_FINISH, Verdict
from autogen_streamtrace.core.verdict.waiting import ended_in_silence


def goes_down(verdict: Verdict) -> bool:
    """What the model said of its reply is no ending of the exchange that carried it."""
    if verdict.outcome in (sc.COMPLETED, sc.LENGTH, sc.FILTERED):
        return False
    return verdict.rule != FAILED_FINISH


def cut_above(node: StreamNode) -> StreamNode | None:
    """The server layer around it that was cut before: what is stopped after that was stopped by it."""
    above = node.parent
    while above is not None:
        if above.state.layer == sc.SERVER and above.verdict is not None and goes_down(above.verdict):
            return above
        above = above.parent
    return None


def stays_open(kid: StreamNode) -> bool:
    """Under a server layer, which reads no stream itself, what is open goes on: it may outlive the response."""
    return kid.parent is not None and kid.parent.state.layer == sc.SERVER and not kid.waiting


def judged_alone(kid: StreamNode, verdict: Verdict) -> bool:
    """Its own ending explains it, not ``verdict``, which has fallen on its parent."""
    parent = kid.parent
    assert parent is not None
    if parent.state.layer == sc.SERVER:
        gone = parent.ending is not None and parent.ending.gone  # what had stopped before was stopped by something else
        if gone or not goes_down(verdict):
            return True
    kid.state.read_tail()
    return ended_in_silence(kid) and verdict.outcome != sc.MALFORMED


def was_delivered(kid: StreamNode, verdict: Verdict, at: float) -> bool:
    """Its end had been delivered when ``verdict`` fell on its parent, or it is none that a child could take."""
    kid.state.read_tail()
    refused = kid.state.layer == sc.HTTP and (kid.state.status or 0) >= 400
    finished = kid.state.terminal and kid.state.last <= at  # what arrives later is not the parent's any more
    return finished or refused or not goes_down(verdict)
