"""A cluster of endings as somebody's setting: whose, of what value, how sure."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol

from autogen_streamtrace.commands.diagnose import evidence
from autogen_streamtrace.commands.diagnose.clusters import Cluster
from autogen_streamtrace.commands.diagnose.endings import Ending, Place, Side, commonest, quantile
from autogen_streamtrace.commands.diagnose.general import GENERAL
from autogen_streamtrace.commands.diagnose.scene import FEW, MANY, Cause, Kind, Scene, Sure
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits import KnownLimit, tolerance
from autogen_streamtrace.limits.catalogue import Counts

Measure = Literal["silence", "duration"]
"""What a cluster is of."""
NOBODY: Final = (-0.3, 0.0)
"""How timers strike whose vendor is not known: nginx' and HAProxy's, which leave no trace, are early."""
EXACT: Final = 0.08
"""Seconds of spread up to which a timer strikes as it is set."""
BLURRED: Final = 0.1
"""Share of a time by which it may be off and still tell it."""
CRISP: Final = 0.25
"""Share of a cluster whose times must be this exact; otherwise only an interval is reported."""
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


class Rival(Protocol):
    """The cluster of the other measure, where that fits as well."""

    @property
    def measure(self) -> Measure: ...
    @property
    def cluster(self) -> Cluster: ...


def strikes_of(scene: Scene, vendors: Sequence[str], kind: Counts) -> tuple[float, float]:
    """How early and how late the named vendor's timer strikes, in seconds from its value."""
    entry = next((limit for name in vendors for limit in scene.known.of(name, kind)), None)
    return (entry.strikes[0], entry.strikes[1]) if entry else NOBODY


def cause_of(
    scene: Scene,
    named: Named,
    measure: Measure,
    cluster: Cluster,
    measured: Sequence[float],
    members: list[Ending],
    rival: Rival | None,
) -> Cause:
    """The cause that a cluster is reported as."""
    kind = _kind(named, measure)
    entry = _setting(scene, named, kind, measure, cluster.median, members)
    seconds, between = value(measured, entry, members, measure)
    general = GENERAL[kind if named.side != "inside" else "deadline"]
    party, title = _who(named, kind, entry, seconds, between)
    low, high = between or (seconds, seconds)
    strangers = [] if entry else scene.known.strangers(measure, low, high)
    own = [f"{each.vendor} ({each.setting})" for each in strangers]
    guess = f"{seconds:g} s is the default of {', '.join(own)}: a guess from the number alone" if own else ""
    sure = _sure(cluster, rival is not None and not _decides(scene, named, entry, rival.measure))
    return Cause(
        kind=kind,
        title=title,
        members=members,
        sure=sure,
        fix=entry.fix if entry else general.fix,
        evidence=[
            f"{cluster.streams} streams ended {evidence.span(measured)} after {_MEASURED[kind]}; "
            f"by chance {cluster.expected:.1f} would be expected",
            _shift(entry, named),
            _let_on(members),
            _named(scene, named, members),
            guess,
            f"their {rival.measure} fits as well: {evidence.span([rival.cluster.shortest, rival.cluster.longest])}"
            if rival
            else "",
            "a user or front end that gives up, and a limit of the whole response, look the same from inside"
            if kind in ("reader", "duration") and named.side == "end_user"
            else "",
            evidence.blurred(members),
            evidence.how(members),
        ],
        seconds=seconds,
        between=between,
        party=party,
        setting=entry.setting if entry else general.setting,
        limit=entry.id if entry else "",
        page=entry.page if entry else "",
        others=tuple(each.id for each in strangers),
    )


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


