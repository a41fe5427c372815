"""Recording rules: endings counted without extrapolation, for panels and alerts alike.

Windows up to an hour are read off the counters themselves, so that a sample that comes late is still counted. Longer
ones add up five-minute windows taken each minute, every ending being in five of them.
"""

from dataclasses import dataclass
from typing import Final

from .promql import exact, plain, total
from .vocabulary import (
    CUT,
    ENDED,
    L_CANCELLED_BY,
    L_CAUSE,
    L_ENDED_BY,
    L_ERROR,
    L_FAULT,
    L_LAYER,
    L_LIMIT,
    L_MODEL,
    L_NAME,
    L_OUTCOME,
    L_OUTERMOST,
    L_PROVIDER,
    MODEL_CALL,
    OPEN,
    STARTED,
    WHOSE,
)

OBJECTIVE: Final = 0.99
"""The share of outermost streams that end without a fault. Change it here and write the rules anew."""

DIRECT: Final = ("5m", "30m", "1h")
SUMMED: Final = ("2h", "6h", "1d", "3d")
WINDOWS: Final = (*DIRECT, *SUMMED)

CAUSE: Final = (L_LAYER, L_OUTCOME, L_ENDED_BY, L_CAUSE, L_LIMIT)
"""What tells one cause of early endings from another."""

LEFT: Final = f'{L_ENDED_BY}=~"caller|end_user",{L_CANCELLED_BY}!="deadline"'
NO_FAULTS: Final = (
    f'{L_OUTCOME}=~"length|filtered"',
    f'{LEFT},{L_LAYER}!="http"',
    f'{LEFT},{L_OUTCOME}!="failed"',
)
"""Early endings that are no faults. An HTTP exchange that its caller failed is one: its client was closed under it."""

CONNECTION_LOST: Final = (
    f'{L_LAYER}=~"http|server"',
    f'{L_ENDED_BY}=~"upstream|end_user"',
    f'{L_OUTCOME}=~"disconnected|truncated|cancelled|abandoned"',
    f'{L_CAUSE}!~".*Connect(Error|Timeout)"',
)
"""Streams whose connection the other side ended; not those that never had one."""


@dataclass(frozen=True)
class RecordingRule:
    """One recording rule: the series' name, and what it is."""

    record: str
    expr: str


def cuts(window: str) -> str:
    """Early endings at their origin, within a window."""
    return f"streamtrace:stream_cuts:increase{window}"


def faults(window: str) -> str:
    """Those of them that are faults, by cause."""
    return f"streamtrace:stream_faults:increase{window}"


def ended(window: str) -> str:
    """Streams that ended, by layer and outcome."""
    return f"streamtrace:streams_ended:increase{window}"


def turns(window: str) -> str:
    """Outermost streams that ended, with and without a fault."""
    return f"streamtrace:turns:increase{window}"


def model_calls(window: str) -> str:
    """Calls of models, by model and error type."""
    return f"streamtrace:model_calls:increase{window}"


CONNECTIONS: Final = "streamtrace:connections_lost:increase2m"
"""Streams whose connection the other side ended within two minutes, of each layer and host or route."""
LOST: Final = "streamtrace:streams_lost:6h"
"""Streams of processes that are gone, of which nothing said how they ended."""
OBJECTIVE_SERIES: Final = "streamtrace:turns:objective"


def recordings() -> list[RecordingRule]:
    """All of them; each comes after those that it reads."""
    return [
        *(rule for window in DIRECT for rule in direct(window)),
        *(rule for window in SUMMED for rule in summed(window)),
        *(RecordingRule(model_calls(window), calls(window)) for window in ("5m", "1h")),
        RecordingRule(CONNECTIONS, total(exact(plain(CUT, *CONNECTION_LOST), "2m"), *WHOSE, L_LAYER, L_NAME)),
        RecordingRule(LOST, lost()),
        RecordingRule(OBJECTIVE_SERIES, f"vector({OBJECTIVE})"),
    ]


def direct(window: str) -> list[RecordingRule]:
    by_cut = (*WHOSE, *CAUSE, L_NAME, L_CANCELLED_BY)
    by_end = (*WHOSE, L_LAYER, L_OUTCOME, L_FAULT, L_OUTERMOST)
    found = cuts(window)
    whole = total(plain(ended(window), f'{L_OUTERMOST}="true"'), *WHOSE, L_FAULT)
    none = " or ".join(plain(found, each) for each in NO_FAULTS)
    return [
        RecordingRule(found, total(exact(CUT, window), *by_cut)),
        RecordingRule(faults(window), f"{found} unless ({none})"),
        RecordingRule(ended(window), total(exact(ENDED, window), *by_end)),
        RecordingRule(turns(window), whole),
    ]


def summed(window: str) -> list[RecordingRule]:
    whose = tuple(each for each in WHOSE if each != "instance")
    return [
        RecordingRule(faults(window), total(added_up(faults("5m"), window), *whose, *CAUSE)),
        RecordingRule(turns(window), total(added_up(turns("5m"), window), *WHOSE, L_FAULT)),
    ]


def calls(window: str) -> str:
    """Calls of models that ended, within a window."""
    return total(exact(f"{MODEL_CALL}_count", window), *WHOSE, L_ERROR, L_MODEL, L_PROVIDER)


def added_up(series: str, window: str, offset: str = "") -> str:
    """What five-minute windows, taken each minute, say of a longer one."""
    return f"sum_over_time({series}[{window}:1m]{offset}) / 5"


def lost() -> str:
    """By how much more streams started than ended, where the process no longer tells how many are open."""
    by = (*WHOSE, L_LAYER)
    started = total(f"last_over_time({STARTED}[6h])", *by)
    over = total(f"last_over_time({ENDED}[6h])", *by)
    return f"({started} - ({over} or {started} * 0) > 0) unless on (job, instance) {OPEN}"
