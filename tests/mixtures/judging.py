"""What is told of a mixture, held against what is true of it."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from autogen_streamtrace.commands.diagnose.findings import explain
from autogen_streamtrace.commands.diagnose.scene import Cause, Scene
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits import LimitMatcher
from mixtures.kept import Mixture, Truth

TOLD: Final = frozenset({"silence", "first_byte", "duration", "moment", "reuse", "refused", "queue", "buffering"}) | {
    "deadline",
    "provider",
}
"""Kinds that say what it was; a reader who leaves after a time, too."""
PLENTY: Final = 20
"""Endings of one cause from which it should be told."""
SURE: Final = ("certain", "very likely", "likely")


@dataclass(frozen=True)
class Said:
    """One cause that was told, held against what is true."""

    sure: str
    wrong: str
    """What is wrong with it; empty where nothing is."""
    timer: str
    """Whose timer it is, where it is a proxy's."""


@dataclass(frozen=True)
class Judged:
    """What was told of a mixture, and what was not."""

    said: list[Said]
    there: Counter[str]
    """Causes of plenty of endings, by kind."""
    silent: Counter[str]
    """Those of them that were not told, or only as possible."""


def judged(made: Mixture, known: LimitMatcher) -> Judged:
    """What is told of a mixture, each cause as right or wrong."""
    scene = Scene(made.endings, made.others, known)
    sizes = Counter(map(id, made.truths.values()))
    there = {
        id(truth): truth.kind for truth in made.truths.values() if truth.kind != "other" and sizes[id(truth)] >= PLENTY
    }
    told, said = set[int](), list[Said]()
    for cause in explain(scene):
        if cause.kind in TOLD or (cause.kind == "reader" and cause.seconds is not None):
            truth = _truth(cause, made)
            wrong = _wrong(cause, truth, made, known)
            said.append(Said(cause.sure, wrong, truth.timer))
            if not wrong and cause.sure in SURE:
                told |= {id(made.truths[id(each)]) for each in cause.members}
    return Judged(said, Counter(there.values()), Counter(kind for key, kind in there.items() if key not in told))


def _truth(cause: Cause, made: Mixture) -> Truth:
    """What is true of most of its streams."""
    truths = [made.truths[id(each)] for each in cause.members]
    sizes = Counter(map(id, truths))
    return max(truths, key=lambda each: sizes[id(each)])


def _wrong(cause: Cause, truth: Truth, made: Mixture, known: LimitMatcher) -> str:
    if cause.kind not in _alike(cause, truth, made):
        return f"{cause.kind} for {truth.kind}"
    if truth.seconds is not None and cause.seconds is not None:
        allowed = max(0.1 * truth.seconds, truth.off)
        low, high = cause.between or (cause.seconds, cause.seconds)
        if not low - allowed <= truth.seconds <= high + allowed:
            return f"{cause.seconds:g} s for {truth.seconds:g} s"
    limit = known.by_id.get(cause.limit)
    beside = (each for each in made.endings if each.place == cause.members[0].place)
    path = frozenset[str]().union(*(made.truths[id(each)].path for each in beside))
    if limit is not None and limit.intermediary and limit.intermediary not in path:
        return f"{limit.intermediary} for {sorted(path)}"
    return ""


def _alike(cause: Cause, truth: Truth, made: Mixture) -> set[str]:
    """Kinds that are true: a user who leaves after a time, and a limit of that time, look the same from inside."""
    alike = {truth.kind}
    if truth.kind == "buffering":  # then the timer of this process is a fact, though not the whole truth
        alike.add("deadline")
    if truth.kind in ("reader", "duration") and cause.members[0].layer == sc.SERVER:
        alike |= {"reader", "duration"}
    if {"silence", "first_byte"} <= {made.truths[id(each)].kind for each in cause.members}:
        alike |= {"silence", "first_byte"} if truth.kind in ("silence", "first_byte") else set()
    return alike
