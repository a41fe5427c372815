"""The value of a timer, from the times that it shows as."""

from collections.abc import Sequence
from typing import Final, Literal

from autogen_streamtrace.commands.diagnose.endings import Ending, quantile
from autogen_streamtrace.commands.diagnose.scene import FEW, Scene
from autogen_streamtrace.limits import KnownLimit
from autogen_streamtrace.limits.catalogue import Counts

Measure = Literal["silence", "duration"]
"""What a cluster is of."""
NOBODY: Final = (-0.3, 0.0)
"""How timers strike whose vendor is not known: nginx' and HAProxy's, which leave no trace, are early."""
EXACT: Final = 0.08
"""Seconds of spread up to which a timer strikes as it is set."""
BLURRED: Final = 0.1
"""Share of a time. A time that is blurred by no more than this counts as exact."""
CRISP: Final = 0.25
"""Share of a cluster whose times must be this exact; otherwise only an interval is reported."""


def strikes_of(scene: Scene, vendors: Sequence[str], kind: Counts) -> tuple[float, float]:
    """How early and how late the named vendor's timer strikes, in seconds from its value."""
    entry = next((limit for name in vendors for limit in scene.known.of(name, kind)), None)
    return (entry.strikes[0], entry.strikes[1]) if entry else NOBODY


def value(
    measured: Sequence[float], entry: KnownLimit | None, members: Sequence[Ending], measure: Measure
) -> tuple[float, tuple[float, float] | None]:
    """The setting's value in seconds, and its interval where the exact value is not known.

    Args:
        measured: the measured time of each ending, in seconds.
        entry: whose timer it is, where that is known.
        members: the endings, in the same order.
        measure: which time was measured.
    """
    middle = sorted(measured)[len(measured) // 2]
    pairs = list(zip(measured, members, strict=True))
    crisp = sorted(seconds for seconds, each in pairs if each.blur <= BLURRED * middle)
    if len(crisp) >= max(FEW, CRISP * len(pairs)):
        return _round(_by_strikes(crisp, entry, members, measure), entry), None
    if _spread(sorted(measured)) <= BLURRED * middle:  # if the process had been very late, they would spread
        return _round(_by_strikes(sorted(measured), entry, members, measure), entry), None
    least = quantile(sorted(seconds - each.blur for seconds, each in pairs), 0.9)
    most = quantile(sorted(seconds + each.blur for seconds, each in pairs), 0.1)
    low, high = sorted((max(0.0, least), most))
    return _round(middle, entry), (round(low, 2), round(high, 2))


def _by_strikes(
    values: Sequence[float], entry: KnownLimit | None, members: Sequence[Ending], measure: Measure
) -> float:
    """The setting's value, by how its timer strikes.

    A busy process sees ends late, so durations are too long. It sees last bytes late too, so silences are too long or
    too short.
    """
    early, late = entry.strikes if entry else NOBODY
    unanswered = all(each.unanswered for each in members)
    if unanswered:
        early = max(0.0, early)  # a timer is early only where bytes have moved it
    if entry is None and (unanswered or measure == "duration" or _spread(values) <= EXACT):
        early = 0.0
    if entry is None and early:
        return quantile(values, 0.9)
    exact = early == late == 0.0
    return quantile(values, 0.25 if exact and (unanswered or measure == "duration") else 0.5) - (early + late) / 2


def _spread(values: Sequence[float]) -> float:
    return quantile(values, 0.9) - quantile(values, 0.1)


def _round(seconds: float, entry: KnownLimit | None) -> float:
    """A value as it would be written: a default or a usual value that fits, else a whole number, else a tenth."""
    slack = 0.05 + 0.015 * seconds
    usual = [each for each in (entry.values if entry else ()) if abs(each - seconds) <= slack]
    if usual:
        return usual[0]
    whole = round(seconds)
    return float(whole) if whole >= 3 and abs(seconds - whole) <= slack else round(seconds, 1)
