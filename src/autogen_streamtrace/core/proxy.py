"""``wrapt.AutoObjectProxy``, a proxy that has no more special methods than what it wraps. It came with wrapt 2."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import wrapt

_ADDED: Final = ("__call__", "__next__", "__await__", "__aenter__", "__aexit__", "__length_hint__", "__fspath__")
"""What wrapt 1 leaves out, whatever it wraps. ``__iter__`` it always has."""

if TYPE_CHECKING:
    from wrapt import AutoObjectProxy as AutoObjectProxy
elif hasattr(wrapt, "AutoObjectProxy"):
    AutoObjectProxy = wrapt.AutoObjectProxy
else:

    class AutoObjectProxy(wrapt.ObjectProxy):
        """The same over wrapt 1."""

        def __new__(cls, wrapped: Any, *args: Any, **keywords: Any) -> Any:
            return super().__new__(_alike(cls, type(wrapped)), wrapped)


@lru_cache(maxsize=256)
def _alike(cls: type, kind: type) -> type:
    """A subclass of the proxy ``cls`` for what is of ``kind``."""
    own = dir(cls)
    methods: dict[str, Any] = {name: _passed_on(name) for name in _ADDED if hasattr(kind, name) and name not in own}
    if not hasattr(kind, "__iter__"):
        methods["__iter__"] = None
    return type(cls.__name__, (cls,), methods)


def _passed_on(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **keywords: Any) -> Any:
        return getattr(self.__wrapped__, name)(*args, **keywords)

    return method
