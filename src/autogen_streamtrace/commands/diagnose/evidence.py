"""Sentences about observations."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from autogen_streamtrace.commands.diagnose.endings import Ending, quantile
from autogen_streamtrace.commands.diagnose.scene import FEW
from autogen_streamtrace.core.telemetry.sentences import lasting


def how(members: Sequence[Ending]) -> str:
    """How streams ended and with which exception, the commonest first."""
    kinds = Counter((each.outcome, each.status if (each.status or 0) >= 400 else "", each.cause) for each in members)
    return ", ".join(f"{n} × {' '.join(str(part) for part in kind if part)}" for kind, n in kinds.most_common(3))


def times(members: Sequence[Ending]) -> str:
    """Their silence and their duration."""
    silences = sorted(each.waited for each in members if each.waited is not None)
    durations = sorted(each.duration for each in members if each.duration is not None)
    said = [f"{name} {_spread(values)}" for name, values in (("silence", silences), ("duration", durations)) if values]
    return ", ".join(said)


def blurred(members: Sequence[Ending]) -> str:
    """A sentence where this process itself was late to read; else empty."""
    late = [each for each in members if each.blur > 0.1 * max(each.waited or 0.0, 0.1)]
    if len(late) * 2 < len(members):
        return ""
    spans = sorted(each.waited or 0.0 for each in late)
    most = max(each.blur for each in late)
    return (
        f"this process did not read in time: its event loop was late by up to {lasting(most)} in {len(late)} of "
        f"{len(members)}, so the times are blurred between {lasting(spans[0])} and {lasting(spans[-1] + most)}"
    )


def closing(members: Sequence[Ending]) -> str:
    """How their connections were closed; empty if that shows nothing."""
    clean = sum(each.close_type == "finished" for each in members)
    inside = sum(bool(each.within_event) for each in members)
    said = []
    if clean:
        said.append(f"{clean} of {len(members)} bodies were ended properly, although nothing said that they were whole")
    if inside:
        said.append(f"{inside} of {len(members)} were cut inside an event")
    return "; ".join(said)


def clock(seconds: float) -> str:
    """The time of day, in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%H:%M:%S")


def counted(number: int, what: str) -> str:
    """A number with its noun."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def span(values: Iterable[float]) -> str:
    """From the shortest to the longest."""
    ordered = sorted(values)
    shortest, longest = (f"{each:.2f}".rstrip("0").rstrip(".") for each in (ordered[0], ordered[-1]))
    return f"{shortest} s" if shortest == longest else f"{shortest} to {longest} s"


def _spread(values: Sequence[float]) -> str:
    if len(values) < FEW:
        return " · ".join(map(_digits, values)) + " s"
    low, middle, high = (quantile(values, share) for share in (0.1, 0.5, 0.9))
    if _digits(low) == _digits(high):
        return lasting(middle)
    return f"{lasting(middle)} (most {_digits(low)} to {_digits(high)})"


def _digits(seconds: float) -> str:
    return lasting(seconds).removesuffix(" s")
