"""The alerts: what fires, when, how bad it is, what it says, and which runbook helps.

Faults are looked at twice: the outermost streams against the objective (``scope`` ``turns``), and each cause at its
origin (``scope`` ``origin``). While an origin's alert fires, Alertmanager keeps the turns' alert of the same job and
severity back.
"""

from dataclasses import dataclass
from typing import Final, Literal

from autogen_streamtrace.core import semconv as sc

from .promql import plain, total
from .recording import CAUSE, CONNECTIONS, LOST, OBJECTIVE_SERIES, added_up, cuts, ended, faults, model_calls, turns
from .vocabulary import (
    CAPPED,
    DROPPED,
    ENVIRONMENT,
    ERRORS,
    EVENT,
    EXPORT_FAILURES,
    FIRST_CHUNK,
    L_CANCELLED_BY,
    L_CAUSE,
    L_ENDED_BY,
    L_ERROR,
    L_FAULT,
    L_LAYER,
    L_LIMIT,
    L_LOOP_BLOCKED,
    L_LOOP_LATE,
    L_MODEL,
    L_NAME,
    L_OUTCOME,
    L_OUTERMOST,
    L_WAITING_NAME,
    L_WAITING_TYPE,
    OLDEST,
    OPEN,
    QUEUE,
    RECORDER,
    RECORDER_FAILS,
    SERVICE,
    STALLED,
)

Severity = Literal["page", "ticket"]
PAGE: Final = "page"
TICKET: Final = "ticket"
JOB: Final = ("job", ENVIRONMENT)

LEAST: Final = 10
"""Faults within the longer window below which a burn rate says nothing."""
SEVERAL: Final = 3
KILLED: Final = f'{L_OUTCOME}="{sc.KILLED}"'
NO_CONNECTION: Final = f'{L_CAUSE}=~".*PoolTimeout"'
BY_DEADLINE: Final = f'{L_CANCELLED_BY}="{sc.BY_DEADLINE}"'
REFUSED: Final = f'{L_ERROR}=~"429|5.."'
"""What a provider answers when it is over a limit, or fails."""
AT_ONCE: Final = 0.5
"""Share of the open streams that has to end for it to be a moment's doing."""
ABOVE: Final = 5
"""How many times as many have to end at that moment as before and after it."""
LATE_SECONDS: Final = 1
"""Lateness of an event loop that users notice."""
LATE_TURNS: Final = 5
OLDEST_SECONDS: Final = 3600
FIRST_CHUNK_SECONDS: Final = 10

BURNS: Final[tuple[tuple[float, str, str, Severity, str], ...]] = (
    (14.4, "1h", "5m", PAGE, "2m"),
    (6.0, "6h", "30m", PAGE, "5m"),
    (3.0, "1d", "2h", TICKET, "15m"),
    (1.0, "3d", "6h", TICKET, "30m"),
)
"""Factor, long window, short window, severity, `for`: https://sre.google/workbook/alerting-on-slos/"""


@dataclass(frozen=True)
class Alert:
    """One alert rule. ``runbook`` is a file's name in ``docs/runbooks/``."""

    name: str
    expr: str
    severity: Severity
    wait: str
    keep: str
    summary: str
    does: str
    runbook: str
    scope: str = ""
    language: Literal["promql", "logql"] = "promql"


def at(label: str) -> str:
    """A label's value in a text."""
    return f"{{{{ $labels.{label} }}}}"


WHO: Final = f"{at('job')}{{{{ with $labels.{ENVIRONMENT} }}}} ({{{{ . }}}}){{{{ end }}}}"
WHY: Final = (
    f"{at(L_LAYER)} streams end as {at(L_OUTCOME)}, by {at(L_ENDED_BY)}"
    f"{{{{ with $labels.{L_CAUSE} }}}}, cause {{{{ . }}}}{{{{ end }}}}"
    f"{{{{ with $labels.{L_LIMIT} }}}}, limit {{{{ . }}}}{{{{ end }}}}"
)
COUNT: Final = '{{ printf "%.0f" $value }}'
SHARE: Final = "{{ $value | humanizePercentage }}"
AGE: Final = "{{ $value | humanizeDuration }}"


