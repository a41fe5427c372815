"""What the looks look at: endings that nothing explains yet, what the other streams bore, who is named. No I/O."""

from collections import Counter
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
"""What sort of cause it is.

silence: no byte for so long, in mid-stream · first_byte: no byte of a response for so long · duration: the whole
response took so long · moment: all at one moment of the clock · reuse: a kept connection, closed as it was used again ·
refused: who is named refused at once and asked nobody · queue: it held the request back, then refused · buffering: the
path holds the body back · reader: the end user or the reading code went away · deadline: a timer of this process ·
provider: the model's server answered with an error · other.
"""

Sure = Literal["certain", "very likely", "likely", "possible", "too few to say"]

FEW: Final = 5
"""Endings below which nothing is said of their cause."""
MANY: Final = 20
"""Endings from which a cause is very likely."""


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
    """The value that the setting has."""
    between: tuple[float, float] | None = None
    """Seconds, where only an interval can be told."""
    party: str = ""
    """Who; empty where nothing tells."""
    setting: str = ""
    limit: str = ""
    """Id in the catalogue; empty where none is known."""
    page: str = ""
    others: tuple[str, ...] = ()
    """Ids of limits of whom nothing names, that have this value by default."""


class Scene:
    """The endings that nothing explains yet, and what is known beside them.

    Args:
        endings: the early endings, each where it arose.
        others: what the other streams bore.
        known: the catalogue of limits.
    """

    def __init__(self, endings: Iterable[Ending], others: dict[Place, Others], known: LimitMatcher) -> None:
        self.left = list(endings)
        self.known = known
        self._others = others
        self._named: dict[Place, tuple[str, ...]] = {}
        named: dict[Place, Counter[str]] = {}
        for ending in self.left:
            seen = named.setdefault(ending.place, Counter())
            seen.update({*ending.via, *filter(None, [ending.page])})
        for place in {*named, *others}:
            seen = named.get(place, Counter()) + (others[place].via if place in others else Counter())
            self._named[place] = tuple(name for name, _ in seen.most_common())

    def beside(self, place: Place) -> Others:
        """What the other streams of a place bore."""
        return self._others.get(place, _NOTHING)

    def named(self, ending: Ending) -> tuple[str, ...]:
        """Who stands in between, as far as this ending, or other answers of its place, name them."""
        if ending.page:
            return (ending.page,)
        return ending.via or self._named.get(ending.place, ())

    def taken(self, causes: Iterable[Cause]) -> Iterator[Cause]:
        """The causes, as they come, with their endings taken out of what is left."""
        for cause in causes:
            members = set(map(id, cause.members))
            self.left = [ending for ending in self.left if id(ending) not in members]
            yield cause


_NOTHING = Others()

Look = Callable[[Scene], Iterator[Cause]]
"""Looks for one sort of cause among what is left of a scene."""
