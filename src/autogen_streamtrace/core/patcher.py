"""Replaces attributes of other packages, and puts every original back."""

import inspect
import logging
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, Final
from weakref import WeakKeyDictionary

logger = logging.getLogger(__name__)

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
        holder, at, found = _below(owner, name, lambda method: type(method) is FunctionType)  # a proxy claims to be one
        replacement = make(found)
        setattr(holder, at, replacement)

        def restore() -> None:
            holder, at, there = _below(owner, name, lambda method: method is replacement)
            if there is replacement:
                setattr(holder, at, found)

        self._undo.append(restore)

    def family(self, base: type, name: str, make: Make, but: tuple[type, ...] = ()) -> None:
        """Replaces a method on a class, on all its subclasses, and on those still to be defined.

        The classes of ``but`` and their subclasses are left as they are.
        """
        family: WeakKeyDictionary[type, bool] = WeakKeyDictionary()
        self._undo.append(lambda: _give_back(family, name))

        def defined(cls: type) -> None:
            if not issubclass(cls, but):
                _replace_own(family, base, cls, name, make)

        for cls in dict.fromkeys((base, *_subclasses(base))):  # one that inherits twice from the base comes twice
            defined(cls)
        self._on_subclass(base, defined)

    @property
    def mark(self) -> int:
        """What was replaced so far, for ``undo``."""
        return len(self._undo)

    def undo(self, mark: int = 0) -> None:
        """Puts back every original since ``mark``, newest first."""
        while len(self._undo) > mark:
            self._undo.pop()()

    def _on_subclass(self, base: type, defined: Callable[[type], None]) -> None:
        original = base.__dict__.get("__init_subclass__", _MISSING)
        above: Any = base

        def __init_subclass__(cls: Any, /, **kwargs: Any) -> None:
            if original is _MISSING:
                super(above, cls).__init_subclass__(**kwargs)
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


def _replace_own(family: WeakKeyDictionary[type, bool], base: type, cls: type, name: str, make: Make) -> None:
    """Replaces a method where a class defines it, or takes it from a plain mixin. Holds no class alive."""
    found = cls.__dict__.get(name, _MISSING)
    defines = found is not _MISSING
    if not defines and cls is not base:
        found = _from_mixin(base, cls, name)
    if inspect.isfunction(found) and not getattr(found, "__isabstractmethod__", False):
        setattr(cls, name, make(found))
        family[cls] = defines


def _give_back(family: WeakKeyDictionary[type, bool], name: str) -> None:
    for cls, defines in list(family.items()):
        original = getattr(vars(cls).get(name), "__wrapped__", None)
        if original is None:
            logger.warning("%s.%s was replaced by someone else meanwhile; it is left as it is", cls, name)
        elif defines:
            setattr(cls, name, original)
        else:
            delattr(cls, name)


def _below(owner: Any, name: str, wanted: Callable[[Any], bool]) -> tuple[Any, str, Any]:
    """Where a method stands in a chain of wrappers: its holder, its name there, itself."""
    holder, at, found = owner, name, inspect.getattr_static(owner, name)
    while not wanted(found) and hasattr(found, "__wrapped__"):
        holder, at, found = found, "__wrapped__", found.__wrapped__
    return holder, at, found


def _subclasses(base: type) -> Iterator[type]:
    subclasses: list[type] = type.__subclasses__(base)
    for cls in subclasses:
        yield cls
        yield from _subclasses(cls)


def _from_mixin(base: type, cls: type, name: str) -> Any:
    for owner in cls.__mro__[1:]:
        if name in owner.__dict__:
            return _MISSING if issubclass(owner, base) else owner.__dict__[name]
    return _MISSING
