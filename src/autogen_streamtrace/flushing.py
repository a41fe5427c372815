"""Makes a provider's ``force_flush()`` and ``shutdown()`` include the streams that are not judged yet.

Both methods are public. They are replaced on the provider itself, whatever its class and its processors are. A bound
method that the program took from a provider before stays as it was.
"""

import functools
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final
from weakref import WeakKeyDictionary

from opentelemetry.metrics import MeterProvider

logger = logging.getLogger(__name__)

Settle = Callable[[float], object]
"""Passes all streams that have ended to the providers, within so many seconds."""

_TIMEOUT: Final = 5.0
"""Seconds that it may take."""
_METHODS: Final = ("force_flush", "shutdown")


class _Flushes:
    """The two methods of one provider, replaced as long as something has to settle before them."""

    def __init__(self, provider: Any) -> None:
        self.settles: list[Settle] = []
        self._provider = provider
        self._own = {name: vars(provider)[name] for name in _METHODS if name in vars(provider)}
        self._replaced: dict[str, Any] = {}
        twice = isinstance(provider, MeterProvider) and not getattr(provider, "collects_twice", False)
        collect = getattr(provider, "force_flush", None) if twice else None
        for name in _METHODS:
            if hasattr(provider, name):
                self._replaced[name] = self._settling(getattr(provider, name), collect)
                setattr(provider, name, self._replaced[name])

    def _settling(self, original: Callable[..., Any], collect: Callable[..., Any] | None) -> Callable[..., Any]:
        @functools.wraps(original)
        def settled_first(*args: Any, **keywords: Any) -> Any:
            for settle in list(self.settles):
                settle(_TIMEOUT)
            if collect is not None and self.settles:
                try:
                    collect(*args, **keywords)
                except Exception:
                    logger.debug("a provider refused to collect", exc_info=True)
            return original(*args, **keywords)

        return settled_first

    def give_back(self) -> None:
        """Restores the originals, unless something else has replaced ours."""
        for name, ours in self._replaced.items():
            if vars(self._provider).get(name) is ours:
                delattr(self._provider, name)
                if name in self._own:
                    setattr(self._provider, name, self._own[name])


_flushes: Final[WeakKeyDictionary[Any, _Flushes]] = WeakKeyDictionary()


def settle_before_flush(providers: Iterable[Any], settle: Settle) -> Callable[[], None]:
    """Calls ``settle`` before any of ``providers`` flushes or shuts down; returns a function that stops this.

    A meter provider collects once more before, since a new attribute set is exported as 0 at first. A provider whose
    methods cannot be replaced stays as it is.
    """
    watched = [flushes for provider in providers if (flushes := _of(provider)) is not None]
    for flushes in watched:
        flushes.settles.append(settle)

    def stop() -> None:
        for flushes in watched:
            flushes.settles.remove(settle)
            if not flushes.settles:
                flushes.give_back()
                for provider in [each for each, its in _flushes.items() if its is flushes]:
                    del _flushes[provider]

    return stop


def _of(provider: Any) -> _Flushes | None:
    try:
        found = _flushes.get(provider)
        if found is None:
            found = _flushes[provider] = _Flushes(provider)
    except (AttributeError, TypeError) as error:
        logger.debug("%r is flushed without the streams that are not judged yet: %s", provider, error)
        return None
    return found
