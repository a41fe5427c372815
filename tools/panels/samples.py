"""The day as Prometheus would have scraped it, in OpenMetrics, a sample a minute."""

import bisect
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from boards import vocabulary as v

from autogen_streamtrace.core import semconv as sc
from panels.traffic import BEGIN, END, KILLED, PROCESSES, TURNS, Process, Stream

STEP: Final = 60
RECENT: Final = END - 4 * 3_600
"""From here on there are histograms too; before, only what the recording rules look back on."""
EDGES: Final = {
    v.DURATION: sc.DURATION_EDGES,
    v.SILENCE: sc.SILENCE_EDGES,
    v.TOOL_CALL: sc.GEN_AI_CLIENT_EDGES,
    v.AGENT_TURN: sc.GEN_AI_AGENT_EDGES,
    v.TEAM_RUN: sc.GEN_AI_WORKFLOW_EDGES,
    v.MODEL_CALL: sc.GEN_AI_CLIENT_EDGES,
    v.MODEL_FIRST_CHUNK: sc.GEN_AI_CLIENT_EDGES,
    v.MODEL_PER_CHUNK: sc.GEN_AI_CLIENT_EDGES,
    v.TOKENS: sc.GEN_AI_TOKEN_EDGES,
}
"""Of each histogram; of the others, those of gaps."""

Labels = tuple[tuple[str, str], ...]


def labels(process: Process, own: Mapping[str, str]) -> Labels:
    return tuple(sorted({**process.labels, **{name: value for name, value in own.items() if value}}.items()))


