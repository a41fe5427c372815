"""What Loki and Tempo would have of the day: log events of streams' ends, and their spans.

Neither of the two is asked, since both are AGPL: a query's matchers choose among the events, as the tests of the
dashboards do, and its function is reckoned here.
"""

import random
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from boards import vocabulary as v
from dashboards.logql import chooses, named

from autogen_streamtrace.core import semconv as sc
from panels.traffic import END, Stream

SPAN: Final = 3 * 3_600
Event = tuple[float, dict[str, str]]
Series = list[tuple[dict[str, str], dict[int, float]]]

FUNCTIONS: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    "count_over_time": len,
    "sum_over_time": sum,
    "max_over_time": max,
}
SPAN_COLUMNS: Final = {
    "Trace ID": "trace_id",
    "Name": "span_name",
    "streamtrace.layer": v.L_LAYER,
    "streamtrace.name": v.L_NAME,
    "streamtrace.outcome": v.L_OUTCOME,
    "streamtrace.ended_by": v.L_ENDED_BY,
    "streamtrace.waiting_on.name": v.L_WAITING_NAME,
    "streamtrace.cause.type": v.L_CAUSE,
    "streamtrace.limit.id": v.L_LIMIT,
    "streamtrace.silence": "streamtrace_silence",
}


def events(day: list[Stream]) -> list[Event]:
    """The log events of the last three hours, in order."""
    random_ = random.Random(9)
    found: list[Event] = []
    for stream in day:
        if stream.end < END - SPAN:
            continue
        trace = f"{random_.getrandbits(128):032x}"
        labels = attributes(stream) | {"trace_id": trace}
        found.append((stream.end, {**labels, v.EVENT: sc.E_END, **stream.facts}))
        if stream.silence > 20:
            blocked = {v.L_LOOP_BLOCKED: "false"}
            found.append((stream.end - stream.silence + 20, {**labels, v.EVENT: sc.E_STALL, **blocked}))
    return sorted(found, key=lambda event: event[0])


def attributes(stream: Stream) -> dict[str, str]:
    ending = stream.ending
    return {
        v.ENVIRONMENT: "production",
        v.SERVICE: stream.process.service,
        v.VERSION: stream.process.version,
        "service_instance_id": stream.process.instance,
        v.L_LAYER: stream.layer,
        v.L_NAME: stream.name,
        v.L_OUTCOME: ending.outcome,
        v.L_ENDED_BY: ending.ended_by,
        v.L_EARLY: str(bool(ending.origin)).lower(),
        v.L_ORIGIN: str(stream.origin).lower(),
        v.L_CAUSE: ending.cause,
        v.L_LIMIT: ending.limit,
        v.L_WAITING_TYPE: ending.waiting[0],
        v.L_WAITING_NAME: ending.waiting[1],
        "streamtrace_silence": f"{stream.silence:.2f}",
        "gen_ai_usage_output_tokens": str(stream.tokens[1]) if stream.layer == sc.MODEL else "",
        "span_name": f"{stream.layer} {stream.name}",
    }


def measured(day: list[Event], logql: str, step: int) -> Series:
    """The answer to a metric query: labels of each group, and its values by the second at which their window ends."""
    function = FUNCTIONS[re.findall(r"\((\w+_over_time)\(", logql)[0]]
    unwrapped = re.findall(r"\| unwrap (\w+)", logql)
    by = sorted(named(logql) - set(unwrapped))
    windows: dict[tuple[str, ...], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for at, labels in day:
        if chooses(logql, labels):
            end = window(at, step)
            value = float(labels[unwrapped[0]]) if unwrapped else 1.0
            windows[tuple(labels.get(name, "") for name in by)][end].append(value)
    return [
        (dict(zip(by, group, strict=True)), {end: float(function(values)) for end, values in found.items()})
        for group, found in sorted(windows.items())
    ]


def window(at: float, step: int) -> int:
    """When the window ends that holds a moment."""
    begin = END - SPAN
    return begin + (int(at - begin) // step + 1) * step


def sentences(day: list[Event], logql: str, most: int) -> Iterator[tuple[float, str]]:
    """The lines that a query chooses, the latest first."""
    chosen = [event for event in reversed(day) if chooses(logql, event[1])]
    for at, labels in chosen[:most]:
        yield at, sentence(labels)


def sentence(labels: dict[str, str]) -> str:
    cause = f" with {labels[v.L_CAUSE]}" if labels[v.L_CAUSE] else ""
    limit = f"; the limit is {labels[v.L_LIMIT]}" if labels[v.L_LIMIT] else ""
    waited = f", waiting for {labels[v.L_WAITING_NAME]}" if labels[v.L_WAITING_NAME] else ""
    return (
        f"{labels[v.L_LAYER]} {labels[v.L_NAME]} ended {labels[v.L_OUTCOME]}{cause}, ended by {labels[v.L_ENDED_BY]}, "
        f"after {labels['streamtrace_silence']} s of silence{waited}{limit}"
    )


def medians(day: list[Stream], measure: str, step: int) -> Series:
    """The median of ``first``, ``gap`` or ``caller`` in each layer."""
    windows: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for stream in day:
        if stream.end >= END - SPAN:
            windows[stream.layer][window(stream.end, step)].append(getattr(stream, measure))
    return [
        ({v.L_LAYER: layer}, {end: statistics.median(values) for end, values in found.items()})
        for layer, found in sorted(windows.items())
    ]


def spans(day: list[Event], *, origins: bool, most: int) -> list[tuple[float, dict[str, str]]]:
    """Early endings, the latest first: at their origins, or of agents and models above."""
    above = (sc.AGENT, sc.MODEL)
    return [
        (at, labels)
        for at, labels in reversed(day)
        if labels[v.EVENT] == sc.E_END
        and labels[v.L_EARLY] == "true"
        and (labels[v.L_ORIGIN] == "true" if origins else labels[v.L_LAYER] in above)
    ][:most]
