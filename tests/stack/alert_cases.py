"""For each alert the series on which it must fire, and what it must say; and days on which nothing may.

Values are in promtool's notation, a sample a minute
(https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#series).
"""

from dataclasses import dataclass
from typing import Final

JOB: Final = {"job": "shop/agents", "deployment_environment_name": "production"}
PROCESS: Final = {**JOB, "instance": "agents-1", "service_name": "agents", "service_version": "1.2.3"}

Labels = dict[str, str]
Series = dict[str, str]
"""Values by series."""


def stream(**labels: str) -> Labels:
    """Labels of the streams' metrics, without their prefix."""
    return {f"streamtrace_{name}": value for name, value in labels.items()}


TIMEOUT: Final = stream(
    layer="http",
    outcome="timeout",
    ended_by="http_client",
    cause_type="httpx2.ReadTimeout",
    limit_id="http_client.read_timeout",
)
REFUSED: Final = stream(layer="http", outcome="rejected", ended_by="upstream", cause_type="openai.InternalServerError")
KILLED: Final = stream(layer="agent", outcome="killed", ended_by="process")
POOL: Final = TIMEOUT | stream(cause_type="httpx2.PoolTimeout", limit_id="http_client.pool_timeout")
DEADLINE: Final = stream(layer="agent", outcome="cancelled", ended_by="caller", limit_id="asyncio.timeout")
BREAK: Final = stream(layer="agent", outcome="abandoned", ended_by="caller", cause_type="GeneratorExit")
LOST: Final = stream(
    layer="http",
    name="api.example",
    outcome="disconnected",
    ended_by="upstream",
    cause_type="httpx2.RemoteProtocolError",
)
UNREACHED: Final = LOST | stream(cause_type="httpx2.ConnectError")
TURN: Final = stream(layer="agent", name="helper", outermost="true", origin="false")
CALL: Final = {"gen_ai_request_model": "gpt-4o", "gen_ai_provider_name": "openai"}


def one(metric: str, values: str, *labels: Labels) -> Series:
    """One series of a process."""
    merged = {**PROCESS, **{name: value for each in labels for name, value in each.items()}}
    return {f"{metric}{{{','.join(f'{name}={value!r}' for name, value in merged.items())}}}": values}


def cut(values: str, *labels: Labels) -> Series:
    return one("streamtrace_cut_total", values, *labels)


def ended(values: str, *labels: Labels, fault: str = "false") -> Series:
    return one("streamtrace_ended_total", values, TURN, *labels, stream(fault=fault))


def turns(good: str, bad: str) -> Series:
    """Turns of agents; the bad ones ended with a timeout."""
    return {**ended(good, stream(outcome="completed")), **ended(bad, stream(outcome="timeout"), fault="true")}


def open_streams(values: str) -> Series:
    """Streams from the host of whose connections are lost."""
    return one("streamtrace_open", values, stream(layer="http", name="api.example"))


def recorded(long: str, short: str, good: int, bad: int) -> Series:
    """What the recording rules say of two windows; the same of both."""
    found = {**one("streamtrace:turns:objective", "0.99x200")}
    for window in (long, short):
        found |= one(f"streamtrace:stream_faults:increase{window}", f"{bad}x200", TIMEOUT)
        found |= one(f"streamtrace:turns:increase{window}", f"{good}x200", stream(fault="false"))
        found |= one(f"streamtrace:turns:increase{window}", f"{bad}x200", stream(fault="true"))
    return found


@dataclass(frozen=True)
class Fires:
    """``at`` that time the alert fires, with these labels beside the job's."""

    alert: str
    series: Series
    at: str
    labels: Labels
    summary: str
    chain: bool = True
    """From the raw counters, through the recording rules; else the series are what those record."""


WHO: Final = "shop/agents (production)"
HTTP_TIMEOUT: Final = (
    "http streams end as timeout, by http_client, cause httpx2.ReadTimeout, limit http_client.read_timeout"
)
HALF_AN_HOUR_IN: Final = "0x29 0+1x90"
"""Nothing for half an hour, then one a minute."""
BURNING: Final = {**turns("0+1x120", HALF_AN_HOUR_IN), **cut(HALF_AN_HOUR_IN, TIMEOUT)}

