"""Which request suffers which fault."""

import random
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from autogen_streamtrace.commands.chaos.faults import FAULTS, Dose, Fault, Place
from autogen_streamtrace.commands.chaos.faults.limits import limit_fault, needs_seconds
from autogen_streamtrace.commands.chaos.faults.place import seconds
from autogen_streamtrace.commands.chaos.wire.message import Request

CONDITIONS: Final = ("probability", "every", "model", "path", "header")
HEADER: Final = "x-streamtrace-fault"
"""A request names its own fault in it."""


class RuleError(ValueError):
    """A rule that cannot be used. The message names what is wrong, and what is allowed."""


@dataclass(frozen=True)
class Rule:
    """A fault, and the requests that suffer it. Patterns are those of a shell: ``*``, ``?``."""

    fault: Fault
    dose: Dose
    probability: float = 1.0
    every: int = 1
    """Every so many-th request that the other conditions fit."""
    model: str = "*"
    path: str = "*"
    header: tuple[str, str] | None = None
    """Name, and pattern of the value."""

    @classmethod
    def of(cls, said: str) -> "Rule":
        """Reads ``NAME key=value …``; a limit's name is ``vendor.setting=3s``.

        Raises:
            RuleError: it cannot be used.
        """
        try:
            words = shlex.split(said)
        except ValueError as error:
            raise RuleError(f"{said!r}: {error}; write NAME key=value …") from None
        if not words:
            raise RuleError(f"{said!r} names no fault; write NAME key=value …")
        name, _, value = words[0].partition("=")
        options = {"seconds": value} if value else {}
        for word in words[1:]:
            key, equals, text = word.partition("=")
            if not equals:
                raise RuleError(f"{said!r}: {word!r} is no option; write key=value")
            if key in options:
                raise RuleError(f"{said!r}: {key} is said twice")
            options[key] = text
        return cls.read(name, options)

    @classmethod
    def read(cls, name: str, options: Mapping[str, Any]) -> "Rule":
        """The rule for a fault or a limit of this name.

        Raises:
            RuleError: it cannot be used.
        """
        fault = named(name)
        said = {key: str(value) for key, value in options.items()}
        allowed = ("after", *fault.takes, *CONDITIONS)
        unknown = [key for key in said if key not in allowed]
        if unknown:
            raise RuleError(f"{name}: unknown option {unknown[0]!r}; allowed: {', '.join(allowed)}")
        try:
            dose = Dose(
                Place.of(said["after"]) if "after" in said else fault.place,
                seconds(said["seconds"]) if "seconds" in said else None,
                _own_options(fault, said),
            )
            if dose.seconds is None and needs_seconds(fault):
                raise ValueError(f"it has no default; write {name}=60s")
            return cls(fault, dose, _share(said), _count(said), *_patterns(said))
        except ValueError as error:
            raise RuleError(f"{name}: {error}") from None

    def fits(self, request: Request) -> bool:
        """Whether the request is one of those that may suffer it."""
        if not fnmatchcase(request.path, self.path) or not fnmatchcase(request.model, self.model):
            return False
        return self.header is None or fnmatchcase(request.header(self.header[0]), self.header[1])


@dataclass
class Rules:
    """The rules in their order: the first that strikes counts. A seed makes their dice repeatable."""

    rules: Sequence[Rule] = ()
    seed: int = 0
    _met: dict[int, int] = field(default_factory=dict)

    def choose(self, request: Request) -> Rule | None:
        """The rule that strikes this request; None where it passes.

        Raises:
            RuleError: it asks for a fault that cannot be used.
        """
        asked = request.header(HEADER)
        if asked:
            return _own(asked)
        return next((rule for at, rule in enumerate(self.rules) if self._strikes(at, rule, request)), None)

    def _strikes(self, at: int, rule: Rule, request: Request) -> bool:
        if not rule.fits(request):
            return False
        count = self._met[at] = self._met.get(at, 0) + 1
        if count % rule.every:
            return False
        return rule.probability >= 1 or random.Random(f"{self.seed}/{at}/{count}").random() < rule.probability


def _own(asked: str) -> Rule:
    """The rule of a request that asks for its own fault."""
    rule = Rule.of(asked)
    if rule != Rule(rule.fault, rule.dose):
        raise RuleError(f"{asked!r}: a request suffers what it asks for; leave out {', '.join(CONDITIONS)}")
    return rule


def named(name: str) -> Fault:
    """The fault, or the limit of the catalogue, of this name.

    Raises:
        RuleError: there is none.
    """
    if name in FAULTS:
        return FAULTS[name]
    if "." in name:
        try:
            return limit_fault(name)
        except ValueError as error:
            raise RuleError(str(error)) from None
    raise RuleError(f"unknown fault {name!r}; known are {', '.join(FAULTS)}, and the limits of the catalogue")


def _own_options(fault: Fault, said: Mapping[str, str]) -> dict[str, str]:
    """The options that only some faults take."""
    own = {key: said[key] for key in fault.takes if key in said}
    if "size" in own and not (own["size"].isdecimal() and int(own["size"])):
        raise ValueError(f"size={own['size']} is not allowed; allowed: a whole number from 1")
    if "pause" in own:
        seconds(own["pause"])
    return own


def _share(said: Mapping[str, str]) -> float:
    text = said.get("probability", "1")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError(f"probability={text} is not allowed; allowed: a number from 0 to 1")
    return value


def _count(said: Mapping[str, str]) -> int:
    text = said.get("every", "1")
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"every={text} is not allowed; allowed: a whole number from 1")
    return int(text)


def _patterns(said: Mapping[str, str]) -> tuple[str, str, tuple[str, str] | None]:
    name, colon, pattern = said.get("header", "").partition(":")
    if "header" in said and not (name.strip() and colon):
        raise ValueError(f"header={said['header']} is not allowed; write NAME:PATTERN")
    return said.get("model", "*"), said.get("path", "*"), (name.strip(), pattern.strip()) if colon else None
