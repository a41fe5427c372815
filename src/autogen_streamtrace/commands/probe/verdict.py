"""What the exchanges say of the path, in one sentence. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from autogen_streamtrace.commands.probe.exchange import Exchange
from autogen_streamtrace.commands.probe.idle import Idle
from autogen_streamtrace.limits import KnownLimit, LimitMatcher, Observation

LATE_START: Final = 0.3
"""Seconds by which the path may delay the first byte."""
SQUEEZED: Final = 0.34
"""Share of the direct body's time. A body that arrives within less was held back by the path."""
SPREAD: Final = 0.3
"""Seconds that a body must take for its pace to be judged."""
EVENTS_A_READ: Final = 4.0
_LEAST: Final = 0.5
"""Seconds below which no setting is named from one response: so long some close after they have cut."""

_BUFFERING: Final = {
    "nginx": "set `proxy_buffering off;` in the location, or send `X-Accel-Buffering: no` with the response",
    "caddy": "set `flush_interval -1` in the reverse_proxy",
    "cloudflare": "send `Content-Type: text/event-stream` and `Cache-Control: no-transform`",
    "aws_api_gateway": "set `responseTransferMode: STREAM` on the integration",
}


@dataclass(frozen=True)
class Verdict:
    """What is the matter, and whether anything is."""

    sentence: str
    found: bool
    """Something is to be changed."""
    fix: str = ""


def judge(direct: Exchange | None, through: Exchange, unstreamed: Exchange | None, known: LimitMatcher) -> Verdict:
    """What the path does to a stream.

    Args:
        direct: the same request without the path, where there was one.
        through: the request through the path.
        unstreamed: the request without streaming, where there was one.
        known: the catalogue of limits.
    """
    if direct is not None and direct.end not in ("whole", "out of time"):
        return Verdict(f"The endpoint itself fails, with nothing in between: {_ending(direct)}.", True)
    if through.end in ("cut", "unfinished", "refused", "unreachable"):
        limit = known.suspect(_seen(through))
        by_headers = limit is not None and known.by_id[limit.id].intermediary == through.intermediary != ""
        named = limit is not None and by_headers and (limit.value or 0.0) > max(_LEAST, 2 * through.longest_gap)
        why = f"; it fits {limit.id} of {limit.value:g} s" if limit is not None and named else ""
        fix = known.by_id[limit.id].fix if limit is not None and named else ""
        whole = ", while unstreamed the same request is answered whole" if _whole(unstreamed) else ""
        who = "The path" if direct is not None else "The stream"
        return Verdict(f"{who} does not hold: {_ending(through)}{why}{whole}.", True, fix)
    if through.end == "out of time":
        return Verdict(
            f"The stream was still open after {through.ended_at:.0f} s: raise --max-time to see its end.", False
        )
    held = _held_back(direct, through)
    if held:
        who = through.intermediary or "Something on the path"
        fix = _BUFFERING.get(through.intermediary, "switch off buffering and compression for text/event-stream there")
        return Verdict(f"{who} buffers: {held}.", True, fix)
    compared = f", {direct.first:.2f} s directly" if direct is not None and direct.first is not None else ""
    first = through.first if through.first is not None else through.ended_at
    return Verdict(
        f"The stream comes through as it is sent: first byte after {first:.2f} s{compared}, "
        f"{through.events or len(through.arrivals)} pieces in {len(through.arrivals)} reads.",
        False,
    )


def judge_idle(idle: Idle, known: LimitMatcher) -> Verdict:
    """How long a silence, or a whole response, the path allows. It names a setting if the headers name its vendor."""
    if idle.problem:
        return Verdict(f"The idle limit cannot be found: {idle.problem}.", True)
    if idle.limit is None:
        return Verdict(f"The path bears {idle.passed:g} s of silence, the longest that was asked for.", False)
    limit = _of_vendor(idle, known)
    passed = f"{idle.passed:g} s of silence pass" if idle.passed else "no shorter silence was tried"
    if idle.counts == "silence":
        what = f"The path cuts a stream after {idle.limit:.2f} s of silence"
    else:
        what = f"The path cuts a response {idle.limit:.2f} s after its start, however often something comes"
    if limit is None:
        where = f" ({known.vendor(idle.intermediary)} answers)" if idle.intermediary else ""
        return Verdict(f"{what}{where}; {passed}.", True, _FIXES[idle.counts])
    named = f"{limit.vendor}'s {limit.setting}, or what stands next to it, set to {_value(limit, idle.limit)}"
    return Verdict(f"{what}: {named}; {passed}.", True, limit.fix)


