"""Names the setting behind a cluster of endings: its party, its value, how sure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from autogen_streamtrace.commands.diagnose import evidence
from autogen_streamtrace.commands.diagnose.clusters import Cluster
from autogen_streamtrace.commands.diagnose.endings import Ending, Place, Side, commonest
from autogen_streamtrace.commands.diagnose.general import GENERAL
from autogen_streamtrace.commands.diagnose.looks.values import Measure, value
from autogen_streamtrace.commands.diagnose.scene import MANY, Alternative, Cause, Kind, Scene, Sure
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits import KnownLimit, tolerance
from autogen_streamtrace.limits.catalogue import Counts

PURE: Final = 0.1
"""Share of a cluster that may be chance where it is very likely none."""
MIXED: Final = 0.3
"""Share from which it may well be."""

_MEASURED: Final = {
    "silence": "their last byte",
    "first_byte": "the request",
    "queue": "the request",
    "duration": "their start",
    "reader": "their start",
    "deadline": "their start",
}


class Named(NamedTuple):
    """The party that a cluster belongs to."""

    side: Side
    place: Place
    vendors: tuple[str, ...]
    """Who is named in between, the nearest first."""
    queued: bool
    unanswered: bool
    """No byte of a response had come to any."""


class Fit(NamedTuple):
    """A cluster of one measure."""

    measure: Measure
    cluster: Cluster
    measured: list[float]
    """What was measured of each ending, in seconds."""
    endings: list[Ending]
    """In the same order."""


class _Told(NamedTuple):
    """How the cause of one measure of a cluster is reported."""

    kind: Kind
    entry: KnownLimit | None
    seconds: float
    between: tuple[float, float] | None
    setting: str
    fix: str

    @property
    def time(self) -> str:
        return f"{self.between[0]:g} to {self.between[1]:g} s" if self.between else f"{self.seconds:g} s"


def cause_of(scene: Scene, named: Named, fit: Fit, rival: Fit | None) -> Cause:
    """The cause that a cluster is reported as.

    Args:
        scene: where it was found.
        named: the party that it belongs to.
        fit: the cluster.
        rival: that of the other measure, where it fits as well.
    """
    told = _told(scene, named, fit)
    other = _told(scene, named, rival) if rival is not None and not _decides(scene, named, told.entry, rival) else None
    party, title = _who(named, told, other)
    cluster, entry, members = fit.cluster, told.entry, fit.endings
    low, high = told.between or (told.seconds, told.seconds)
    strangers = [] if entry else scene.known.strangers(fit.measure, low, high)
    own = [f"{each.vendor} ({each.setting})" for each in strangers]
    guess = f"{told.seconds:g} s is the default of {', '.join(own)}: a guess from the number alone" if own else ""
    return Cause(
        kind=told.kind,
        title=title,
        members=members,
        sure=_sure(cluster, other is not None),
        fix=told.fix
        if other is None
        else f"If it is their {fit.measure}: {told.fix} If it is their {rival.measure if rival else ''}: {other.fix}",
        evidence=[
            f"{cluster.streams} streams ended {evidence.span(fit.measured)} after {_MEASURED[told.kind]}; "
            f"by chance {cluster.expected:.1f} would be expected",
            _shift(entry, named),
            _let_on(members),
            _named(scene, named, members),
            guess,
            f"their {rival.measure} fits as well: {evidence.span(rival.measured)}" if rival else "",
            "a user or front end that gives up, and a limit of the whole response, look the same from inside"
            if told.kind in ("reader", "duration") and named.side == "end_user"
            else "",
            evidence.blurred(members),
            evidence.closing(members),
            evidence.how(members),
        ],
        seconds=told.seconds,
        between=told.between,
        party=party,
        setting=told.setting,
        limit=entry.id if entry else "",
        page=entry.page if entry else "",
        others=tuple(each.id for each in strangers),
        alternative=other
        and Alternative(other.kind, other.seconds, other.between, other.setting, other.entry.id if other.entry else ""),
    )


def _told(scene: Scene, named: Named, fit: Fit) -> _Told:
    kind = _kind(named, fit.measure)
    entry = _setting(scene, named, kind, fit.measure, fit.cluster.median, fit.endings)
    seconds, between = value(fit.measured, entry, fit.endings, fit.measure)
    general = GENERAL[kind if named.side != "inside" else "deadline"]
    setting, fix = (entry.setting, entry.fix) if entry else (general.setting, general.fix)
    return _Told(kind, entry, seconds, between, setting, fix)


def _kind(named: Named, measure: Measure) -> Kind:
    if named.side == "inside":
        return "deadline"
    if named.queued:
        return "queue"
    if named.side == "path" and named.unanswered:
        return "first_byte"
    if measure == "duration" and named.side == "end_user" and not named.vendors:
        return "reader"
    return measure


def _setting(
    scene: Scene,
    named: Named,
    kind: Kind,
    measure: Measure,
    median: float,
    members: Sequence[Ending],
) -> KnownLimit | None:
    """The named vendor's setting that counts this and shows as these times."""
    kinds: dict[Kind, tuple[Counts, ...]] = {
        "first_byte": ("first_byte", "silence"),
        "queue": ("queue", "first_byte", "silence"),
    }
    outcome = commonest(each.outcome for each in members)
    statuses = {each.status for each in members}
    fitting = [
        limit
        for name in named.vendors
        for limit in scene.known.of(name, *kinds.get(kind, (measure,)))
        if (outcome == sc.REJECTED and statuses & set(limit.status))
        or outcome in limit.outcomes
        or named.side == "end_user"
    ]
    at_a_known_value = (limit for limit in fitting if any(_near(median, limit, each) for each in limit.values))
    return next(at_a_known_value, None) or next(iter(fitting), None) or scene.known.own(measure, median)


