"""Makes turns of the streams of one trace. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from autogen_streamtrace.core import semconv as sc

Cells = tuple[object, ...]
Cast = Callable[[Iterable[tuple[int, int]]], int]
"""Gives the number of what takes part in a turn: pairs of a layer and a name."""


class Member(NamedTuple):
    """A stream of a trace. Labels are numbers of texts; moments are nanoseconds."""

    id: int
    source: int
    start: int | None
    end: int | None
    layer: int | None
    name: int | None
    outcome: int | None
    ended_by: int | None
    waiting_on: int | None
    waiting_on_name: int | None
    cause: int | None
    cancelled_by: int | None
    limit: int | None
    host: int | None
    framework: int | None
    status: float | None
    silence: float | None
    first: float | None
    longest_gap: float | None
    limit_value: float | None
    early: int | None
    fault: int | None
    origin: int | None
    outermost: int | None


def turns(trace: bytes | None, members: Sequence[Member], layers: dict[str, int], cast: Cast) -> list[Cells]:
    """The rows of ``turns`` that a trace has: one for each outermost stream, else one for the widest.

    Args:
        trace: its id, if it has one.
        members: its streams.
        layers: the number of each layer's name.
        cast: gives the number of what takes part.
    """
    if not members:
        return []
    heads = [each for each in members if each.outermost] or [max(members, key=lambda one: _width(one, layers))]
    heads.sort(key=lambda one: one.start or one.end or 0)
    parts: dict[int, list[Member]] = {head.id: [head] for head in heads}
    for each in members:
        if each.id not in parts:
            parts[_head(each, heads).id].append(each)
    return [_turn(trace, head, parts[head.id], layers, cast) for head in heads]


def _width(member: Member, layers: dict[str, int]) -> int:
    widest = (sc.HTTP, sc.TOOL, sc.MODEL, sc.AGENT, sc.TEAM, sc.STREAM, sc.SERVER)
    return max((at for at, layer in enumerate(widest) if layers[layer] == member.layer), default=-1)


def _head(member: Member, heads: Sequence[Member]) -> Member:
    """The outermost stream that encloses a stream: the latest of its process that had started by then."""
    at = member.start or member.end or 0
    before = [head for head in heads if (head.start or 0) <= at]
    own = [head for head in before if head.source == member.source]
    return (own or before or heads[:1])[-1]


def _turn(trace: bytes | None, head: Member, members: Sequence[Member], layers: dict[str, int], cast: Cast) -> Cells:
    early = [each for each in members if each.early and each.origin]
    origin = max(early, key=lambda one: one.end or 0) if early else head
    told = origin if head.early else head
    actors = cast((each.layer, each.name) for each in members if each.layer is not None and each.name is not None)
    duration = (told.end - told.start) / 1e9 if told.start is not None and told.end is not None else None
    http = next((each for each in (told, *members) if each.layer == layers[sc.HTTP]), None)
    return (
        head.id,
        trace,
        head.source,
        actors,
        head.start,
        head.end,
        head.layer,
        head.name,
        head.outcome,
        head.ended_by,
        told.waiting_on,
        told.waiting_on_name,
        told.cause,
        told.cancelled_by,
        told.limit,
        told.layer,
        (http.host or http.name) if http is not None else told.host,
        next((each.framework for each in (head, *members) if each.framework is not None), None),
        told.status,
        told.silence,
        head.first,
        told.longest_gap,
        duration,
        told.limit_value,
        head.early,
        head.fault,
        bool(early) and not head.early,
    )
