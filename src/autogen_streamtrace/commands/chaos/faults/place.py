"""Where in a reply a fault strikes."""

import asyncio
import re
from dataclasses import dataclass
from typing import Final, Literal

from autogen_streamtrace.commands.chaos.wire.passage import Passage
from autogen_streamtrace.commands.chaos.wire.pieces import halves, text

Kind = Literal["events", "seconds", "characters", "request", "never"]

_COUNTED: Final = re.compile(r"(\d+(?:\.\d+)?) *(ms|s|seconds?|m|minutes?|characters?|chars?|c|events?|)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0}
ALLOWED: Final = "a number of events (5), seconds (2s, 250ms), characters (100c), `request` or `never`"


@dataclass(frozen=True)
class Place:
    """A place in a reply.

    events: after so many events that bring a piece of the reply; 0 is before the first · seconds: so long after the
    request came · characters: of the reply's text · request: before any answer · never: the reply passes.
    """

    kind: Kind
    count: float = 0.0

    @classmethod
    def of(cls, said: str) -> "Place":
        """Reads ``5``, ``2s``, ``100c``, ``request`` or ``never``.

        Raises:
            ValueError: it is something else.
        """
        if said in ("request", "never"):
            return cls("request" if said == "request" else "never")
        found = _COUNTED.fullmatch(said.strip())
        if not found:
            raise ValueError(f"{said!r} is no place; allowed: {ALLOWED}")
        count, unit = float(found[1]), found[2]
        if unit.startswith("c"):
            return cls("characters", count)
        if unit in ("", "event", "events"):
            return cls("events", count)
        return cls("seconds", count * _UNITS["ms" if unit == "ms" else unit[0]])

    def __str__(self) -> str:
        if self.kind in ("request", "never"):
            return "at the request" if self.kind == "request" else "never"
        return f"after {self.count:g} {self.kind}"


def seconds(said: str) -> float:
    """Reads a time: 3, 3s, 250ms, 2m.

    Raises:
        ValueError: it is something else.
    """
    try:
        place = Place.of(f"{said}s" if re.fullmatch(r"[\d.]+", said) else said)
    except ValueError:
        place = Place("never")
    if place.kind != "seconds":
        raise ValueError(f"{said!r} is no time; write 3s, 250ms or 2m")
    return place.count


async def reach(passage: Passage, place: Place, silence: float | None = None) -> bool:
    """Passes the reply on until the place; False where the reply is over before.

    Args:
        passage: the reply, whose head has gone out.
        place: how far.
        silence: it also stops after so many seconds without a byte.

    A body that is one document is cut in the middle of its first piece that is not blank.
    """
    clock = asyncio.get_running_loop().time
    until = passage.started + place.count if place.kind == "seconds" else None
    counted = 0.0
    while place.kind not in ("events", "characters") or counted < place.count:
        quiet = None if silence is None else clock() + silence
        try:
            unit = await passage.next(_sooner(until, quiet))
        except asyncio.TimeoutError:
            return True
        if unit is None:
            return False
        if passage.document and unit.strip():
            first, second = halves(unit)
            passage.send(first)
            passage.put_back(second)
            return place.kind != "never"
        passage.send(unit)
        await passage.room()
        counted += _counts(place, unit, passage.document)
    return True


def _counts(place: Place, unit: bytes, document: bool) -> int:
    if document:
        return 1
    said = text(unit)
    if place.kind == "characters":
        return len(unit if said is None else said)
    return 1 if said is None else bool(said)


def _sooner(one: float | None, other: float | None) -> float | None:
    known = [each for each in (one, other) if each is not None]
    return min(known) if known else None
