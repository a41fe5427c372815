"""The dashboard *Is the instrument itself healthy*."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from .common import Panels, board
from .panels import COUNT, PERCENT, THIRD, WIDE, Query, ask, ask_now, lines, number
from .promql import plain, select, share, total
from .variables import collectors, whose
from .vocabulary import (
    CAPPED,
    DROPPED,
    ERRORS,
    EXPORT_FAILURES,
    QUEUE,
    RECORDER,
    RECORDER_FAILS,
    RECOVERED,
    UNKNOWN_FINISH,
)

UID: Final = "streamtrace-instrument"
TITLE: Final = "Is the instrument itself healthy"

OF_COLLECTOR: Final = ('job=~"$collector"', 'instance=~"$collector_instance"')

KINDS: Final = {"spans": "spans", "metric_points": "points", "log_records": "records"}
"""What the Collector counts, and its name in a legend."""


def dashboard() -> Dashboard:
    """Figures that should be 0, then the instrument, then the Collector."""
    return board(
        TITLE,
        UID,
        "Whether what the other dashboards show is all that happened.",
        {"Should be 0": figures(), "In the watched processes": inside(), "In the Collector": collector()},
        variables=[*whose(), *collectors()],
        datasources=("prometheus",),
    )


def grown(series: str) -> Query:
    """By how much a counter has grown in the time range; it stands at 0 from the process's start."""
    return ask_now(f"ceil({total(f'increase({select(series)}[$__range])')})")


def figures() -> Panels:
    overflow = select("", '__name__=~"streamtrace_.+|gen_ai_.+"', 'otel_metric_overflow="true"')
    return [
        number(
            "Own errors",
            "Defects of the instrument, contained and logged once; the streams went on.",
            COUNT,
            grown(ERRORS),
            bad_from=1,
        ),
        number(
            "Exports that failed",
            "Batches of spans, metrics or log events that the endpoint did not take.",
            COUNT,
            grown(EXPORT_FAILURES),
            bad_from=1,
        ),
        number(
            "Records dropped",
            "Streams that the flight recorder could not note.",
            COUNT,
            grown(DROPPED),
            bad_from=1,
        ),
        number(
            "Names capped",
            "Label values that read _OTHER because max_names was reached.",
            COUNT,
            grown(CAPPED),
            bad_from=1,
        ),
        number(
            "Label overflow",
            "Series in which the SDK folds what goes beyond 2,000 sets of attributes.",
            COUNT,
            ask_now(f"count({overflow}) or vector(0)"),
            bad_from=1,
        ),
        number(
            "Recorders unusable",
            "Processes whose flight recorder cannot write: a kill would leave no trace of their open streams.",
            COUNT,
            ask_now(f"count({select(RECORDER)} == {RECORDER_FAILS}) or vector(0)"),
            bad_from=1,
        ),
    ]


def inside() -> Panels:
    each = "{{job}} {{instance}}"
    return [
        lines(
            "Facts that wait for the judge",
            "Length of the instrument's queue, by process; it should fall to 0 again and again.",
            COUNT,
            ask(select(QUEUE), each),
            width=THIRD,
        ),
        lines(
            "Exports that failed",
            "A minute, by process.",
            "cpm",
            ask(f"rate({select(EXPORT_FAILURES)}[$__rate_interval]) * 60", each),
            width=THIRD,
        ),
        lines(
            "Own errors",
            "Defects of the instrument a minute, by process; the process's log has the traceback.",
            "cpm",
            ask(f"rate({select(ERRORS)}[$__rate_interval]) * 60", each),
            width=THIRD,
        ),
        lines(
            "Names capped",
            "Label values a minute that read _OTHER, by process.",
            "cpm",
            ask(f"rate({select(CAPPED)}[$__rate_interval]) * 60", each),
            width=THIRD,
        ),
        lines(
            "Unknown finish reasons",
            "Replies a minute whose finish reason is in no table, by process. They count as completed; the log names "
            "the word.",
            "cpm",
            ask(f"rate({select(UNKNOWN_FINISH)}[$__rate_interval]) * 60", each),
            width=THIRD,
        ),
        lines(
            "Recorder",
            "State of the flight recorder by process: 0 is off, 1 is recording, 2 is failing.",
            COUNT,
            ask(select(RECORDER), each),
            width=THIRD,
        ),
        lines(
            "Streams recovered, records dropped",
            "A minute: open streams of dead processes that were reported after all; streams that could not be noted.",
            "cpm",
            ask(f"{total(f'rate({select(RECOVERED)}[$__rate_interval])')} * 60", "recovered"),
            ask(f"{total(f'rate({select(DROPPED)}[$__rate_interval])')} * 60", "dropped"),
            width=WIDE,
        ),
    ]


def collector() -> Panels:
    def of(series: str) -> str:
        return plain(series, *OF_COLLECTOR)

    def rates(*series: str, by: str) -> str:
        return " + ".join(total(f"rate({of(each)}[$__rate_interval])", by) for each in series)

    return [
        lines(
            "Taken and refused",
            "Items a second that the receivers took, and refused: for want of memory, or because nothing "
            "behind them takes more.",
            "cps",
            *(
                ask(rates(f"otelcol_receiver_{what}_{kind}_total", by="receiver"), f"{told} {short}, {{{{receiver}}}}")
                for what, told in (("accepted", "taken"), ("refused", "refused"))
                for kind, short in KINDS.items()
            ),
            width=THIRD,
        ),
        lines(
            "Sent and failed",
            "Items a second by exporter; what failed stays in the queue and is sent again.",
            "cps",
            *(
                ask(rates(f"otelcol_exporter_{what}_{kind}_total", by="exporter"), f"{told} {short}, {{{{exporter}}}}")
                for what, told in (("sent", "sent"), ("send_failed", "failed"))
                for kind, short in KINDS.items()
            ),
            width=THIRD,
        ),
        lines(
            "Fill of the queues",
            "Share of each exporter's queue that is in use; at 1 the receivers refuse.",
            PERCENT,
            ask(
                share(
                    total(of("otelcol_exporter_queue_size"), "exporter"),
                    total(of("otelcol_exporter_queue_capacity"), "exporter"),
                ),
                "{{exporter}}",
            ),
            width=THIRD,
        ),
        lines(
            "Traces that the sampler dropped too early",
            "Traces a second that gave way before their decision, because num_traces is too small.",
            "cps",
            ask(
                total(
                    ""
                    f"rate({of('otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total')}[$__rate_interval])"
                ),
                "dropped too early",
            ),
            width=THIRD,
        ),
        lines(
            "Traces that wait for their decision",
            "In the sampler's memory: every trace that is open, for as long as it is.",
            COUNT,
            ask(total(of("otelcol_processor_tail_sampling_sampling_traces_on_memory")), "traces in memory"),
            width=THIRD,
        ),
        lines(
            "Spans after their trace's decision",
            "95th percentile of how late; they follow the decision only while it is remembered.",
            "s",
            ask(
                "histogram_quantile(0.95, sum by (le) (rate("
                f"{of('otelcol_processor_tail_sampling_sampling_late_span_age_seconds_bucket')}[$__rate_interval])))",
                "late by",
            ),
            width=THIRD,
        ),
    ]
