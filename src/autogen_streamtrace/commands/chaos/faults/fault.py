"""What a fault is, and what a request for one says."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from autogen_streamtrace.commands.chaos.faults.place import Place, reach, seconds
from autogen_streamtrace.commands.chaos.model.reply import HALF
from autogen_streamtrace.commands.chaos.wire.message import Lines
from autogen_streamtrace.commands.chaos.wire.passage import Passage

AFTER_HALF: Final = Place("events", HALF)
AT_ONCE: Final = Place("events", 0)
BEFORE: Final = Place("request")


@dataclass(frozen=True)
class Dose:
    """How a fault is played once."""

    place: Place
    seconds: float | None = None
    """Its time, where it takes one."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The rest, by name."""

    def time(self, name: str, default: float) -> float:
        """An option that is a time, in seconds."""
        return seconds(self.options[name]) if name in self.options else default

    def number(self, name: str, default: int) -> int:
        return int(self.options.get(name, default))


Strike = Callable[[Passage, Dose], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """Something that is done to a reply."""

    name: str
    what: str
    """One line for people."""
    strike: Strike
    """What happens at the place."""
    place: Place = AFTER_HALF
    """Where it strikes, unless it is told."""
    takes: Mapping[str, str] = field(default_factory=dict)
    """Its own options: the name, and what it means."""
    compress: bool = False
    """The body is sent compressed."""
    heals: bool = False
    """Where a path asks for it, only every other request of that path suffers it, the first one first."""

    adds: Lines = field(default_factory=list)
    """Header lines that it adds to what passes."""

    def lasts(self, dose: Dose) -> float:
        """For how many seconds a reply has to last for it to strike."""
        return 0.0

    async def play(self, passage: Passage, dose: Dose) -> bool:
        """Plays it on a reply; False where the reply was over before the place."""
        if dose.place.kind == "request":
            passage.at_place = True
            await self.strike(passage, dose)
            return True
        await passage.opened()
        if self.compress:
            passage.compress()
        passage.begin()
        if dose.place.kind == "never" or not await reach(passage, dose.place):
            await passage.rest()
            return False
        passage.at_place = True
        await self.strike(passage, dose)
        return True
