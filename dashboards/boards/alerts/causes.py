"""Causes that name their own remedy."""

from typing import Final

from autogen_streamtrace.core import semconv as sc

from ..promql import plain, total
from ..recording import CONNECTIONS, cuts, ended, faults, model_calls
from ..vocabulary import FIRST_CHUNK, L_CANCELLED_BY, L_CAUSE, L_ERROR, L_LAYER, L_LIMIT, L_MODEL, L_NAME, OPEN
from .alert import AGE, COUNT, JOB, LEAST, PAGE, SEVERAL, SHARE, TICKET, WHO, Alert, at

NO_CONNECTION: Final = f'{L_CAUSE}=~".*PoolTimeout"'
BY_DEADLINE: Final = f'{L_CANCELLED_BY}="{sc.BY_DEADLINE}"'
REFUSED: Final = f'{L_ERROR}=~"429|5.."'
"""What a provider answers when it is over a limit, or fails."""
AT_ONCE: Final = 0.5
"""Share of the open streams that has to end for it to be a moment's doing."""
ABOVE: Final = 5
"""How many times as many have to end at that moment as before and after it."""
FIRST_CHUNK_SECONDS: Final = 10


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
