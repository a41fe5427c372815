"""One line for people to read, without any content of a message."""

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.facts import Stall
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState
from autogen_streamtrace.core.telemetry.limiters import Attributes


def lasting(seconds: float) -> str:
    """A time for people: to the millisecond, in three digits at most, and without a power of ten."""
    if seconds < 1:
        return f"{round(seconds, 3):g} s"
    return f"{seconds:.3g} s" if seconds < 999.5 else f"{seconds:.0f} s"


def of_ending(info: StreamInfo, attributes: Attributes) -> str:
    """How a stream ended, from its ``info`` and its span's attributes."""
    text = f"{info.layer} {info.name} ended: {attributes[sc.A_OUTCOME]}, by {attributes[sc.A_ENDED_BY]}"
    if not attributes[sc.A_EARLY]:
        return text
    waiting = attributes[sc.A_WAITING_ON_TYPE]
    if waiting != sc.NONE:
        text += f", waiting on {waiting} {attributes.get(sc.A_WAITING_ON_NAME, '')}".rstrip()
    if sc.A_SILENCE in attributes:
        text += f", after {lasting(attributes[sc.A_SILENCE])} of silence"
    if sc.A_LIMIT_VALUE in attributes:
        source, limit = attributes[sc.A_LIMIT_SOURCE], attributes[sc.A_LIMIT_ID]
        text += f"; {source} limit {limit} of {attributes[sc.A_LIMIT_VALUE]:g} s"
    return f"{text}; {attributes[sc.A_CAUSE_TYPE]}" if sc.A_CAUSE_TYPE in attributes else text


def of_stall(state: StreamState, stall: Stall) -> str:
    """What a silent stream waits for, with the line of code that blocks its loop."""
    waiting = f"{stall.waiting_on} {stall.waiting_on_name}".rstrip()
    text = f"{state.layer} {state.name} is silent for {lasting(stall.silence)}, waiting on {waiting}"
    if not stall.loop_blocked:
        return text
    where = stall.stack.partition("\n")[0]
    return f"{text}; its event loop is blocked" + (f" at {where}" if where else "")
