"""Bounds for metrics: the values of one label, and the attribute sets of one instrument."""

from typing import Any, Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import logger

Attributes = dict[str, Any]
Key = tuple[Any, ...]

SETS: Final = 1_500
"""Attribute sets of one instrument before names read ``_OTHER``."""
_NAMELESS: Final = 300
"""Further sets before every label that is not from a short closed list reads ``_OTHER``."""
_LAST: Final = 100
"""Further sets before every label but the layer reads ``_OTHER``. The SDK stops at 2,000 and then drops all labels."""

_NAMES: Final = frozenset(
    {
        *(sc.A_NAME, sc.A_WAITING_ON_NAME, sc.A_CAUSE_TYPE, sc.A_ERROR_TYPE),
        *(sc.GEN_AI_REQUEST_MODEL, sc.GEN_AI_AGENT_NAME, sc.GEN_AI_TOOL_NAME, sc.GEN_AI_WORKFLOW_NAME),
    }
)
_CLOSED: Final = frozenset(
    {
        *(sc.A_LAYER, sc.A_OUTCOME, sc.A_ENDED_BY, sc.A_FAULT, sc.A_ORIGIN, sc.A_OUTERMOST, sc.A_WAITING_ON_TYPE),
        *(sc.A_CANCELLED_BY, sc.A_FRAMEWORK, sc.GEN_AI_REQUEST_STREAM, sc.GEN_AI_OPERATION, sc.GEN_AI_TOKEN_TYPE),
    }
)
"""Labels whose values are from a short closed list."""


class CardinalityLimiter:
    """Bounds the distinct values of one metric label; the rest reads ``_OTHER``."""

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._known: set[str] = set()
        self.capped = 0

    def __call__(self, value: str) -> str:
        if value in self._known or value == sc.OTHER:
            return value
        if len(self._known) < self._most:
            self._known.add(value)
            return value
        self.capped += 1
        return sc.OTHER


class SetLimiter:
    """Bounds the attribute sets of one instrument, whatever its labels multiply to.

    A known set stays as it is. In a new set beyond ``most``, names read ``_OTHER``. 300 sets later, so does every label
    that is not from a short closed list, such as baggage. 100 sets later, so does every label but the layer.
    """

    def __init__(self, instrument: str, most: int | None = None) -> None:
        self._instrument = instrument
        self._most = SETS if most is None else most
        self._known: set[Key] = set()
        self.capped = 0

    def __call__(self, labels: Attributes) -> Attributes:
        key = tuple(labels.items())
        if key in self._known:
            return labels
        if len(self._known) < self._most:
            self._known.add(key)
            return labels
        return self._folded(labels)

    def note(self, labels: Attributes) -> None:
        """Takes a set that exists already, whether there is room or not."""
        self._known.add(tuple(labels.items()))

    def clear(self) -> None:
        """Forgets every set."""
        self._known.clear()

    def _folded(self, labels: Attributes) -> Attributes:
        if not self.capped:
            logger.warning(
                "The metric %s has %d attribute sets, as many as it may have: names read %s in further ones. Use fewer"
                " names or a smaller max_names, or list fewer values under baggage. This warning appears once.",
                self._instrument,
                self._most,
                sc.OTHER,
            )
        self.capped += 1
        nameless = {key: sc.OTHER if key in _NAMES else value for key, value in labels.items()}
        closed = {key: value if key in _CLOSED else sc.OTHER for key, value in labels.items()}
        for folded, most in ((nameless, self._most + _NAMELESS), (closed, self._most + _NAMELESS + _LAST)):
            key = tuple(folded.items())
            if key in self._known:
                return folded
            if len(self._known) < most:
                self._known.add(key)
                return folded
        return {key: value if key == sc.A_LAYER else sc.OTHER for key, value in labels.items()}
