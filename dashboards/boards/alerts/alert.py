"""What an alert is, and the words that alerts share."""

from dataclasses import dataclass
from typing import Final, Literal

from ..vocabulary import ENVIRONMENT, L_CAUSE, L_ENDED_BY, L_LAYER, L_LIMIT, L_OUTCOME

Severity = Literal["page", "ticket"]
PAGE: Final = "page"
TICKET: Final = "ticket"
JOB: Final = ("job", ENVIRONMENT)

LEAST: Final = 10
"""Faults within the longer window below which a burn rate says nothing."""
SEVERAL: Final = 3


@dataclass(frozen=True)
class Alert:
    """One alert rule. ``runbook`` is a file's name in ``docs/runbooks/``."""

    name: str
    expr: str
    severity: Severity
    wait: str
    keep: str
    summary: str
    does: str
    runbook: str
    scope: str = ""
    language: Literal["promql", "logql"] = "promql"


def at(label: str) -> str:
    """A label's value in a text."""
    return f"{{{{ $labels.{label} }}}}"


WHO: Final = f"{at('job')}{{{{ with $labels.{ENVIRONMENT} }}}} ({{{{ . }}}}){{{{ end }}}}"
WHY: Final = (
    f"{at(L_LAYER)} streams end as {at(L_OUTCOME)}, by {at(L_ENDED_BY)}"
    f"{{{{ with $labels.{L_CAUSE} }}}}, cause {{{{ . }}}}{{{{ end }}}}"
    f"{{{{ with $labels.{L_LIMIT} }}}}, limit {{{{ . }}}}{{{{ end }}}}"
)
COUNT: Final = '{{ printf "%.0f" $value }}'
SHARE: Final = "{{ $value | humanizePercentage }}"
AGE: Final = "{{ $value | humanizeDuration }}"
