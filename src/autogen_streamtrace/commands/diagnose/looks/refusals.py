"""Refusals within milliseconds by the party that the page or the headers name, which asked no server behind it."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from autogen_streamtrace.commands.diagnose import evidence
from autogen_streamtrace.commands.diagnose.endings import Ending, quantile
from autogen_streamtrace.commands.diagnose.general import GENERAL
from autogen_streamtrace.commands.diagnose.scene import FEW, Cause, Scene, Sure
from autogen_streamtrace.core import semconv as sc

AT_ONCE: Final = 0.5
"""Seconds within which a proxy refuses if it asks no server behind it."""
OWN: Final = frozenset({502, 503})
"""Statuses of a proxy's own answers. Where the page is known as the proxy's own, any status counts."""
_Key = tuple[str, str, int]


def refusals(scene: Scene) -> Iterator[Cause]:
    """Refusals by a proxy itself, by host, proxy and status."""
    groups: dict[_Key, list[Ending]] = defaultdict(list)
    for each in scene.left:
        names = scene.named(each)
        if names and each.outcome == sc.REJECTED and each.status and (each.waited or 0.0) < AT_ONCE + each.blur:
            groups[each.host, names[0], each.status].append(each)
    for (host, name, status), members in groups.items():
        if _its_own(scene, status, members):
            yield _cause(scene, host, name, status, members)


def _its_own(scene: Scene, status: int, members: list[Ending]) -> bool:
    """Who is named answered so itself: with its own page, or, where none was looked at, sooner than good answers."""
    if any(each.page for each in members):
        return True
    firsts = scene.beside(members[0].place).firsts
    waits = sorted(each.waited or 0.0 for each in members)
    sooner = not firsts or quantile(waits, 0.5) < 0.5 * quantile(firsts, 0.1)
    return status in OWN and sooner and all(each.to_headers is None for each in members)


def _cause(scene: Scene, host: str, name: str, status: int, members: list[Ending]) -> Cause:
    vendor = scene.known.vendor(name)
    entry = next((limit for limit in scene.known.of(name, "refused") if status in limit.status), None)
    general = GENERAL["refused"]
    by_page = any(each.page for each in members)
    sure: Sure = "likely"
    if by_page and len(members) >= FEW:
        sure = "very likely"
    elif not by_page and len(members) < FEW:
        sure = "too few to say"
    spans = evidence.span((each.waited or 0.0) * 1000 for each in members).replace(" s", " ms")
    return Cause(
        kind="refused",
        title=f"{vendor} refuses requests to {host} itself, at once ({status}): nobody behind it was asked",
        members=members,
        sure=sure,
        fix=entry.fix if entry else general.fix,
        evidence=[
            f"{evidence.counted(len(members), 'refusal')} came within {spans}",
            f"the page is {vendor}'s own"
            if by_page
            else f"the answer names {vendor}, and came sooner than any good one",
            "sending such requests again at once adds to the load" if status != 502 else "",
        ],
        party=vendor,
        setting=entry.setting if entry else general.setting,
        limit=entry.id if entry else "",
        page=entry.page if entry else "",
    )