def alerts() -> list[Alert]:
    """All of them."""
    return [
        *burns_of_causes(),
        *burns_of_turns(),
        *faults_of_old(),
        *hanging(),
        *gone(),
        *at_one_moment(),
        *particular(),
        *ourselves(),
    ]


def budget() -> str:
    return f"(1 - scalar({OBJECTIVE_SERIES}))"


def fault_turns(window: str) -> str:
    return total(plain(turns(window), f'{L_FAULT}="true"'), *JOB)


def all_turns(window: str) -> str:
    return total(turns(window), *JOB)


def failing(window: str) -> str:
    return f"{fault_turns(window)} / ({all_turns(window)} > 0)"


def of_cause(window: str) -> str:
    return total(faults(window), *JOB, *CAUSE)


def burns_of_causes() -> list[Alert]:
    """One cause, at its origin, burns the error budget of the outermost streams."""

    on_job = f"on ({', '.join(JOB)})"

    def ratio(window: str) -> str:
        return f"{of_cause(window)} / {on_job} group_left () ({all_turns(window)} > 0)"

    return [
        Alert(
            name=f"StreamFaultsOfOneCause{long.upper()}",
            expr=f"({ratio(long)} > {factor:g} * {budget()})\n"
            f"and ({ratio(short)} > {factor:g} * {budget()})\n"
            f"and ({of_cause(long)} >= {LEAST})\n"
            f"and {on_job} ({failing(long)} > {factor:g} * {budget()})",
            severity=severity,
            wait=wait,
            keep=short,
            summary=f"{WHO}: {WHY}; {SHARE} of all turns within {long}",
            does=f"One cause alone uses up the error budget {factor:g} times as fast as the objective "
            f"allows, over {long} "
            f"and over {short}, with {LEAST} faults at least.",
            runbook=at(L_OUTCOME),
            scope="origin",
        )
        for factor, long, short, severity, wait in BURNS
    ]


def burns_of_turns() -> list[Alert]:
    """All faults of the outermost streams together burn the error budget."""

    burning = [
        Alert(
            name=f"TurnFaultsBurnBudget{long.upper()}",
            expr=f"({failing(long)} > {factor:g} * {budget()})\n"
            f"and ({failing(short)} > {factor:g} * {budget()})\n"
            f"and ({fault_turns(long)} >= {LEAST})",
            severity=severity,
            wait=wait,
            keep=short,
            summary=f"{WHO}: {SHARE} of the outermost streams (agent and team turns) ended with a fault within {long}; "
            "no single cause or limit need explain it",
            does=f"The error budget is used up {factor:g} times as fast as the objective allows, over {long} and over "
            f"{short}, with {LEAST} faults at least.",
            runbook="README",
            scope="turns",
        )
        for factor, long, short, severity, wait in BURNS
    ]
    few = Alert(
        name="SeveralTurnFaults",
        expr=f"({fault_turns('6h')} >= {SEVERAL} < {LEAST})\nand ({failing('6h')} > {budget()})",
        severity=TICKET,
        wait="15m",
        keep="1h",
        summary=f"{WHO}: {COUNT} outermost streams (agent and team turns) ended with a fault within 6h, too few for a "
        "burn rate and more than the objective allows; no single cause or limit need explain them",
        does=f"Little traffic: {SEVERAL} to {LEAST - 1} faults in six hours, above the objective's share.",
        runbook="README",
        scope="turns",
    )
    return [*burning, few]


