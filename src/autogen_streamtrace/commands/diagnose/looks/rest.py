"""Endings that no other look explains, grouped by how they ended, each with a fix."""

from collections.abc import Iterator

from autogen_streamtrace.commands.diagnose import evidence
from autogen_streamtrace.commands.diagnose.advice import Advice, advise
from autogen_streamtrace.commands.diagnose.endings import Ending, commonest
from autogen_streamtrace.commands.diagnose.scene import FEW, Cause, Scene, Sure
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits import Observation
from autogen_streamtrace.limits.matching import GATEWAY_STATUS


def rest(scene: Scene) -> Iterator[Cause]:
    """The unexplained endings, grouped by their fix."""
    alike: dict[tuple[Advice, str, str], list[Ending]] = {}
    advised: dict[tuple[str, ...], tuple[Advice, str, str]] = {}
    for each in scene.left:
        key = (
            each.layer,
            each.outcome,
            each.ended_by,
            each.cancelled_by,
            each.cause,
            str(each.status or ""),
            _host(each),
            each.name,
            scene.known.vendor(each.page) if each.page else "",
        )
        if key not in advised:
            names = ("layer", "outcome", "ended_by", "cancelled_by", "cause", "status", "host", "name", "page")
            advised[key] = advise(dict(zip(names, key, strict=True)))
        alike.setdefault(advised[key], []).append(each)
    for (advice, title, fix), members in alike.items():
        yield _cause(scene, advice, title, fix, members)


def _host(ending: Ending) -> str:
    return ending.host or (ending.waiting_on_name if ending.waiting_on == sc.HTTP else "")


def _cause(scene: Scene, advice: Advice, title: str, fix: str, members: list[Ending]) -> Cause:
    outcome = commonest(each.outcome for each in members)
    sure: Sure = "certain"
    fits = ""
    cut = outcome in (sc.DISCONNECTED, sc.TRUNCATED) and not members[0].cause.endswith("ConnectError")
    if cut or (outcome == sc.REJECTED and members[0].status in GATEWAY_STATUS):  # whose doing it was is not known
        sure = "likely" if len(members) >= FEW else "too few to say"
        fits = _suspected(scene, members) if len(members) < FEW else ""
    return Cause(
        kind=advice.kind,
        title=title,
        members=members,
        sure=sure,
        fix=fix,
        evidence=[
            evidence.how(members),
            evidence.times(members),
            evidence.blurred(members),
            f"it fits {fits}" if fits else "",
        ],
    )


def _suspected(scene: Scene, members: list[Ending]) -> str:
    """The one limit that every ending of a small group fits; else empty."""
    found = set()
    for each in members:
        waited = each.waited or 0.0
        duration = waited if each.duration is None else each.duration
        limit = scene.known.suspect(
            Observation(
                each.outcome,
                waited,
                duration,
                each.first,
                each.status,
                each.intermediary,
                each.cause,
                each.cancelled_by,
                each.longest_gap or 0.0,
                scene.named(each),
            )
        )
        found.add(limit.id if limit is not None else "")
    return found.pop() if len(found) == 1 else ""
