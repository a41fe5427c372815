"""An idle connection that the other end closed just as it was used again, before any answer came."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from autogen_streamtrace.commands.diagnose import evidence
from autogen_streamtrace.commands.diagnose.endings import Ending, Place, commonest, quantile
from autogen_streamtrace.commands.diagnose.general import GENERAL
from autogen_streamtrace.commands.diagnose.scene import FEW, MANY, Cause, Scene, Sure
from autogen_streamtrace.core import semconv as sc

ROUND_TRIP: Final = 1.0
"""Seconds within which such a request is over."""
TIGHT: Final = 0.3
"""Share of the middle within which idle times lie that one setting made."""


def reuse(scene: Scene) -> Iterator[Cause]:
    """Requests that were cut before any byte of a response, within a round trip."""
    groups: dict[Place, list[Ending]] = defaultdict(list)
    for each in scene.left:
        if _raced(each):
            groups[each.place].append(each)
    for place, members in groups.items():
        if len(members) >= 2 or any(each.reused for each in members):
            yield _cause(scene, place, members)


def _raced(ending: Ending) -> bool:
    gone = ending.layer == sc.HTTP and ending.outcome == sc.DISCONNECTED and not ending.cause.endswith("ConnectError")
    at_once = ending.duration is not None and ending.duration < ROUND_TRIP + ending.blur
    return gone and at_once and ending.status is None and ending.first is None and ending.reused is not False


def _cause(scene: Scene, place: Place, members: list[Ending]) -> Cause:
    general = GENERAL["reuse"]
    idles = sorted(each.idle for each in members if each.idle is not None)
    said = commonest(f"{each.keep_alive:g}" for each in members if each.keep_alive)
    seconds, shown = _value(idles, said)
    known = sum(bool(each.reused) for each in members)
    server = commonest(each.upstream_server for each in members)
    entry = next(iter(scene.known.of(server, "reuse")), None)
    sure: Sure = "too few to say" if len(members) < FEW and known < len(members) else "likely"
    if known >= MANY and seconds is not None:
        sure = "very likely"
    kept = f" for {seconds:g} s" if seconds is not None else ""
    return Cause(
        kind="reuse",
        title=f"A connection to {place.host} that was kept{kept} is closed just as it is used again",
        members=members,
        sure=sure,
        fix=f"{general.fix} {entry.fix}" if entry else general.fix,
        evidence=[
            f"{evidence.counted(len(members), 'request')} ended before any byte of a response, "
            f"{evidence.span(each.duration or 0.0 for each in members)} after they were sent: safe to send again",
            f"{known} of them were sent on a connection that had been used before" if known else "",
            shown,
            evidence.how(members),
        ],
        seconds=seconds,
        party=f"{entry.vendor}, or what stands before it" if entry else "",
        setting=entry.setting if entry else general.setting,
        limit=entry.id if entry else "",
        page=entry.page if entry else "",
    )


def _value(idles: list[float], said: str) -> tuple[float | None, str]:
    """How long the other end keeps a connection, in seconds, and the evidence for it."""
    if said:
        return float(said), f"the server says so itself: Keep-Alive: timeout={said}"
    if len(idles) < 2:
        return None, ""
    low, middle, high = (quantile(idles, share) for share in (0.1, 0.5, 0.9))
    shown = f"the connections had been idle for {evidence.span(idles)}"
    return (round(middle, 1) if high - low <= TIGHT * middle else None), shown
