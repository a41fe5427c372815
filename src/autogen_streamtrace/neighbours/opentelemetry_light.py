"""What light spans and light log records have in common.

Each kind depends on private names of OpenTelemetry's SDK as a whole. So it is tried before any is used, and the program
may give the SDK a processor of its own at any time.
"""

import logging
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from autogen_streamtrace.neighbours import Private

_Light = TypeVar("_Light")

PLAIN: Final = frozenset({str, bool, int, float})
"""Types of attributes that the SDK takes as they are."""

logger = logging.getLogger(__name__)


class Trial(Protocol):
    """Makes some, light ones or the SDK's own, and returns what became of them."""

    def __call__(self, *, light: bool) -> object: ...


def comes_out_alike(trial: Trial, plural: str) -> bool:
    """Whether the light ones of a kind come out as those of the installed SDK do."""
    try:
        light, own = (trial(light=light) for light in (True, False))
    except Exception as defect:
        logger.debug("%s are the SDK's own, which cost more: the SDK is not what is known (%s)", plural, defect)
        return False
    return light == own


def light_of(maker: Any, make: Callable[[Any], _Light], are_known: Callable[[], bool]) -> _Light | None:
    """What makes light ones in the place of an SDK's tracer or logger; None where they have to be the SDK's own."""
    if not type(maker).__module__.startswith("opentelemetry.sdk.") or not are_known():
        return None
    try:
        return make(maker)
    except AttributeError:  # a private name that is gone, too
        return None


class KnownProcessors:
    """Whether all processors of a provider are of classes that are known: the program may add one at any time.

    Args:
        private: where their holder has them.
        classes: those that are known.
    """

    def __init__(self, private: Private, *classes: type) -> None:
        self._private = private
        self._classes = classes
        self._found: object = ()
        """The processors that were last found to be known."""

    def are_all_of(self, holder: Any) -> bool:
        """Whether there are no others.

        Raises:
            GoneError: they cannot be found.
        """
        processors = self._private.need(holder)
        if processors is self._found:
            return True
        if not all(type(each) in self._classes for each in processors):
            return False
        self._found = processors
        return True
