"""Limits of the catalogue, played as their vendors play them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from autogen_streamtrace.commands.chaos.faults import shapes
from autogen_streamtrace.commands.chaos.faults.fault import AFTER_HALF, AT_ONCE, Dose, Fault
from autogen_streamtrace.commands.chaos.faults.place import Place, reach
from autogen_streamtrace.commands.chaos.faults.vendors import Vendor, vendor
from autogen_streamtrace.commands.chaos.wire.passage import Passage
from autogen_streamtrace.limits import KnownLimit, builtin

UNTIMED: Final = ("refused", "buffering")
"""What needs no time."""
_OPTIONS: Final = {"seconds": "the limit's value; its default where it has one"}


@dataclass
class _Moment:
    """A restart that is under way."""

    at: float = 0.0
    """When it cuts what is open, on the loop's clock."""


@dataclass(frozen=True)
class LimitFault(Fault):
    """A limit, as its vendor plays it."""

    limit: KnownLimit = field(kw_only=True)
    vendor: Vendor = field(kw_only=True)
    moment: _Moment = field(default_factory=_Moment, kw_only=True)

    async def play(self, passage: Passage, dose: Dose) -> bool:
        return await _PLAYS[self.limit.counts](self, passage, dose)

    def lasts(self, dose: Dose) -> float:
        return self.value(dose) if self.limit.counts in ("duration", "moment") else 0.0

    def value(self, dose: Dose) -> float:
        """When it strikes, in seconds: its value, and how much later or earlier such a timer is."""
        seconds = dose.seconds
        if seconds is None:
            seconds = next(iter(self.limit.values), 0.0)
        low, high = (*self.limit.strikes, 0.0, 0.0)[:2]
        return max(0.0, seconds + (low + high) / 2)

    def refuse(self, passage: Passage) -> bool:
        """Its own answer in place of a reply; a connection that closes where it has none."""
        passage.at_place = True
        if self.limit.status:
            self.vendor.refuse(passage, self.limit.status[0])
        else:
            passage.cut("fin")
        return True

    async def strike_late(self, passage: Passage) -> bool:
        """Its cut in mid-reply."""
        passage.at_place = True
        if passage.request.version != "2":
            await asyncio.sleep(self.limit.closes_late)
        self.vendor.strike(passage)
        return True


def limit_fault(name: str) -> LimitFault:
    """The fault that plays this limit.

    Raises:
        ValueError: there is no such limit, or it cannot be played here; the message says what can.
    """
    limit = next((each for each in builtin() if each.id == name), None)
    if limit is None:
        raise ValueError(f"unknown limit {name!r}; known are {', '.join(each.id for each in played())}")
    hindrance = why_not(limit)
    if hindrance:
        raise ValueError(f"{name} {hindrance}")
    known = vendor(name.partition(".")[0])
    adds = [] if limit.hidden else known.adds
    place = AFTER_HALF if limit.counts == "silence" else AT_ONCE
    what = f"{limit.vendor}: {limit.setting}"
    return LimitFault(name, what, _nothing, place, takes=_OPTIONS, adds=adds, limit=limit, vendor=known)


def played() -> list[KnownLimit]:
    """The limits that can be played."""
    return [each for each in builtin() if not why_not(each)]


def not_played() -> dict[str, list[KnownLimit]]:
    """The others, by why they cannot."""
    found: dict[str, list[KnownLimit]] = {}
    for each in builtin():
        if hindrance := why_not(each):
            found.setdefault(hindrance, []).append(each)
    return found


def why_not(limit: KnownLimit) -> str:
    """Why the limit cannot be played here; empty where it can."""
    if limit.local:
        return "strikes inside the client's own process; let the reply fall silent for longer: stall seconds=…"
    return "cuts WebSockets, which do not pass" if limit.id == "uvicorn.ws_ping_timeout" else ""


def needs_seconds(fault: Fault) -> bool:
    """Whether the fault is a limit whose value has to be told."""
    return isinstance(fault, LimitFault) and not fault.limit.values and fault.limit.counts not in UNTIMED


async def _nothing(passage: Passage, dose: Dose) -> None:
    """A limit strikes by its own kind."""


async def _silence(fault: LimitFault, passage: Passage, dose: Dose) -> bool:
    """Nothing comes for so long, in mid-reply or before its first byte."""
    clock, value = asyncio.get_running_loop().time, fault.value(dose)
    if dose.place.kind == "request":
        await asyncio.sleep(value)
        return fault.refuse(passage)
    if not await _opened(passage, value):
        return fault.refuse(passage)
    if not await reach(passage, dose.place, silence=value):
        await passage.rest()
        return False
    await asyncio.sleep(max(0.0, passage.last + value - clock()))
    return await fault.strike_late(passage)


async def _first_byte(fault: LimitFault, passage: Passage, dose: Dose) -> bool:
    """The answer has not begun by then."""
    if dose.place.kind == "never" and await _opened(passage, fault.value(dose)):
        await passage.rest()
        return False
    if dose.place.kind != "never":
        await asyncio.sleep(fault.value(dose))
    return fault.refuse(passage)


async def _duration(fault: LimitFault, passage: Passage, dose: Dose) -> bool:
    """The reply is not over by then."""
    value = fault.value(dose)
    if not await _opened(passage, value):
        return fault.refuse(passage)
    if not await reach(passage, Place("seconds", value)):
        await passage.rest()
        return False
    return await fault.strike_late(passage)


async def _moment(fault: LimitFault, passage: Passage, dose: Dose) -> bool:
    """A restart begins with the first reply; everything that is open so much later is cut together."""
    clock = asyncio.get_running_loop().time
    if fault.moment.at <= clock():
        fault.moment.at = clock() + fault.value(dose)
    at = fault.moment.at - passage.started
    if not await _opened(passage, at):
        passage.cut("fin")
        return True
    if not await reach(passage, Place("seconds", at)):
        await passage.rest()
        return False
    if passage.request.version == "2":
        passage.at_place = True
        passage.cut("goaway")
        return True
    return await fault.strike_late(passage)


async def _refused(fault: LimitFault, passage: Passage, dose: Dose) -> bool:
    return fault.refuse(passage)


async def _reuse(fault: LimitFault, passage: Passage, dose: Dose) -> bool:
    """The connection was idle for longer: it is closed, just as it is used again."""
    idle = passage.request.idle
    if idle is None or idle < fault.value(dose):
        await passage.rest()
        return False
    passage.cut("rst")
    return True


async def _buffering(fault: LimitFault, passage: Passage, dose: Dose) -> bool:
    """The body is held back until it is whole."""
    await passage.opened()
    if fault.vendor.compresses and "gzip" in passage.request.header("accept-encoding"):
        passage.compress()
    await shapes.hold_back(passage, dose)
    return True


async def _opened(passage: Passage, seconds: float) -> bool:
    """The head has come within so many seconds, and has gone out."""
    try:
        await asyncio.wait_for(passage.opened(), max(0.0, seconds))
    except asyncio.TimeoutError:
        return False
    passage.begin()
    return True


_Play = Callable[[LimitFault, Passage, Dose], Awaitable[bool]]

_PLAYS: Final[dict[str, _Play]] = {
    "silence": _silence,
    "first_byte": _first_byte,
    "queue": _first_byte,
    "duration": _duration,
    "moment": _moment,
    "refused": _refused,
    "reuse": _reuse,
    "buffering": _buffering,
}