FIRES: Final = (
    Fires(
        "StreamFaultsOfOneCause1H",
        BURNING,
        "100m",
        TIMEOUT,
        f"{WHO}: {HTTP_TIMEOUT}; 50% of all turns within 1h",
    ),
    Fires(
        "TurnFaultsBurnBudget1H",
        BURNING,
        "100m",
        {},
        f"{WHO}: 50% of the outermost streams (agent and team turns) ended with a fault within 1h; no single cause or "
        "limit need explain it",
    ),
    *(
        fires
        for long, short, bad in (("6h", "30m", 100), ("1d", "2h", 50), ("3d", "6h", 20))
        for fires in (
            Fires(
                f"StreamFaultsOfOneCause{long.upper()}",
                recorded(long, short, 1000 - bad, bad),
                "50m",
                TIMEOUT,
                f"{WHO}: {HTTP_TIMEOUT}; {bad / 10:g}% of all turns within {long}",
                chain=False,
            ),
            Fires(
                f"TurnFaultsBurnBudget{long.upper()}",
                recorded(long, short, 1000 - bad, bad),
                "50m",
                {},
                f"{WHO}: {bad / 10:g}% of the outermost streams (agent and team turns) ended with a fault "
                f"within {long}; "
                "no single cause or limit need explain it",
                chain=False,
            ),
        )
    ),
    Fires(
        "SeveralTurnFaults",
        recorded("6h", "30m", 96, 4),
        "50m",
        {},
        f"{WHO}: 4 outermost streams (agent and team turns) ended with a fault within 6h, too few for a "
        "burn rate and more "
        "than the objective allows; no single cause or limit need explain them",
        chain=False,
    ),
    Fires(
        "StreamFaultsAbovePast",
        cut("0x60 6x60", TIMEOUT),
        "100m",
        TIMEOUT,
        f"{WHO}: {HTTP_TIMEOUT}; 6 within 1h, over three times as many as in an hour of the day before",
    ),
    Fires(
        "StreamsStalled",
        one(
            "streamtrace_stalled",
            "2x20",
            stream(layer="model", waiting_on_type="http", waiting_on_name="api.example"),
        ),
        "15m",
        stream(layer="model", waiting_on_type="http", waiting_on_name="api.example"),
        f"{WHO}: 2 model streams have stalled; cause: waiting on http api.example; no limit has cut them",
    ),
    Fires(
        "OldestStreamTooOld",
        one("streamtrace_oldest_seconds", "4000x20", stream(layer="team")),
        "15m",
        stream(layer="team"),
        f"{WHO}: a team stream has been open for 1h 6m 40s; no cause yet, and no limit has cut it",
    ),
    Fires(
        "StreamsKilled",
        cut("_x30 0 7x40", KILLED),
        "40m",
        stream(layer="agent"),
        f"{WHO}: 7 agent streams were open when their process died, within 1h; cause: out of memory, a worker's time "
        "limit, or a kill",
    ),
    Fires(
        "StreamsLost",
        {
            **one("streamtrace_started_total", "5x30 stale", stream(layer="agent")),
            **one("streamtrace_ended_total", "2x30 stale", stream(layer="agent")),
            **one("streamtrace_open", "3x30 stale", stream(layer="agent")),
        },
        "60m",
        stream(layer="agent"),
        f"{WHO}: 3 agent streams started in processes that are gone, and nothing tells the cause or the "
        "limit that ended "
        "them",
    ),
    Fires(
        "NoTelemetry",
        one("streamtrace_instrument_queue_size", "0x30"),
        "60m",
        {},
        f"{WHO}: no metric has come for ten minutes, from any layer; the cause may be the process, its exporter or the "
        "Collector; no limit is known",
    ),
    Fires(
        "StreamsEndedAtOneMoment",
        {**open_streams("40x30 2x90"), **cut("0x30 25x90", LOST)},
        "34m",
        stream(layer="http", name="api.example"),
        f"{WHO}: 25 http streams of api.example ended at one moment, half of all that were open or more, and hardly "
        "any before and after it; cause: a restart, a reload or a crash on the way; no limit, unless they all began "
        "together",
    ),
    Fires(
        "OneLimitCutsMost",
        {**cut("0x29 8x90", TIMEOUT), **cut("0x29 2x90", BREAK)},
        "40m",
        stream(layer="http", limit_id="http_client.read_timeout"),
        f"{WHO}: the limit http_client.read_timeout explains 80% of all early endings within 1h; layer of origin http, "
        "cause: it is shorter than the streams need",
    ),
    Fires(
        "ProviderRejects",
        {
            **one("gen_ai_client_operation_duration_seconds_count", "0+9x60", CALL),
            **one("gen_ai_client_operation_duration_seconds_count", "0+3x60", CALL, {"error_type": "429"}),
        },
        "30m",
        {"gen_ai_request_model": "gpt-4o", "error_type": "429"},
        f"{WHO}: the provider of gpt-4o answers 429 to 25% of its calls; layer model, cause and limit are "
        "the provider's",
    ),
    Fires(
        "ConnectionPoolExhausted",
        cut("0x29 4x90", POOL),
        "40m",
        stream(layer="http", cause_type="httpx2.PoolTimeout", limit_id="http_client.pool_timeout"),
        f"{WHO}: 4 http streams found no free connection within 1h, cause httpx2.PoolTimeout, limit the HTTP client's "
        "connection pool",
    ),
    Fires(
        "DeadlineTooShort",
        {**cut("0x29 10x90", DEADLINE, stream(cancelled_by="deadline")), **turns("0x29 90x90", "0x29 10x90")},
        "40m",
        stream(layer="agent", limit_id="asyncio.timeout"),
        f"{WHO}: a deadline of the program's own cuts 10% of its agent streams; cause: it is shorter than their 95th "
        "percentile; limit asyncio.timeout",
    ),
    Fires(
        "FirstChunkSlow",
        {
            **one("streamtrace_time_to_first_chunk_seconds_bucket", "0x90", stream(layer="model"), {"le": "10.0"}),
            **one("streamtrace_time_to_first_chunk_seconds_bucket", "0+5x90", stream(layer="model"), {"le": "30.0"}),
            **one("streamtrace_time_to_first_chunk_seconds_bucket", "0+5x90", stream(layer="model"), {"le": "+Inf"}),
            **one("streamtrace_time_to_first_chunk_seconds_count", "0+5x90", stream(layer="model")),
        },
        "40m",
        {},
        f"{WHO}: a model's first chunk takes 29s (95th percentile over 15m); layer model, cause: the "
        "provider or what lies "
        "between, and no limit has cut these streams yet",
    ),
    Fires(
        "RecorderUnusable",
        one("streamtrace_instrument_recorder_state", "2x20"),
        "15m",
        {"instance": "agents-1"},
        f"{WHO}: the flight recorder of agents-1 is unusable; a kill would leave no trace of its open "
        "streams, whatever "
        "layer, cause or limit",
    ),
    Fires(
        "TelemetryIncomplete",
        one("streamtrace_instrument_export_failures_total", "0x29 0+1x4 4x60"),
        "40m",
        {},
        f"{WHO}: records were dropped, exports failed, or the instrument had a defect of its own, 4 times "
        "within 1h; what "
        "layer, cause and limit say is incomplete",
    ),
    Fires(
        "LabelsOverflow",
        one("streamtrace_instrument_names_capped_total", "0x29 0+1x90"),
        "60m",
        {},
        f"{WHO}: more names than max_names allows, or more than 2,000 sets of attributes; in every layer "
        "some names and "
        "causes read _OTHER, no limit cut a stream",
    ),
)

