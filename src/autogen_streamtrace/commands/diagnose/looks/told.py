"""Limits that a proxy in front of this server sends with every request."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from autogen_streamtrace.commands.diagnose import evidence
from autogen_streamtrace.commands.diagnose.endings import Ending, side
from autogen_streamtrace.commands.diagnose.scene import FEW, Cause, Scene
from autogen_streamtrace.limits import tolerance

TELLS: Final = "envoy.route_timeout"
"""Whose value Envoy, and Istio, send in `x-envoy-expected-rq-timeout-ms`."""
EXACT: Final = 0.15
"""Seconds that such an ending may be off."""


def told(scene: Scene) -> Iterator[Cause]:
    """Responses that ended just when the route's timeout was up."""
    entry = scene.known.by_id.get(TELLS)
    groups: dict[float, list[Ending]] = defaultdict(list)
    for each in scene.left:
        expected = each.expected_timeout
        if entry is not None and expected and each.duration is not None and side(each) == "end_user":
            latest = min(expected * 1.1, tolerance(entry, expected)[1] - entry.closes_late)
            if expected - EXACT <= each.duration <= latest + each.blur:
                groups[expected].append(each)
    for seconds, members in groups.items():
        assert entry is not None
        yield Cause(
            kind="duration",
            title=f"Envoy, between the end user and this program, {seconds:g} s after the start: its {entry.setting} "
            f"({entry.seconds:g} by default) is {seconds:g} s",
            members=members,
            sure="certain" if len(members) >= FEW else "likely",
            fix=entry.fix,
            evidence=[
                f"each request told the timeout of its route: x-envoy-expected-rq-timeout-ms, {seconds:g} s",
                f"{evidence.counted(len(members), 'response')} ended just then",
                evidence.how(members),
            ],
            seconds=seconds,
            party="Envoy",
            setting=entry.setting,
            limit=entry.id,
            page=entry.page,
        )
