"""A scenario file: the rules of a run, in TOML.

seed = 7
upstream = "https://api.openai.com"

[[fault]]
name = "stall"
after = "2s"
every = 3

[[fault]]
like = "nginx.proxy_read_timeout"
seconds = 3
probability = 0.2
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from autogen_streamtrace.commands.chaos.rules import Rule, RuleError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_KEYS: Final = ("seed", "upstream", "fault")


@dataclass(frozen=True)
class Scenario:
    """What a run is to do."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0
    upstream: str = ""


def read(path: Path) -> Scenario:
    """Reads a file.

    Raises:
        RuleError: it cannot be used; the message names the file, the table and what is allowed.
    """
    told = document(path, _KEYS)
    seed, tables = told.get("seed", 0), told.get("fault", [])
    if not isinstance(seed, int):
        raise RuleError(f"{path}: seed = {seed!r} is not allowed; allowed: a whole number")
    if not isinstance(tables, list) or not tables:
        raise RuleError(f"{path}: it has no [[fault]] table; each fault is one")
    rules = tuple(_rule(f"{path}, fault {at}", table) for at, table in enumerate(tables, 1))
    return Scenario(rules, seed, str(told.get("upstream", "")))


def document(path: Path, allowed: Sequence[str]) -> dict[str, Any]:
    """A file of TOML with no other keys than these.

    Raises:
        RuleError: it cannot be read, or has another key.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RuleError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RuleError(f"{path}: {error}") from None
    unknown = [key for key in told if key not in allowed]
    if unknown:
        raise RuleError(f"{path}: unknown key {unknown[0]!r}; allowed: {', '.join(allowed)}")
    return told


def _rule(where: str, table: Mapping[str, Any]) -> Rule:
    names = [table[key] for key in ("name", "like") if key in table]
    if len(names) != 1:
        raise RuleError(f"{where}: write either name = a fault, or like = a limit of the catalogue")
    try:
        return Rule.read(str(names[0]), {key: value for key, value in table.items() if key not in ("name", "like")})
    except RuleError as error:
        raise RuleError(f"{where}: {error}") from None