def faults_of_old() -> list[Alert]:
    """A cause that is new, or far more frequent than on the day before."""
    now = of_cause("1h")
    past = total(added_up(faults("5m"), "1d", " offset 1h"), *JOB, *CAUSE)
    return [
        Alert(
            name="StreamFaultsAbovePast",
            expr=f"({now} >= {LEAST / 2:g})\nunless ({now} <= 3 * {past} / 24)",
            severity=TICKET,
            wait="5m",
            keep="30m",
            summary=f"{WHO}: {WHY}; {COUNT} within 1h, over three times as many as in an hour of the day before",
            does="A cause that was not there the day before, or three times as frequent as then.",
            runbook=at(L_OUTCOME),
            scope="origin",
        )
    ]


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


def at_one_moment() -> list[Alert]:
    """Many connections that end at once: looked for two minutes later, when it is known that no more of them follow."""
    by = (*JOB, L_LAYER, L_NAME)
    lost = total(f"{CONNECTIONS} offset 2m", *by)
    after = total(CONNECTIONS, *by)
    before = total(f"avg_over_time({CONNECTIONS}[1h] offset 4m)", *by)
    were_open = total(f"{OPEN} offset 4m", *by)
    return [
        Alert(
            name="StreamsEndedAtOneMoment",
            expr=f"({lost} >= {LEAST})\n"
            f"and ({lost} >= {AT_ONCE:g} * {were_open})\n"
            f"unless ({lost} < {ABOVE} * {after})\n"
            f"unless ({lost} < {ABOVE} * {before})",
            severity=TICKET,
            wait="0m",
            keep="15m",
            summary=f"{WHO}: {COUNT} {at(L_LAYER)} streams of {at(L_NAME)} ended at one moment, half of all that were "
            "open or more, and hardly any before and after it; cause: a restart, a reload or a crash on the way; no "
            "limit, unless they all began together",
            does="Connections that the other side ended together. No timer does that, unless they began together too.",
            runbook="one-moment",
            scope="origin",
        )
    ]


def particular() -> list[Alert]:
    """Causes that name their own remedy."""
    early = total(cuts("1h"), *JOB)
    by_limit = total(plain(cuts("1h"), f'{L_LIMIT}!=""'), *JOB, L_LAYER, L_LIMIT)
    on_job = f"on ({', '.join(JOB)}) group_left ()"
    calls = total(model_calls("5m"), *JOB, L_MODEL)
    refused = total(plain(model_calls("5m"), REFUSED), *JOB, L_MODEL, L_ERROR)
    on_model = f"on ({', '.join((*JOB, L_MODEL))}) group_left ()"
    deadlines = total(plain(cuts("1h"), BY_DEADLINE), *JOB, L_LAYER, L_LIMIT)
    layer = total(ended("1h"), *JOB, L_LAYER)
    on_layer = f"on ({', '.join((*JOB, L_LAYER))}) group_left ()"
    of_model = f'{L_LAYER}="{sc.MODEL}"'
    buckets = plain(f"{FIRST_CHUNK}_bucket", of_model)
    first = total(f"rate({buckets}[15m])", *JOB, "le")
    read = plain(f"{FIRST_CHUNK}_count", of_model)
    some = f"{total(f'increase({read}[15m])', *JOB)} >= {LEAST}"
    return [
        Alert(
            name="OneLimitCutsMost",
            expr=f"({by_limit} / {on_job} {early} > 0.5)\nand ({by_limit} >= {LEAST / 2:g})",
            severity=TICKET,
            wait="5m",
            keep="30m",
            summary=f"{WHO}: the limit {at(L_LIMIT)} explains {SHARE} of all early endings within 1h; layer of origin "
            f"{at(L_LAYER)}, cause: it is shorter than the streams need",
            does="One limit is responsible for most cuts: raise it, or make the stream keep within it.",
            runbook="timeout",
            scope="origin",
        ),
        Alert(
            name="ProviderRejects",
            expr=f"({refused} / {on_model} {calls} > 0.05)\nand ({refused} >= {LEAST / 2:g})",
            severity=PAGE,
            wait="2m",
            keep="10m",
            summary=f"{WHO}: the provider of {at(L_MODEL)} answers {at(L_ERROR)} to {SHARE} of its calls; layer model, "
            "cause and limit are the provider's",
            does="HTTP 429 is a rate limit or a quota, 5xx a failure: both are the provider's.",
            runbook="rejected",
            scope="origin",
        ),
        Alert(
            name="ConnectionPoolExhausted",
            expr=f"{total(plain(faults('1h'), NO_CONNECTION), *JOB, L_LAYER, L_CAUSE, L_LIMIT)} >= {SEVERAL}",
            severity=TICKET,
            wait="0m",
            keep="30m",
            summary=f"{WHO}: {COUNT} {at(L_LAYER)} streams found no free connection within 1h, cause "
            f"{at(L_CAUSE)}, limit "
            "the HTTP client's connection pool",
            does="More streams at once than the HTTP client has connections.",
            runbook="pool-timeout",
            scope="origin",
        ),
        Alert(
            name="DeadlineTooShort",
            expr=f"({deadlines} / {on_layer} {layer} > 0.05)\nand ({deadlines} >= {SEVERAL})",
            severity=TICKET,
            wait="5m",
            keep="30m",
            summary=f"{WHO}: a deadline of the program's own cuts {SHARE} of its {at(L_LAYER)} streams; "
            "cause: it is shorter "
            f"than their 95th percentile; limit {at(L_LIMIT)}",
            does="A deadline below the 95th percentile of the time that streams need cuts more than 5 % of them.",
            runbook="deadline",
            scope="origin",
        ),
        Alert(
            name="FirstChunkSlow",
            expr=f"(histogram_quantile(0.95, {first}) > {FIRST_CHUNK_SECONDS})\nand ({some})",
            severity=TICKET,
            wait="10m",
            keep="15m",
            summary=f"{WHO}: a model's first chunk takes {AGE} (95th percentile over 15m); layer model, "
            "cause: the provider or what lies between, and no limit has cut these streams yet",
            does="Users wait, and limits on the first byte (Heroku 30 s, API Gateway 29 s) come near.",
            runbook="slow-first-chunk",
        ),
    ]


