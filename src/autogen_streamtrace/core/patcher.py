"""Replaces attributes of other packages, and puts every original back."""

import inspect
import logging
from collections.abc import Callable, Iterator
from typing import Any, Final

logger = logging.getLogger("autogen_streamtrace")

Make = Callable[[Any], Any]
"""Makes the replacement of an original."""

_MISSING: Final = object()


class Patcher:
    """What was replaced, in order; ``undo`` takes it all back."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def attribute(self, owner: Any, name: str, make: Make) -> None:
        """Replaces an attribute of a module or a class."""
        self._set(owner, name, make(inspect.getattr_static(owner, name)))

    def innermost(self, owner: type, name: str, make: Make) -> None:
        """Replaces a method beneath every wrapper that stands around it (``wrapt``'s, by ``__wrapped__``).

        So it runs inside the official instrumentation, in whatever order the two were applied.
        """
        outer: Any = owner
        found = inspect.getattr_static(owner, name)
        while hasattr(found, "__wrapped__") and not inspect.isfunction(found):
            outer, name_there, found = found, "__wrapped__", found.__wrapped__
        if outer is owner:
            self._wrap_below(owner, name, make(found), found)
        else:
            setattr(outer, name_there, make(found))
            self._undo.append(lambda: _restore_below(owner, name, found))

    def _wrap_below(self, owner: type, name: str, replacement: Any, original: Any) -> None:
        setattr(owner, name, replacement)
        self._undo.append(lambda: _restore_below(owner, name, original))

    def family(self, base: type, name: str, make: Make) -> None:
        """Replaces a method on a class, on all its subclasses, and on those still to be defined."""
        for cls in (base, *_subclasses(base)):
            self._own(base, cls, name, make)
        self._on_subclass(base, lambda cls: self._own(base, cls, name, make))

    def adopt(self, other: "Patcher") -> None:
        """Takes over what another one replaced."""
        self._undo += other._undo

    def undo(self) -> None:
        """Puts back every original, newest first."""
        while self._undo:
            self._undo.pop()()

    def _own(self, base: type, cls: type, name: str, make: Make) -> None:
        found = cls.__dict__.get(name, _MISSING)
        if found is _MISSING and cls is not base:
            found = _from_mixin(base, cls, name)
        if inspect.isfunction(found) and not getattr(found, "__isabstractmethod__", False):
            self._set(cls, name, make(found))

    def _on_subclass(self, base: type, defined: Callable[[type], None]) -> None:
        original = base.__dict__.get("__init_subclass__", _MISSING)

        def __init_subclass__(cls: type, **kwargs: Any) -> None:
            if original is _MISSING:
                super(base, cls).__init_subclass__(**kwargs)
            else:
                original.__get__(None, cls)(**kwargs)
            defined(cls)

        self._set(base, "__init_subclass__", classmethod(__init_subclass__))

    def _set(self, owner: Any, name: str, value: Any) -> None:
        own = vars(owner).get(name, _MISSING)
        setattr(owner, name, value)

        def restore() -> None:
            if vars(owner).get(name) is not value:
                logger.warning("%s.%s was replaced by someone else meanwhile; it is left as it is", owner, name)
            elif own is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, own)

        self._undo.append(restore)


def _restore_below(owner: type, name: str, original: Any) -> None:
    """Takes a replacement out of the chain of wrappers, wherever it stands by now."""
    outer: Any = owner
    found = inspect.getattr_static(owner, name)
    at = name
    while getattr(found, "__wrapped__", None) is not original:
        if not hasattr(found, "__wrapped__"):
            return
        outer, at, found = found, "__wrapped__", found.__wrapped__
    setattr(outer, at, original)


def _subclasses(base: type) -> Iterator[type]:
    for cls in type.__subclasses__(base):
        yield cls
        yield from _subclasses(cls)


def _from_mixin(base: type, cls: type, name: str) -> Any:
    for owner in cls.__mro__[1:]:
        if name in owner.__dict__:
            return _MISSING if issubclass(owner, base) else owner.__dict__[name]
    return _MISSING
