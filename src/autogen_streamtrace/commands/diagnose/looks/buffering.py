"""A path that holds the body back, so that the client's own timer strikes although the model sends."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from autogen_streamtrace.commands.diagnose import evidence
from autogen_streamtrace.commands.diagnose.endings import Ending, Place
from autogen_streamtrace.commands.diagnose.general import GENERAL
from autogen_streamtrace.commands.diagnose.scene import FEW, MANY, Cause, Scene
from autogen_streamtrace.core import semconv as sc

WHOLE: Final = 0.6
"""Share of the good streams that have to come so."""


def buffering(scene: Scene) -> Iterator[Cause]:
    """Read timeouts of a host whose good streams arrive in a few large pieces."""
    groups: dict[Place, list[Ending]] = defaultdict(list)
    for each in scene.left:
        if each.layer == sc.HTTP and each.outcome == sc.TIMEOUT and each.cause.endswith("ReadTimeout"):
            groups[each.place].append(each)
    for place, members in groups.items():
        beside = scene.beside(place)
        told = beside.pieces + beside.paced
        if beside.pieces >= FEW and beside.pieces >= WHOLE * told:
            yield _cause(scene, place, members)


def _cause(scene: Scene, place: Place, members: list[Ending]) -> Cause:
    beside = scene.beside(place)
    names = scene.named(members[0])
    entry = next((limit for name in names for limit in scene.known.of(name, "buffering")), None)
    who = entry.vendor if entry else "The path"
    general = GENERAL["buffering"]
    return Cause(
        kind="buffering",
        title=f"{who} holds the body back: good streams of {place.host} arrive in a few large pieces",
        members=members,
        sure="very likely" if beside.pieces >= MANY else "likely",
        fix=entry.fix if entry else general.fix,
        evidence=[
            f"{beside.pieces} of {beside.pieces + beside.paced} good streams of many words came in a few large "
            "pieces, half of their time without a byte",
            "the client's own read timeout then strikes, although the model speaks: raising it only hides this",
            evidence.times(members),
        ],
        party=f"{entry.vendor}, or what stands next to it" if entry else "the path",
        setting=entry.setting if entry else general.setting,
        page=entry.page if entry else "",
        limit=entry.id if entry else "",
    )