def ourselves() -> list[Alert]:
    """The instrument's own health."""
    grown = "increase({}[1h])".format
    overflow = plain("", '__name__=~"autogen_.+|gen_ai_.+"', 'otel_metric_overflow="true"')
    lacking = " or ".join(f"({total(grown(each), *JOB)} > 0)" for each in (DROPPED, EXPORT_FAILURES, ERRORS))
    return [
        Alert(
            name="RecorderUnusable",
            expr=f"max by ({', '.join((*JOB, 'instance'))}) ({RECORDER}) == {RECORDER_FAILS}",
            severity=TICKET,
            wait="5m",
            keep="15m",
            summary=f"{WHO}: the flight recorder of {at('instance')} is unusable; a kill would leave no "
            "trace of its open "
            "streams, whatever layer, cause or limit",
            does="The directory is missing, full, read-only, or not the process's own.",
            runbook="recorder",
        ),
        Alert(
            name="TelemetryIncomplete",
            expr=lacking,
            severity=TICKET,
            wait="5m",
            keep="30m",
            summary=f"{WHO}: records were dropped, exports failed, or the instrument had a defect of its "
            f"own, {COUNT} times "
            "within 1h; what layer, cause and limit say is incomplete",
            does="What dashboards show of this job is not all that happened.",
            runbook="no-telemetry",
        ),
        Alert(
            name="LabelsOverflow",
            expr=f"{total(grown(CAPPED), *JOB)} > 0\nor group by ({', '.join(JOB)}) ({overflow})",
            severity=TICKET,
            wait="15m",
            keep="1h",
            summary=f"{WHO}: more names than max_names allows, or more than 2,000 sets of attributes; in "
            "every layer some "
            "names and causes read _OTHER, no limit cut a stream",
            does="Some label takes too many values: a name with an id or a date in it, most often.",
            runbook="label-overflow",
        ),
    ]
