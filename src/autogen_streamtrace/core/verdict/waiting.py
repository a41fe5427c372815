"""Waiting: which streams are judged at their own end, and which only when it is known what became of their parent."""

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.state import Ending
from autogen_streamtrace.core.verdict.node import StreamNode, evidence
from autogen_streamtrace.core.verdict.rules import Rule, judge


def was_stopped(node: StreamNode) -> bool:
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
        return ended_in_silence(node)
    return ending.cause is not None and (state.terminal or from_above(ending))


def from_above(ending: Ending) -> bool:
    """It raised what comes from above: it was cancelled or closed, and not by something inside it."""
    return ending.cause is not None and ending.cause.kind in ("cancelled", "closed") and not ending.inside


def is_gone(ending: Ending) -> bool:
    """It raised that the end user left, which a server layer around it may know already."""
    return ending.cause is not None and ending.cause.kind == "gone"


def ended_in_silence(node: StreamNode) -> bool:
    """The body of a model's reply that ended cleanly, and said nothing of an end."""
    state = node.state
    if state.terminal or state.layer != sc.HTTP or node.ending is None or node.ending.how != "returned":
        return False
    return judge(evidence(node)).outcome == sc.TRUNCATED


def is_unparsable(ending: Ending, rule: Rule) -> bool:
    """Its reader complained of what it read, not of what was missing in it."""
    return rule.outcome == sc.MALFORMED and not (ending.cause is not None and ending.cause.kind == "unusable")


def shows_by_another(parent: StreamNode, layer: sc.Layer) -> bool:
    """A parent that starts another child of this layer was not stopped with the one before.

    Tools run side by side, and so do the agents of a team.
    """
    return layer != sc.TOOL and parent.state.layer != sc.TEAM


def parent_went_on(node: StreamNode) -> bool:
    """Its parent has delivered an item since, so that it was not stopped with it."""
    parent, ending = node.parent, node.ending
    if parent is None or ending is None or not shows_by_another(parent, node.state.layer):
        return False
    return parent.state.chunks > ending.parent_chunks
