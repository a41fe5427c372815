"""Private names of other packages that this one uses: one module for each neighbour, and for
OpenTelemetry's histograms, logs, spans and tracers.

A package may change or drop such a name at any time. So each name is listed here once, with what is lost without it. It
is looked up when it is needed, never imported. If a package no longer has the name, one warning says so.
"""

import logging
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any, Final

logger = logging.getLogger(__name__)

PYTHON: Final = "Python"
"""The package name of the standard library."""

_ABSENT: Final = object()
_said: set[tuple[str, str]] = set()
_untested: set[str] = set()
"""Packages of a version that was not tested: one warning says so, in place of one for each name that is lost."""


@dataclass
class Private:
    """A private name of a neighbour's.

    Args:
        package: the distribution that has the name, or ``PYTHON``.
        owner: the module or class that has it.
        attribute: the name itself; empty for a private module.
        without: what is lost without it, as a clause.
        owners: further classes that have it.
        siblings: other distributions, with classes of the same names.
    """

    package: str
    owner: str
    attribute: str
    without: str
    owners: tuple[str, ...] = ()
    siblings: tuple[str, ...] = ()

    def of(self, thing: Any, default: Any = None) -> Any:
        """Its value on ``thing``, else ``default``, with a warning where ``thing`` is one of the neighbour's own."""
        value = getattr(thing, self.attribute, _ABSENT)
        if value is not _ABSENT:
            return value
        owner = self._owner_of(thing)
        if owner is not None:
            self.lost(owner=owner)
        elif isinstance(thing, ModuleType) and thing.__name__ == self.owner:
            self.lost()
        return default

    def need(self, thing: Any) -> Any:
        """Its value on ``thing``.

        Raises:
            GoneError: there is none.
        """
        value = getattr(thing, self.attribute, _ABSENT)
        if value is _ABSENT:
            raise GoneError(self)
        return value

    def replace(self, thing: Any, value: Any) -> None:
        """Gives ``thing`` another value of it.

        Raises:
            GoneError: there is none to replace.
        """
        self.need(thing)
        setattr(thing, self.attribute, value)

    def attempt(self, use: Callable[[], Any]) -> bool:
        """Calls ``use``, which needs this name; returns whether that worked. If not, a warning says what is lost."""
        try:
            use()
        except GoneError as gone:
            gone.private.lost()
            return False
        except (AttributeError, TypeError) as error:
            self.lost(error)
            return False
        return True

    def lost(self, error: Exception | None = None, owner: type | None = None) -> None:
        """Warns once that the installed version has no such name, and what is lost."""
        package = self.package if owner is None else self._package_of(owner)
        name = str(self) if owner is None else f"{owner.__name__}.{self.attribute}"
        kind = (package, str(self))
        if kind not in _said:
            _said.add(kind)
            logger.log(
                logging.INFO if package in _untested else logging.WARNING,
                "%s %s has no %s%s: %s. All else is watched as before. A newer autogen-streamtrace may know what took"
                " its place. This warning appears once.",
                package,
                version(package),
                name,
                "" if error is None or isinstance(error, GoneError) else f" as it was ({error})",
                self.without,
            )

    def _owner_of(self, thing: Any) -> type | None:
        return _named(type(thing).__mro__, self.owner, self.owners)

    def _package_of(self, owner: type) -> str:
        module = owner.__module__.partition(".")[0].replace("_", "-")
        return module if module in self.siblings else self.package

    def __str__(self) -> str:
        return f"{self.owner}.{self.attribute}" if self.attribute else self.owner


class GoneError(AttributeError):
    """A neighbour does not have the name."""

    def __init__(self, private: Private) -> None:
        super().__init__(str(private))
        self.private = private


def check_version(package: str, first: str, before: str) -> None:
    """Warns once where the installed version of a distribution is not from ``first`` up to ``before``."""
    installed = version(package)
    release = _release(installed)
    if not release or _release(first) <= release < _release(before) or package in _untested:
        return
    _untested.add(package)
    logger.warning(
        "%s %s was not tested: tested are %s up to %s. What is known of it is watched; where it lacks a private name, a"
        " line of level INFO says what is lost. This warning appears once.",
        package,
        installed,
        first,
        before,
    )


def _release(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


@lru_cache(maxsize=256)
def _named(bases: tuple[type, ...], owner: str, owners: tuple[str, ...]) -> type | None:
    """The nearest base class with one of these names. Cached: a class that lacks a name is asked at each stream."""
    return next((base for base in bases if base.__name__ == owner or base.__name__ in owners), None)


def version(package: str) -> str:
    """The installed version of a distribution."""
    from importlib import metadata  # its import is slow, and hardly ever needed

    if package == PYTHON:
        return ".".join(map(str, sys.version_info[:3]))
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "of an unknown version"
