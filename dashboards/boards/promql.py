"""PromQL that is written more than once.

Streams are rare and workers short-lived: ``rate()`` extrapolates, and misses what a new series brings. What counts
endings therefore takes the difference of two readings, ``exact``.
"""

from typing import Final

from .vocabulary import ENVIRONMENT, SERVICE, VERSION

WHERE: Final = (
    f'{ENVIRONMENT}=~"$environment"',
    f'{SERVICE}=~"$service"',
    f'{VERSION}=~"$version"',
    'job=~"$job"',
    'instance=~"$instance"',
)
"""What the variables of every dashboard choose."""

MEMORY: Final = "6h"
"""How far back a series' earlier reading is looked for: a process that was silent for longer counts as a new one."""


def select(metric: str, *matchers: str) -> str:
    """A selector that obeys the dashboards' variables; ``matchers`` come first."""
    return plain(metric, *matchers, *WHERE)


def plain(metric: str, *matchers: str) -> str:
    """A selector of nothing but these matchers."""
    return f"{metric}{{{','.join(matchers)}}}" if matchers else metric


def exact(selector: str, window: str) -> str:
    """By how much each series has grown within ``window``, to the unit.

    A series without an earlier reading counts from 0. Written out, because ``increase()`` extrapolates and gives 0 for
    the first reading of a series.
    """
    now = f"last_over_time({selector}[{window}])"
    before = f"last_over_time({selector}[{MEMORY}] offset {window})"
    return f"clamp_min({now} - ({before} or {now} * 0), 0)"


def total(expression: str, *by: str) -> str:
    """The sum by these labels; of everything where none is named."""
    return f"sum by ({', '.join(by)}) ({expression})" if by else f"sum({expression})"


def share(part: str, whole: str) -> str:
    """``part`` of ``whole``; 0 where there is a whole and no part."""
    return f"({part} or {whole} * 0) / ({whole} > 0)"


def none(label: str) -> str:
    """0, so that a panel is not empty where nothing has happened; in the legend it is `none`."""
    return f'label_replace(vector(0), "{label}", "none", "", "")'


def quantile(q: float, histogram: str, *by: str, window: str = "$__rate_interval", where: tuple[str, ...] = ()) -> str:
    """A quantile of a classic histogram."""
    rates = f"rate({select(f'{histogram}_bucket', *where)}[{window}])"
    return f"histogram_quantile({q:g}, sum by ({', '.join(('le', *by))}) ({rates}))"


def mean(histogram: str, *by: str, where: tuple[str, ...] = ()) -> str:
    """The mean of a classic histogram."""
    sums = total(f"rate({select(f'{histogram}_sum', *where)}[$__rate_interval])", *by)
    counts = total(f"rate({select(f'{histogram}_count', *where)}[$__rate_interval])", *by)
    return f"{sums} / ({counts} > 0)"


def edge(le: float) -> str:
    """A matcher for one bucket's edge. Prometheus 3 writes ``60.0``, Prometheus 2 ``60``."""
    return f'le=~"{le:g}([.]0)?"' if le.is_integer() else f'le="{le:g}"'