class Samples:
    """Counters and histograms, filled with what happened and when."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, Labels], list[tuple[float, float]]] = defaultdict(list)
        self._born: dict[tuple[str, Labels], tuple[Process, int]] = {}

    def count(
        self, name: str, process: Process, at: float, own: Mapping[str, str], amount: float = 1, since: int = BEGIN
    ) -> None:
        key = (name, labels(process, own))
        self._counted[key].append((at, amount))
        self._born[key] = (process, since)

    def measure(self, name: str, process: Process, at: float, value: float, own: Mapping[str, str]) -> None:
        """A histogram's buckets, its sum and its count."""
        since = BEGIN if name == v.MODEL_CALL else RECENT  # a recording rule counts the calls
        if at >= since:
            self.count(f"{name}_count", process, at, own, 1, since)
        if at < RECENT:
            return
        for edge in (*EDGES.get(name, sc.GAP_EDGES), float("inf")):
            le = "+Inf" if edge == float("inf") else str(float(edge))
            self.count(f"{name}_bucket", process, at, {**own, "le": le}, float(value <= edge), RECENT)
        self.count(f"{name}_sum", process, at, own, value, RECENT)

    def lines(self) -> Iterator[str]:
        """Each series from its first event on, as long as its process lives."""
        for (name, own), events in self._counted.items():
            process, since = self._born[(name, own)]
            events.sort()
            shown = text(own)
            total, place = 0.0, 0
            first = max(events[0][0], since, process.begin)
            begin = int(first // STEP) * STEP
            for minute in range(begin, process.end + STEP, STEP):
                while place < len(events) and events[place][0] <= minute:
                    total += events[place][1]
                    place += 1
                if minute >= first:
                    yield f"{name}{shown} {total:g} {minute}\n"


def text(own: Iterable[tuple[str, str]]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in own) + "}"


def write(target: Path, day: list[Stream]) -> None:
    """One file with all of it."""
    samples = Samples()
    for stream in day:
        count_stream(samples, stream)
        measure_stream(samples, stream)
    with target.open("w") as file:
        file.writelines(samples.lines())
        file.writelines(gauges(day))
        file.writelines(own_series())
        file.writelines(collector())
        file.write("# EOF\n")


def count_stream(samples: Samples, stream: Stream) -> None:
    process, ending = stream.process, stream.ending
    whose = {v.L_LAYER: stream.layer, v.L_NAME: stream.name}
    kind = {v.L_FRAMEWORK: stream.framework, v.L_STREAMED: stream.streamed}
    samples.count(v.STARTED, process, stream.begin, whose | kind)
    how = {v.L_OUTCOME: ending.outcome, v.L_ENDED_BY: ending.ended_by}
    flags = {
        v.L_FAULT: str(ending.fault).lower(),
        v.L_ORIGIN: str(stream.origin).lower(),
        v.L_OUTERMOST: str(stream.outermost).lower(),
    }
    samples.count(v.ENDED, process, stream.end, whose | kind | how | flags)
    if ending.origin and stream.origin:
        waiting = {v.L_WAITING_TYPE: ending.waiting[0], v.L_WAITING_NAME: ending.waiting[1]}
        why = {v.L_CAUSE: ending.cause, v.L_LIMIT: ending.limit, v.L_CANCELLED_BY: ending.cancelled_by}
        samples.count(v.CUT, process, stream.end, whose | how | waiting | why)


def model(stream: Stream) -> dict[str, str]:
    return {v.L_MODEL: stream.name, v.L_PROVIDER: TURNS[stream.process.service][4]}


def measure_stream(samples: Samples, stream: Stream) -> None:
    process, ending, end = stream.process, stream.ending, stream.end
    layer = {v.L_LAYER: stream.layer}
    error = {v.L_ERROR: ending.status or ending.cause if ending.fault else ""}
    duration = end - stream.begin
    how = {v.L_OUTCOME: ending.outcome}
    samples.measure(v.DURATION, process, end, duration, {**layer, **how, v.L_STREAMED: stream.streamed})
    samples.measure(v.FIRST_CHUNK, process, end, stream.first, layer)
    samples.measure(v.LONGEST_GAP, process, end, stream.gap, layer)
    samples.measure(v.CALLER_TIME, process, end, stream.caller, layer)
    if ending.origin and stream.origin:
        samples.measure(v.SILENCE, process, end, stream.silence, layer | how)
    if stream.layer == sc.MODEL:
        of = model(stream)
        samples.measure(v.MODEL_CALL, process, end, duration, of | error)
        samples.measure(v.MODEL_FIRST_CHUNK, process, end, stream.first, of)
        at_once = stream.gap < 0.12
        samples.measure(v.MODEL_PER_CHUNK, process, end, 0.004 if at_once else 0.02 + stream.gap / 20, of)
        for direction, tokens in zip(("input", "output"), stream.tokens, strict=True):
            samples.measure(v.TOKENS, process, end, tokens, {**of, v.L_TOKEN_TYPE: direction})
    kinds = {sc.TOOL: (v.TOOL_CALL, v.L_TOOL), sc.AGENT: (v.AGENT_TURN, v.L_AGENT), sc.TEAM: (v.TEAM_RUN, v.L_TEAM)}
    if stream.layer in kinds:
        name, label = kinds[stream.layer]
        samples.measure(name, process, end, duration, {label: stream.name, **error})


def gauges(day: list[Stream]) -> Iterator[str]:
    """What is open at each minute, for how long, and what is stalled."""
    recent = [stream for stream in day if stream.end >= RECENT]
    beginnings = sorted(recent, key=lambda stream: stream.begin)
    begins = [stream.begin for stream in beginnings]
    for minute in range(RECENT, END + STEP, STEP):
        among = beginnings[bisect.bisect_left(begins, minute - 600) : bisect.bisect_right(begins, minute)]
        now: dict[tuple[str, Labels], float] = {}
        for process in PROCESSES:
            if process.begin <= minute <= process.end:
                for name in (sc.AGENT, sc.MODEL, sc.HTTP):
                    now[(v.OPEN, labels(process, {v.L_LAYER: name}))] = 0
        for stream in among:
            if stream.end <= minute or stream.process.end < minute:
                continue
            layer = {v.L_LAYER: stream.layer}
            opened = (v.OPEN, labels(stream.process, layer))
            oldest = (v.OLDEST, labels(stream.process, layer))
            now[opened] = now.get(opened, 0) + 1
            now[oldest] = max(now.get(oldest, 0), minute - stream.begin)
            if stream.silence > 20 and stream.end - stream.silence + 20 < minute:
                waiting = {v.L_WAITING_TYPE: stream.ending.waiting[0], v.L_WAITING_NAME: stream.ending.waiting[1]}
                stalled = (v.STALLED, labels(stream.process, layer | waiting))
                now[stalled] = now.get(stalled, 0) + 1
        for (series, own), value in now.items():
            yield f"{series}{text(own)} {value:g} {minute}\n"


def own_series() -> Iterator[str]:
    """The instrument's own: in order, but for some exports that failed, a finish reason, and what was recovered."""
    random_ = random.Random(3)
    for process in PROCESSES:
        steps: Mapping[str, tuple[int, int]] = {
            v.ERRORS: (0, 0),
            v.DROPPED: (0, 0),
            v.CAPPED: (0, 0),
            v.EXPORT_FAILURES: (END - 4_500, 3),
            v.UNKNOWN_FINISH: (END - 7_800, 1),
            v.RECOVERED: (KILLED + 120, 3 if process.begin == KILLED + 60 else 0),
        }
        for minute in range(process.begin, process.end + STEP, STEP):
            own = text(labels(process, {}))
            yield f"{v.QUEUE}{own} {int(random_.expovariate(0.4))} {minute}\n"
            if minute < RECENT:
                continue
            yield f"{v.RECORDER}{own} 1 {minute}\n"
            for name, (since, amount) in steps.items():
                yield f"{name}{own} {amount if minute >= since else 0} {minute}\n"


def collector() -> Iterator[str]:
    """A Collector's report on itself: its way to the traces is shut for five minutes, and the queue fills."""
    random_ = random.Random(4)
    who = {"job": "otelcol", "instance": "collector-0"}
    totals: dict[str, float] = defaultdict(float)
    ages = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, float("inf"))
    late = [0.0] * len(ages)
    waiting = 0.0

    def line(name: str, value: float, minute: int, **more: str) -> str:
        return f"{name}{text(sorted({**who, **more}.items()))} {value:g} {minute}\n"

    for minute in range(RECENT, END + STEP, STEP):
        shut = END - 4_700 <= minute < END - 4_400
        for signal, rate in (("spans", 2_900), ("metric_points", 1_800), ("log_records", 700)):
            taken = rate * random_.uniform(0.9, 1.1)
            totals[f"in {signal}"] += taken
            held = taken if shut and signal == "spans" else 0
            waiting = waiting + held if held else (0 if signal == "spans" else waiting)
            totals[f"out {signal}"] += taken - held
            yield line(f"otelcol_receiver_accepted_{signal}_total", totals[f"in {signal}"], minute, receiver="otlp")
            yield line(f"otelcol_receiver_refused_{signal}_total", 0, minute, receiver="otlp")
            to = {"spans": "otlp/traces", "metric_points": "otlphttp/metrics", "log_records": "otlphttp/logs"}[signal]
            yield line(f"otelcol_exporter_sent_{signal}_total", totals[f"out {signal}"], minute, exporter=to)
            failed = 240 if minute >= END - 4_400 and signal == "spans" else 0
            yield line(f"otelcol_exporter_send_failed_{signal}_total", failed, minute, exporter=to)
            filled = waiting / 20 if signal == "spans" else random_.uniform(0, 12)
            yield line("otelcol_exporter_queue_size", filled, minute, exporter=to, data_type=signal)
            yield line("otelcol_exporter_queue_capacity", 1_000, minute, exporter=to, data_type=signal)
        totals["uptime"] += STEP
        yield line("otelcol_process_uptime_seconds_total", totals["uptime"], minute)
        tail = "otelcol_processor_tail_sampling_sampling_"
        yield line(f"{tail}traces_on_memory", 420 + random_.uniform(-40, 40), minute)
        yield line(f"{tail}trace_dropped_too_early_total", 0, minute)
        for _ in range(6):
            age = random_.lognormvariate(1.2, 0.8)
            late = [have + (age <= edge) for have, edge in zip(late, ages, strict=True)]
        for edge, have in zip(ages, late, strict=True):
            le = "+Inf" if edge == float("inf") else str(edge)
            yield line(f"{tail}late_span_age_seconds_bucket", have, minute, le=le)