def _near(seconds: float, limit: KnownLimit, known: float) -> bool:
    shortest, longest = tolerance(limit, known)
    return shortest <= seconds <= longest


def _who(named: Named, told: _Told, other: _Told | None) -> tuple[str, str]:
    """The party and the title."""
    kind, entry, time = told.kind, told.entry, told.time
    after = f"{time} after {_MEASURED[kind]}"
    where = "between the end user and this program" if named.side == "end_user" else f"on the way to {named.place.host}"
    both = f", or {other.time} after {_MEASURED[other.kind]}: both fit" if other else ""
    if entry is not None:
        beside = f", {where}" if named.side == "end_user" else ""
        vendor = entry.vendor.partition(",")[0]
        own = named.unanswered and named.side == "path"
        party = vendor if own else f"{vendor}, or what stands next to it"
        its = f"its {entry.setting} {_set(entry, told)}"
        if other is not None:
            its += f", or its {other.setting} {_set(other.entry, other)}" if other.entry else f", or a {other.setting}"
        return party, f"{vendor}{beside}, {after}{both.removesuffix(': both fit')}: {its}"
    if named.side == "inside":
        return "this program", f"Something in this program ends them {after}{both}"
    if kind == "queue":
        return "", f"Something {where} holds requests back for {time}, then refuses them: a full queue"
    if kind == "reader":
        return "the end user's side", f"The end user's side gives up, or something {where} ends them, {after}{both}"
    if kind == "first_byte":
        return "", f"Something {where} waits no longer than {time} for the first byte of an answer"
    return "", f"Something {where} ends them {after}{both}"


def _set(entry: KnownLimit, told: _Told) -> str:
    """The value to which a setting seems to be set."""
    if entry.seconds == told.seconds:
        return f"is at its default of {told.seconds:g} s"
    default = "none by default" if entry.seconds is None else f"{entry.seconds:g} s by default"
    return f"({default}) seems to be set to {told.time}"


def _sure(cluster: Cluster, both_fit: bool) -> Sure:
    chance = cluster.expected / cluster.streams
    if both_fit or chance > MIXED:
        return "possible"
    return "very likely" if cluster.streams >= MANY and chance <= PURE else "likely"


def _decides(scene: Scene, named: Named, entry: KnownLimit | None, rival: Fit) -> bool:
    """The named vendors have a setting of the one measure and none of the other."""
    return entry is not None and not has_setting(scene, named.vendors, rival.measure)


def has_setting(scene: Scene, vendors: Sequence[str], measure: Measure) -> bool:
    """One of these vendors has a setting of this measure."""
    return any(scene.known.of(name, measure) for name in vendors)


def _let_on(members: Sequence[Ending]) -> str:
    grace = max(each.let_on for each in members)
    what = "gunicorn's asgi worker lets a response go on whose end user has left (asgi_disconnect_grace_period)"
    return f"{what}: its {grace:g} s are taken off" if grace else ""


def _shift(entry: KnownLimit | None, named: Named) -> str:
    if entry is None:
        return ""
    early, late = entry.strikes
    said = []
    if early < 0:
        said.append(f"up to {-early:g} s early")
    if late > 0:
        said.append(f"up to {late:g} s late")
    if entry.closes_late and named.place.layer == sc.HTTP:
        said.append(f"{entry.closes_late:g} s before it closes an HTTP/1 connection, which is taken off")
    return f"{entry.vendor.partition(',')[0]}'s timer strikes {' and '.join(said)}" if said else ""


def _named(scene: Scene, named: Named, members: Sequence[Ending]) -> str:
    missing = sorted({name for each in members for name in each.missing.split()})
    lacks = (
        f"; it lacks what good answers carry of {', '.join(missing)}, so who refused stands before that"
        if missing
        else ""
    )
    if not named.vendors:
        return f"nothing names what stands in between{lacks}" if named.side != "inside" else ""
    vendors = ", ".join(scene.known.vendor(name) for name in named.vendors)
    if any(each.page for each in members):
        return f"the page is {vendors}'s own{lacks}"
    return f"the headers name {vendors}; what stands next to it and leaves no header may do the same{lacks}"