def value(
    measured: Sequence[float], entry: KnownLimit | None, members: Sequence[Ending], measure: Measure
) -> tuple[float, tuple[float, float] | None]:
    """The setting's value in seconds, and its interval where the exact value is not known.

    Args:
        measured: what was measured of each ending, in seconds.
        entry: whose timer it is, where that is known.
        members: the endings, in the same order.
        measure: of what.
    """
    middle = sorted(measured)[len(measured) // 2]
    pairs = list(zip(measured, members, strict=True))
    crisp = sorted(seconds for seconds, each in pairs if each.blur <= BLURRED * middle)
    if len(crisp) >= max(FEW, CRISP * len(pairs)):
        return _round(_by_strikes(crisp, entry, members, measure), entry), None
    if _spread(sorted(measured)) <= BLURRED * middle:  # had it been late by much, they would spread
        return _round(_by_strikes(sorted(measured), entry, members, measure), entry), None
    least = quantile(sorted(seconds - each.blur for seconds, each in pairs), 0.9)
    most = quantile(sorted(seconds + each.blur for seconds, each in pairs), 0.1)
    low, high = sorted((max(0.0, least), most))
    return _round(middle, entry), (round(low, 2), round(high, 2))


def _by_strikes(
    values: Sequence[float], entry: KnownLimit | None, members: Sequence[Ending], measure: Measure
) -> float:
    """The setting's value, by how its timer strikes.

    A process that is busy sees ends late, and last bytes late as well: durations are too long by that, silences either.
    """
    early, late = entry.strikes if entry else NOBODY
    unanswered = all(each.unanswered for each in members)
    if unanswered:
        early = max(0.0, early)  # a timer is early only where bytes have moved it
    if entry is None and (unanswered or measure == "duration" or _spread(values) <= EXACT):
        early = 0.0
    if entry is None and early:
        return quantile(values, 0.9)
    exact = early == late == 0.0
    return quantile(values, 0.25 if exact and (unanswered or measure == "duration") else 0.5) - (early + late) / 2


def _spread(values: Sequence[float]) -> float:
    return quantile(values, 0.9) - quantile(values, 0.1)


def _round(seconds: float, entry: KnownLimit | None) -> float:
    """A value as it would be written: a default or a usual value that fits, else a whole number, else a tenth."""
    slack = 0.05 + 0.015 * seconds
    usual = [each for each in (entry.values if entry else ()) if abs(each - seconds) <= slack]
    if usual:
        return usual[0]
    whole = round(seconds)
    return float(whole) if whole >= 3 and abs(seconds - whole) <= slack else round(seconds, 1)


def _who(
    named: Named, kind: Kind, entry: KnownLimit | None, seconds: float, between: tuple[float, float] | None
) -> tuple[str, str]:
    """The party and the title."""
    time = f"{between[0]:g} to {between[1]:g} s" if between else f"{seconds:g} s"
    after = f"{time} after {_MEASURED[kind]}"
    where = "between the end user and this program" if named.side == "end_user" else f"on the way to {named.place.host}"
    if entry is not None:
        default = "none by default" if entry.seconds is None else f"{entry.seconds:g} s by default"
        set_ = (
            f"is at its default of {seconds:g} s"
            if entry.seconds == seconds
            else f"({default}) seems to be set to {time}"
        )
        beside = f", {where}" if named.side == "end_user" else ""
        vendor = entry.vendor.partition(",")[0]
        own = named.unanswered and named.side == "path"
        party = vendor if own else f"{vendor}, or what stands next to it"
        return party, f"{vendor}{beside}, {after}: its {entry.setting} {set_}"
    if named.side == "inside":
        return "this program", f"Something in this program ends them {after}"
    if kind == "queue":
        return "", f"Something {where} holds requests back for {time}, then refuses them: a full queue"
    if kind == "reader":
        return "the end user's side", f"The end user's side gives up, or something {where} ends them, {after}"
    if kind == "first_byte":
        return "", f"Something {where} waits no longer than {time} for the first byte of an answer"
    return "", f"Something {where} ends them {after}"


def _sure(cluster: Cluster, both_fit: bool) -> Sure:
    chance = cluster.expected / cluster.streams
    if both_fit or chance > MIXED:
        return "possible"
    return "very likely" if cluster.streams >= MANY and chance <= PURE else "likely"


def _decides(scene: Scene, named: Named, entry: KnownLimit | None, other: Measure) -> bool:
    """Who is named has a setting of the one measure and none of the other."""
    return entry is not None and not any(scene.known.of(name, other) for name in named.vendors)


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
