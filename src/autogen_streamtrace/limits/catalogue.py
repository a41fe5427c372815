"""Reads the catalogue of limits: ``catalogue.toml`` beside this file, and files of the user's in the same form."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Counts = Literal["silence", "first_byte", "duration", "queue", "reuse", "refused", "moment", "buffering"]
"""What a setting bounds, or makes happen.

silence: between two bytes, the first one included · first_byte: until the response begins · duration: all of it ·
queue: until a request that waits for its turn is refused · reuse: how long a connection is kept for the next request ·
refused: how many may come at once · moment: how long a stop waits for what is open · buffering: whether a body is
passed on at once.
"""

TIMERS: Final = ("silence", "first_byte", "duration", "queue")
"""What is counted in seconds from a stream's own last byte or start."""

BUILTIN: Final = Path(__file__).with_name("catalogue.toml")


class CatalogueError(ValueError):
    """A file of limits that cannot be used. The message names the file, the limit, the key and what is allowed."""


@dataclass(frozen=True)
class KnownLimit:
    """A timeout of somebody's that cuts streams."""

    id: str
    vendor: str
    setting: str
    counts: Counts
    fix: str
    """The line to change."""
    page: str = ""
    """The vendor's own page about it."""
    seconds: float | None = None
    """Its default, in seconds; none where it is off, or where every installation chooses its own."""
    typical: tuple[float, ...] = ()
    """Other values often met, in seconds."""
    strikes: tuple[float, ...] = (0.0, 0.0)
    """How long after its value it strikes, in seconds, at the least and at the most: below zero where it is early."""
    closes_late: float = 0.0
    """How much later it closes an HTTP/1 connection to its client, in seconds."""
    intermediary: str = ""
    """What the telemetry calls it; empty where nothing ever names it."""
    hidden: bool = False
    """It leaves its header on its own errors alone, not on what it passes on."""
    outcomes: tuple[str, ...] = ()
    """How a stream ends that it cuts after the response has begun."""
    status: tuple[int, ...] = ()
    """The HTTP status that it answers with before."""
    exceptions: tuple[str, ...] = ()
    """What is raised, without its module, where it strikes inside this process."""

    @property
    def values(self) -> tuple[float, ...]:
        """The default, then the other values often met, in seconds."""
        return (*(() if self.seconds is None else (self.seconds,)), *self.typical)

    @property
    def early(self) -> float:
        """How much before its value it may strike, in seconds."""
        return max(0.0, -self.strikes[0])

    @property
    def late(self) -> float:
        """How much after its value it may strike, in seconds."""
        return max(0.0, self.strikes[1])

    @property
    def local(self) -> bool:
        """It strikes inside this process, as an exception."""
        return bool(self.exceptions)


def load(*paths: str | Path) -> tuple[KnownLimit, ...]:
    """The limits of these files, then the built-in ones that they do not name anew.

    Args:
        paths: TOML files in the form of the built-in one.

    Raises:
        CatalogueError: a file that cannot be read, or a limit that is wrong.
    """
    own = [limit for path in paths for limit in _read(Path(path))]
    named = {limit.id for limit in own}
    return (*own, *(limit for limit in builtin() if limit.id not in named))


@cache
def builtin() -> tuple[KnownLimit, ...]:
    """The limits that ship with the package, the commonest first."""
    return tuple(_read(BUILTIN))


def _read(path: Path) -> Iterable[KnownLimit]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogueError(f"limits file {path}: {error}") from None
    tables = document.get("limit")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise CatalogueError(f"limits file {path}: has no [[limit]] tables; each limit is one")
    return [_limit(path, table) for table in tables]


_KEYS: Final = {field.name for field in fields(KnownLimit)}
_REQUIRED: Final = ("id", "vendor", "setting", "counts", "fix")
_TEXTS: Final = (*_REQUIRED, "page", "intermediary")
_NUMBERS: Final = ("seconds", "closes_late")
_LISTS: Final[dict[str, type | tuple[type, ...]]] = {
    "typical": (int, float),
    "strikes": (int, float),
    "outcomes": str,
    "status": int,
    "exceptions": str,
}


def _limit(path: Path, table: Mapping[str, Any]) -> KnownLimit:
    def wrong(what: str) -> CatalogueError:
        return CatalogueError(f"limits file {path}, limit {table.get('id', '(without id)')!r}: {what}")

    for key in _REQUIRED:
        if key not in table:
            raise wrong(f"{key!r} is missing")
    for key, value in table.items():
        if key not in _KEYS:
            raise wrong(f"there is no key {key!r}; known: {', '.join(sorted(_KEYS))}")
        if problem := _problem(key, value):
            raise wrong(f"{key} = {value!r} is not allowed; allowed: {problem}")
    return KnownLimit(**{key: _plain(key, value) for key, value in table.items()})


def _plain(key: str, value: Any) -> Any:
    if key in ("typical", "strikes"):
        return tuple(map(float, value))
    if key in _NUMBERS:
        return float(value)
    return tuple(value) if isinstance(value, list) else value


def _problem(key: str, value: Any) -> str:
    """What would be allowed, where ``value`` is not; else empty."""
    if key == "counts" and value not in get_args(Counts):
        return ", ".join(get_args(Counts))
    if key in _TEXTS and not (isinstance(value, str) and value):
        return "a text"
    if key in _NUMBERS and not (_number(value) and value >= 0):
        return "a number of seconds"
    if key == "hidden" and not isinstance(value, bool):
        return "true or false"
    kind = _LISTS.get(key)
    if kind is not None and not (isinstance(value, list) and all(_is(each, kind) for each in value)):
        return "a list of texts" if kind is str else "a list of numbers"
    if key == "strikes" and not (len(value) == 2 and value[0] <= value[1]):
        return "two numbers of seconds, the smaller first"
    return ""


def _number(value: Any) -> bool:
    return _is(value, (int, float))


def _is(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and value == value  # nan is no number of seconds