NO_MOMENT: Final[dict[str, Series]] = {
    "cuts that go on": {**open_streams("20x120"), **cut("0+12x120", LOST)},
    "cuts that begin and go on": {**open_streams("20x120"), **cut("0x30 0+12x90", LOST)},
    "cuts that go on and stop": {**open_streams("20x120"), **cut("0+12x30 360x90", LOST)},
    "a few of many": {**open_streams("400x120"), **cut("0x30 25x90", LOST)},
    "less than ten": {**open_streams("9x120"), **cut("0x30 9x90", LOST)},
    "a host that is not there": {**open_streams("20x120"), **cut("0x30 25x90", UNREACHED)},
    "users who leave one by one": {
        **open_streams("20x120"),
        **cut("0+3x120", LOST | stream(ended_by="end_user", outcome="cancelled", cancelled_by="disconnect")),
    },
    "the process's own end": {
        **open_streams("40x30 0x90"),
        **cut("0x30 25x90", LOST | stream(ended_by="process", outcome="cancelled", cancelled_by="shutdown")),
    },
}

DAY: Final = 26 * 60


def steady(each_minute: float) -> str:
    return f"0+{each_minute:g}x{DAY}"


HEALTHY: Final[Series] = {
    **ended(steady(10), stream(outcome="completed")),
    **ended(steady(0.1), stream(outcome="length")),
    **ended(steady(0.2), stream(outcome="abandoned")),
    **ended(steady(0.01), stream(outcome="timeout"), fault="true"),
    **cut(steady(0.01), TIMEOUT),
    **cut(steady(0.2), BREAK),
    **cut(steady(0.1), stream(layer="model", outcome="length", ended_by="model")),
    **one("streamtrace_started_total", steady(10.31), stream(layer="agent", name="helper")),
    **one("streamtrace_open", f"5x{DAY}", stream(layer="agent", name="helper")),
    **one("streamtrace_stalled", f"0x{DAY}", stream(layer="agent", name="helper")),
    **one("streamtrace_oldest_seconds", f"40x{DAY}", stream(layer="agent")),
    **one("streamtrace_instrument_queue_size", f"3x{DAY}"),
    **one("streamtrace_instrument_recorder_state", f"1x{DAY}"),
    **one("streamtrace_instrument_names_capped_total", f"0x{DAY}"),
    **one("streamtrace_instrument_export_failures_total", f"0x{DAY}"),
    **one("streamtrace_instrument_errors_total", f"0x{DAY}"),
    **one("streamtrace_instrument_records_dropped_total", f"0x{DAY}"),
    **one("gen_ai_client_operation_duration_seconds_count", steady(10), CALL),
    **one("gen_ai_client_operation_duration_seconds_count", steady(0.01), CALL, {"error_type": "429"}),
    **one("streamtrace_time_to_first_chunk_seconds_bucket", steady(10), stream(layer="model"), {"le": "2.5"}),
    **one("streamtrace_time_to_first_chunk_seconds_bucket", steady(10), stream(layer="model"), {"le": "+Inf"}),
    **one("streamtrace_time_to_first_chunk_seconds_count", steady(10), stream(layer="model")),
}
"""A day with one fault in a thousand turns, some replies at the token limit, some readers who left."""

HEALED: Final[Series] = {**turns("0+10x120", "0x120"), **cut("0+5x120", REFUSED)}
"""Every second turn's first attempt is refused, and the SDK's retry heals it: old news after the first hours."""
