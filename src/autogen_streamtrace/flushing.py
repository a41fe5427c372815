"""Lets ``force_flush()`` and ``shutdown()`` of a provider bring out what has not yet been handed to it.

Both are public, and are replaced on the provider itself: what its class or its processors are is not asked. What the
program took from a provider before, as a bound method, is as it was.
"""

import functools
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final
from weakref import WeakKeyDictionary

from opentelemetry.metrics import MeterProvider

logger = logging.getLogger("autogen_streamtrace")

Settle = Callable[[float], object]
"""Hands all that was told so far to the providers, in so many seconds at most."""

_TIMEOUT: Final = 5.0
"""Seconds that it may take."""
_METHODS: Final = ("force_flush", "shutdown")


class _Flushes:
    """The two methods of one provider, replaced as long as somebody wants to settle before them."""

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
        """Puts the originals back, where nobody has replaced ours."""
        for name, ours in self._replaced.items():
            if vars(self._provider).get(name) is ours:
                delattr(self._provider, name)
                if name in self._own:
                    setattr(self._provider, name, self._own[name])


_flushes: Final[WeakKeyDictionary[Any, _Flushes]] = WeakKeyDictionary()


def settle_before_flush(providers: Iterable[Any], settle: Settle) -> Callable[[], None]:
    """Calls ``settle`` before any of ``providers`` flushes or shuts down; returns how to stop it.

    A provider of metrics collects once more before: a new attribute set is exported as 0 at first. A provider that
    takes no attributes is left alone.
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
        logger.debug("%r is flushed without what still waits: %s", provider, error)
        return None
    return found
