"""The alerts: what fires, when, how bad it is, what it says, and which runbook helps.

Faults are looked at twice: the outermost streams against the objective (``scope`` ``turns``), and each cause at its
origin (``scope`` ``origin``). While an origin's alert fires, Alertmanager keeps the turns' alert of the same job and
severity back.
"""

from .alert import Alert
from .budget import burns_of_causes, burns_of_turns, faults_of_old
from .causes import at_one_moment, particular
from .instrument import ourselves
from .processes import gone, hanging


def alerts() -> list[Alert]:
    """All of them."""
    return [
        *burns_of_causes(),
        *burns_of_turns(),
        *faults_of_old(),
        *hanging(),
        *gone(),
        *at_one_moment(),
        *particular(),
        *ourselves(),
    ]