def _value(limit: KnownLimit, measured: float) -> str:
    """What the setting is set to, with the timer's own earliness or lateness taken off."""
    struck = measured - limit.closes_late
    least, most = max(0.0, struck - limit.strikes[1]), struck - limit.strikes[0]
    if most - least <= _BLURRED * most:
        return f"about {(least + most) / 2:.1f} s"
    return f"{least:.1f} to {most:.1f} s"


_BLURRED: Final = 0.05
"""Share of a value. Bounds that differ by less are reported as one."""
_FIXES: Final = {
    "silence": "raise the read timeout of what stands on the path, or send a comment such as `: ping` more often",
    "duration": "raise the limit of the whole response, or of the whole request, of what stands on the path",
}


def _of_vendor(idle: Idle, known: LimitMatcher) -> KnownLimit | None:
    """A limit of the user's own that fits; else the nearest setting of a vendor that the headers name."""
    assert idle.limit is not None
    seconds = idle.limit
    named = known.of(idle.intermediary, idle.counts)
    return known.own(idle.counts, seconds) or min(named, key=lambda each: _distance(each, seconds), default=None)


def _distance(limit: KnownLimit, seconds: float) -> float:
    return min((abs(value - seconds) for value in limit.values), default=math.inf)


def _held_back(direct: Exchange | None, through: Exchange) -> str:
    """How the path held the body back; empty where it did not."""
    if direct is not None and direct.span >= SPREAD:
        late = (through.first or 0.0) - (direct.first or 0.0)
        if through.span < SQUEEZED * direct.span and late > max(LATE_START, 0.5 * direct.span):
            return (
                f"directly the body comes over {direct.span:.1f} s from {direct.first:.2f} s on, "
                f"through the path over {through.span:.1f} s from {through.first:.2f} s on"
            )
    reads = max(1, len(through.arrivals))
    in_bursts = through.events / reads > EVENTS_A_READ and through.ended_at > SPREAD
    if in_bursts and (direct is None or len(direct.arrivals) > 3 * reads):
        return f"{through.events} events come in {reads} reads"
    return ""


def _whole(exchange: Exchange | None) -> bool:
    return exchange is not None and exchange.end == "whole"


def _ending(exchange: Exchange) -> str:
    if exchange.end == "refused":
        return f"status {exchange.status} after {exchange.ended_at:.2f} s"
    if exchange.end == "unreachable":
        return f"no response ({exchange.problem})"
    if exchange.end == "unfinished":
        return f"it ends cleanly after {exchange.ended_at:.2f} s, unfinished"
    came = f"{exchange.events or len(exchange.arrivals)} pieces"
    return f"it is cut after {came}, {exchange.ended_at:.2f} s in all and {exchange.silence:.2f} s of silence"


def _seen(exchange: Exchange) -> Observation:
    outcome = {"cut": "disconnected", "unfinished": "truncated", "refused": "rejected"}.get(
        exchange.end, "disconnected"
    )
    return Observation(
        outcome, exchange.silence, exchange.ended_at, exchange.first, exchange.status, exchange.intermediary
    )


_HEADING: Final = (
    "",
    "end",
    "status",
    "headers",
    "first byte",
    "reads",
    "events",
    "longest gap",
    "silence",
    "in all",
    "via",
)


def figures(exchanges: Sequence[tuple[str, Exchange]]) -> list[tuple[str, ...]]:
    """A heading, then a row per exchange."""
    rows: list[tuple[str, ...]] = [_HEADING]
    for name, seen in exchanges:
        rows.append(
            (
                name,
                seen.end,
                str(seen.status or seen.problem),
                _seconds(seen.headers_at),
                _seconds(seen.first),
                str(len(seen.arrivals)),
                str(seen.events),
                _seconds(seen.longest_gap),
                _seconds(seen.silence),
                _seconds(seen.ended_at),
                seen.intermediary,
            )
        )
    return rows


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"
