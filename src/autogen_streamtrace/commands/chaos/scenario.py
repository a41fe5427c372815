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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autogen_streamtrace.commands.chaos.rules import Rule, RuleError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


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
    told = document(path, "fault", "upstream")
    upstream = told.others.get("upstream", "")
    if not isinstance(upstream, str):
        raise RuleError(f"{path}: upstream = {upstream!r} is not allowed; allowed: a URL")
    rules = tuple(_rule(where, table) for where, table in told.tables.items())
    return Scenario(rules, told.seed, upstream)


@dataclass(frozen=True)
class Document:
    """A file of TOML: a seed, and a table for each fault or step."""

    tables: Mapping[str, Mapping[str, Any]]
    """In their order, by where each stands."""
    seed: int
    others: Mapping[str, Any]


def document(path: Path, what: str, *others: str) -> Document:
    """Reads a file of TOML that has ``seed``, the tables ``[[what]]``, and ``others``.

    Raises:
        RuleError: it cannot be read, has another key, or no table.
    """
    allowed = ("seed", *others, what)
    told = _toml(path)
    unknown = [key for key in told if key not in allowed]
    if unknown:
        raise RuleError(f"{path}: unknown key {unknown[0]!r}; allowed: {', '.join(allowed)}")
    seed, tables = told.get("seed", 0), told.get(what)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise RuleError(f"{path}: seed = {seed!r} is not allowed; allowed: a whole number")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise RuleError(f"{path}: it has no [[{what}]] table; each {what} is one")
    return Document({f"{path}, {what} {at}": table for at, table in enumerate(tables, 1)}, seed, told)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RuleError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RuleError(f"{path}: {error}") from None


def _rule(where: str, table: Mapping[str, Any]) -> Rule:
    names = [table[key] for key in ("name", "like") if key in table]
    if len(names) != 1:
        raise RuleError(f"{where}: write either name = a fault, or like = a limit of the catalogue")
    try:
        return Rule.read(str(names[0]), {key: value for key, value in table.items() if key not in ("name", "like")})
    except RuleError as error:
        raise RuleError(f"{where}: {error}") from None
