"""Timers that this process set itself, and named as they struck."""

from collections import defaultdict
from collections.abc import Iterator

from autogen_streamtrace.commands.diagnose import evidence
from autogen_streamtrace.commands.diagnose.endings import Ending, commonest
from autogen_streamtrace.commands.diagnose.scene import Cause, Scene
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits.catalogue import KnownLimit


def own_timers(scene: Scene) -> Iterator[Cause]:
    """Endings by a limit that is configured in this process, by limit and value."""
    groups: dict[tuple[str, float | None, str], list[Ending]] = defaultdict(list)
    for each in scene.left:
        if each.limit and each.limit_source == sc.CONFIGURED:
            groups[each.limit, each.limit_value, each.outcome].append(each)
    for (limit, seconds, _), members in groups.items():
        yield _cause(scene, limit, seconds, members)


def _named(entry: KnownLimit | None) -> str:
    """Whose limit it is, at the beginning of a sentence."""
    vendor = entry.vendor if entry else "this process"
    return vendor[0].upper() + vendor[1:] if vendor.startswith("th") else vendor


def _cause(scene: Scene, limit: str, seconds: float | None, members: list[Ending]) -> Cause:
    entry = scene.known.by_id.get(limit)
    value = "" if seconds is None else f" of {seconds:g} s"
    host = commonest(each.host for each in members) or commonest(each.waiting_on_name for each in members)
    where = f", on {host}" if host else ""
    return Cause(
        kind="deadline",
        title=f"{_named(entry)} ends them: {limit}{value}, set in this process",
        members=members,
        sure="certain",
        fix=entry.fix if entry else f"Raise {limit}.",
        evidence=[f"the process itself names its timer{where}", evidence.times(members), evidence.blurred(members)],
        seconds=seconds,
        party=entry.vendor if entry else "this process",
        setting=entry.setting if entry else limit,
        limit=limit,
        page=entry.page if entry else "",
    )
