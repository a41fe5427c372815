"""The input of each look: unexplained endings, what the other streams survived, which parties are named. No I/O."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from autogen_streamtrace.commands.diagnose.endings import Ending, Others, Place
from autogen_streamtrace.limits import LimitMatcher

Kind = Literal[
    "silence",
    "first_byte",
    "duration",
    "moment",
    "reuse",
    "refused",
    "queue",
    "buffering",
    "reader",
    "deadline",
    "provider",
    "other",
]
"""The sort of a cause.

silence: no byte for so long, in mid-stream · first_byte: no byte of a response for so long · duration: the whole
response took so long · moment: all at one moment of the clock · reuse: a kept connection, closed as it was used again ·
refused: an intermediary refused at once and asked nobody · queue: it held the request back, then refused · buffering:
the path holds the body back · reader: the end user or the reading code went away · deadline: a timer of this process ·
provider: the model's server answered with an error · other.
"""

Sure = Literal["certain", "very likely", "likely", "possible", "too few to say"]

FEW: Final = 5
"""Endings below which no cause is named."""
MANY: Final = 20
"""Endings from which a cause is very likely."""


@dataclass(frozen=True)
class Alternative:
    """A cause that fits as well as the reported one."""

    kind: Kind
    seconds: float
    between: tuple[float, float] | None
    setting: str
    limit: str
    """Id in the catalogue; empty where none is known."""


@dataclass
class Cause:
    """What explains some endings."""

    kind: Kind
    title: str
    members: list[Ending]
    sure: Sure
    fix: str
    evidence: list[str] = field(default_factory=list)
    seconds: float | None = None
    """The setting's value."""
    between: tuple[float, float] | None = None
    """The value's interval in seconds, where the exact value is not known."""
    party: str = ""
    """The vendor or program; empty where it is not known."""
    setting: str = ""
    limit: str = ""
    """Id in the catalogue; empty where none is known."""
    page: str = ""
    others: tuple[str, ...] = ()
    """Ids of limits with this value by default, of vendors that nothing names."""
    alternative: Alternative | None = None
    """The other measure, where that fits as well."""


class Scene:
    """The endings that no look has explained yet, and other known facts.

    Args:
        endings: the early endings, each where it arose.
        others: what the other streams survived.
        known: the catalogue of limits.
    """

    def __init__(self, endings: Iterable[Ending], others: dict[Place, Others], known: LimitMatcher) -> None:
        self.left = list(endings)
        self.known = known
        self._others = others
        self._usual: dict[Place, tuple[str, ...]] = {}
        self._pages: dict[Place, tuple[str, ...]] = {}
        named: dict[Place, Counter[str]] = defaultdict(Counter)
        pages: dict[Place, Counter[str]] = defaultdict(Counter)
        for place, seen in others.items():
            named[place] += seen.via
        for ending in self.left:
            named[ending.place].update(ending.via)
            pages[ending.place].update(filter(None, [ending.page]))
        for place in {*named, *pages}:
            self._usual[place] = tuple(name for name, _ in named[place].most_common())
            self._pages[place] = tuple(name for name in pages[place] if name not in named[place])

    def beside(self, place: Place) -> Others:
        """What the other streams of a place survived."""
        return self._others.get(place, _NOTHING)

    def named(self, ending: Ending) -> tuple[str, ...]:
        """The intermediaries that this ending, or other answers of its place, name."""
        if ending.page:
            return (ending.page,)
        if ending.via:
            return ending.via
        if (
            ending.status is not None
        ):  # its own headers name nobody, so only a vendor that marks nothing but refusals may be there
            return self._pages.get(ending.place, ())
        return self._usual.get(ending.place, ()) or self._by_suspicion(ending)

    def _by_suspicion(self, ending: Ending) -> tuple[str, ...]:
        """The limit of counts, of which nothing else is known: the process suspected it by the headers."""
        limit = self.known.by_id.get(ending.limit) if ending.end is None else None
        return (limit.intermediary,) if limit is not None and limit.intermediary and not limit.hidden else ()

    def taken(self, causes: Iterable[Cause]) -> Iterator[Cause]:
        """Yields the causes; the endings of each are removed from the scene."""
        for cause in causes:
            members = set(map(id, cause.members))
            self.left = [ending for ending in self.left if id(ending) not in members]
            yield cause


_NOTHING = Others()

Look = Callable[[Scene], Iterator[Cause]]
"""Looks for one sort of cause among the unexplained endings."""
