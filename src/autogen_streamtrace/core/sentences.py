"""One line for a human being, without anything of a message's content."""

from . import names as n
from .counts import Attributes
from .record import Opening, Record
from .stalls import Stall


def of_ending(opening: Opening, attributes: Attributes) -> str:
    """How a stream ended, from its opening and its span's attributes."""
    said = f"{opening.layer} {opening.name} ended: {attributes[n.A_OUTCOME]}, by {attributes[n.A_ENDED_BY]}"
    if not attributes[n.A_EARLY]:
        return said
    waiting = attributes[n.A_WAITING_ON_TYPE]
    if waiting != n.NONE:
        said += f", waiting on {waiting} {attributes.get(n.A_WAITING_ON_NAME, '')}".rstrip()
    if n.A_SILENCE in attributes:
        said += f", after {attributes[n.A_SILENCE]:.3g} s of silence"
    if n.A_LIMIT_VALUE in attributes:
        source, limit = attributes[n.A_LIMIT_SOURCE], attributes[n.A_LIMIT_ID]
        said += f"; {source} limit {limit} of {attributes[n.A_LIMIT_VALUE]:g} s"
    return f"{said}; {attributes[n.A_CAUSE_TYPE]}" if n.A_CAUSE_TYPE in attributes else said


def of_stall(record: Record, stall: Stall) -> str:
    """How a stream that is silent goes on, with the line of code that blocks its loop."""
    waiting = f"{stall.waiting_on} {stall.waiting_on_name}".rstrip()
    said = f"{record.layer} {record.name} is silent for {stall.silence:.3g} s, waiting on {waiting}"
    if not stall.loop_blocked:
        return said
    where = stall.stack.partition("\n")[0]
    return f"{said}; its event loop is blocked" + (f" at {where}" if where else "")
