"""One line for a human being, without anything of a message's content."""

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.facts import Stall
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState
from autogen_streamtrace.core.telemetry.limiters import Attributes


def of_ending(info: StreamInfo, attributes: Attributes) -> str:
    """How a stream ended, from its opening and its span's attributes."""
    said = f"{info.layer} {info.name} ended: {attributes[sc.A_OUTCOME]}, by {attributes[sc.A_ENDED_BY]}"
    if not attributes[sc.A_EARLY]:
        return said
    waiting = attributes[sc.A_WAITING_ON_TYPE]
    if waiting != sc.NONE:
        said += f", waiting on {waiting} {attributes.get(sc.A_WAITING_ON_NAME, '')}".rstrip()
    if sc.A_SILENCE in attributes:
        said += f", after {attributes[sc.A_SILENCE]:.3g} s of silence"
    if sc.A_LIMIT_VALUE in attributes:
        source, limit = attributes[sc.A_LIMIT_SOURCE], attributes[sc.A_LIMIT_ID]
        said += f"; {source} limit {limit} of {attributes[sc.A_LIMIT_VALUE]:g} s"
    return f"{said}; {attributes[sc.A_CAUSE_TYPE]}" if sc.A_CAUSE_TYPE in attributes else said


def of_stall(state: StreamState, stall: Stall) -> str:
    """How a stream that is silent goes on, with the line of code that blocks its loop."""
    waiting = f"{stall.waiting_on} {stall.waiting_on_name}".rstrip()
    said = f"{state.layer} {state.name} is silent for {stall.silence:.3g} s, waiting on {waiting}"
    if not stall.loop_blocked:
        return said
    where = stall.stack.partition("\n")[0]
    return f"{said}; its event loop is blocked" + (f" at {where}" if where else "")
