"""What the rows ask for: early endings, faults, origins."""

from typing import Final

from ..promql import exact, select
from ..vocabulary import ENDED, L_FAULT, L_FRAMEWORK, L_NAME, L_ORIGIN, L_OUTCOME

ORIGIN: Final = f'{L_ORIGIN}="true"'
FAULT: Final = f'{L_FAULT}="true"'
EARLY: Final = f'{L_OUTCOME}!="completed"'
OTHER_EARLY: Final = (f'{L_FAULT}="false"', EARLY)
KILLED: Final = f'{L_OUTCOME}="killed"'
NAMED: Final = (f'{L_NAME}=~"$agent|$model"',)
RANGE: Final = "$__range"
STEP: Final = "$__interval"


def endings(*matchers: str, window: str = RANGE) -> str:
    """Streams that ended, counted to the unit."""
    return exact(select(ENDED, *matchers, f'{L_FRAMEWORK}=~"$framework"'), window)
