"""Streams that hang, event loops that do not run, processes that died."""

from typing import Final

from autogen_streamtrace.core import semconv as sc

from ..promql import plain, total
from ..recording import LOST, cuts
from ..vocabulary import (
    ENVIRONMENT,
    EVENT,
    L_LAYER,
    L_LOOP_BLOCKED,
    L_LOOP_LATE,
    L_OUTCOME,
    L_OUTERMOST,
    L_WAITING_NAME,
    L_WAITING_TYPE,
    OLDEST,
    QUEUE,
    SERVICE,
    STALLED,
)
from .alert import AGE, COUNT, JOB, PAGE, TICKET, WHO, Alert, at

KILLED: Final = f'{L_OUTCOME}="{sc.KILLED}"'
LATE_SECONDS: Final = 1
"""Lateness of an event loop that users notice."""
LATE_TURNS: Final = 5
OLDEST_SECONDS: Final = 3600


def hanging() -> list[Alert]:
    """Streams that do not end."""
    waiting = (*JOB, L_LAYER, L_WAITING_TYPE, L_WAITING_NAME)
    selector = f'{SERVICE}=~".+"'
    blocked = (
        f'sum by ({SERVICE}, {ENVIRONMENT}) (count_over_time({{{selector}}} | {EVENT}="{sc.E_STALL}" '
        f'| {L_LOOP_BLOCKED}="true" [5m])) > 0'
    )
    late = (
        f'sum by ({SERVICE}, {ENVIRONMENT}) (count_over_time({{{selector}}} | {EVENT}="{sc.E_END}" '
        f'| {L_OUTERMOST}="true" | {L_LOOP_LATE} > {LATE_SECONDS} [5m])) >= {LATE_TURNS}'
    )
    return [
        Alert(
            name="StreamsStalled",
            expr=f"{total(STALLED, *waiting)} > 0",
            severity=TICKET,
            wait="5m",
            keep="5m",
            summary=f"{WHO}: {COUNT} {at(L_LAYER)} streams have stalled; cause: waiting on {at(L_WAITING_TYPE)} "
            f"{at(L_WAITING_NAME)}; no limit has cut them",
            does="Open streams whose items have stopped for longer than stall_after.",
            runbook="stalled",
            scope="origin",
        ),
        Alert(
            name="OldestStreamTooOld",
            expr=f"max by ({', '.join((*JOB, L_LAYER))}) ({OLDEST}) > {OLDEST_SECONDS}",
            severity=TICKET,
            wait="5m",
            keep="5m",
            summary=f"{WHO}: a {at(L_LAYER)} stream has been open for {AGE}; no cause yet, and no limit has cut it",
            does="A stream that is older than any turn should be.",
            runbook="stalled",
        ),
        Alert(
            name="EventLoopBlocked",
            expr=blocked,
            severity=PAGE,
            wait="0m",
            keep="5m",
            summary=f"{at(SERVICE)}: code blocks the event loop, and every stream of that process with it; "
            "whatever its layer; the cause is in the stall event's stack, and no limit ends it",
            does="The watcher saw streams stall while the event loop itself did not run. The log event has the stack.",
            runbook="blocked-loop",
            scope="origin",
            language="logql",
        ),
        Alert(
            name="EventLoopLate",
            expr=late,
            severity=TICKET,
            wait="10m",
            keep="15m",
            summary=f"{at(SERVICE)}: the event loop was over {LATE_SECONDS} s late during {COUNT} turns within 5m, and "
            "so for ten minutes; whatever their layer, words arrived that nobody read and times are blurred; the cause "
            "is in this process, no limit ends them",
            does="Code holds the event loop for a second or more, again and again for ten minutes.",
            runbook="late-loop",
            language="logql",
        ),
    ]


def gone() -> list[Alert]:
    """Processes that died, and telemetry that stopped."""
    return [
        Alert(
            name="StreamsKilled",
            expr=f"{total(plain(cuts('1h'), KILLED), *JOB, L_LAYER)} > 0",
            severity=PAGE,
            wait="0m",
            keep="15m",
            summary=f"{WHO}: {COUNT} {at(L_LAYER)} streams were open when their process died, within 1h; "
            "cause: out of memory, a worker's time limit, or a kill",
            does="A process died with streams open; recovery has accounted for them.",
            runbook="killed",
            scope="origin",
        ),
        Alert(
            name="StreamsLost",
            expr=f"{total(LOST, *JOB, L_LAYER)} > 0",
            severity=TICKET,
            wait="15m",
            keep="15m",
            summary=f"{WHO}: {COUNT} {at(L_LAYER)} streams started in processes that are gone, and "
            "nothing tells the cause "
            "or the limit that ended them",
            does="A process died, and nobody has recovered its recorder.",
            runbook="killed",
        ),
        Alert(
            name="NoTelemetry",
            expr=f"group by ({', '.join(JOB)}) (last_over_time({QUEUE}[1d]))\n"
            f"unless on ({', '.join(JOB)}) group by ({', '.join(JOB)}) (last_over_time({QUEUE}[10m]))",
            severity=TICKET,
            wait="5m",
            keep="5m",
            summary=f"{WHO}: no metric has come for ten minutes, from any layer; the cause may be the process, its "
            "exporter or the Collector; no limit is known",
            does="The job reported within the last day, and does no longer.",
            runbook="no-telemetry",
        ),
    ]
