"""The rows on what hangs, and on how it went until then."""

from autogen_streamtrace.core import semconv as sc

from ..common import LOGS, Panels
from ..panels import COUNT, SECONDS, THIRD, ask, bars, by_outcome, counted_events, lines
from ..promql import exact, none, quantile, select, total
from ..vocabulary import (
    DURATION,
    EVENT,
    FIRST_CHUNK,
    L_EARLY,
    L_LAYER,
    L_LOOP_BLOCKED,
    L_OUTCOME,
    L_STREAMED,
    L_TOKEN_TYPE,
    L_WAITING_NAME,
    L_WAITING_TYPE,
    LONGEST_GAP,
    OLDEST,
    OPEN,
    STALLED,
    STARTED,
    TOKENS,
    label,
)
from .endings import KILLED, ORIGIN, STEP, endings


def hanging() -> Panels:
    """Streams that have not ended."""
    return [
        lines(
            "Open streams",
            "How many streams are open, by layer.",
            COUNT,
            ask(total(select(OPEN), L_LAYER), f"{{{{{L_LAYER}}}}}"),
            width=THIRD,
        ),
        lines(
            "Stalled streams, and what they wait for",
            "Open streams whose items have stopped for longer than stall_after, in the layer that has most of them: "
            "one that stalls holds up those around it.",
            COUNT,
            ask(
                f"max by ({L_WAITING_TYPE}, {L_WAITING_NAME}) "
                f"({total(select(STALLED), L_LAYER, L_WAITING_TYPE, L_WAITING_NAME)})",
                f"{{{{{L_WAITING_TYPE}}}}} {{{{{L_WAITING_NAME}}}}}",
            ),
            width=THIRD,
        ),
        lines(
            "Age of the oldest open stream",
            "By layer; a line that climbs without end is a stream that hangs.",
            SECONDS,
            ask(f"max by ({L_LAYER}) ({select(OLDEST)})", f"{{{{{L_LAYER}}}}}"),
            width=THIRD,
        ),
        counted_events(
            "Stall events",
            "How often open streams fell silent, by what they waited for; blocked true is a blocked "
            "event loop, whose stack "
            "the event has.",
            f'sum by ({L_WAITING_TYPE}, {L_LOOP_BLOCKED}) (count_over_time({LOGS} | {EVENT}="{sc.E_STALL}" [$__auto]))',
            f"{{{{{L_WAITING_TYPE}}}}}, blocked {{{{{L_LOOP_BLOCKED}}}}}",
            width=THIRD,
        ),
        bars(
            "Streams started and ended",
            "When all is quiet both are the same; what is missing is open, or lost.",
            COUNT,
            ask(total(exact(select(STARTED), STEP)), "started"),
            ask(f"-1 * {total(endings(window=STEP))}", "ended"),
            width=THIRD,
            from_zero=False,
        ),
        bars(
            "Streams killed with their process",
            "As recovery reports them; lost ones, which nobody has recovered, are among the figures above.",
            COUNT,
            ask(f"{total(endings(ORIGIN, KILLED, window=STEP), L_LAYER)} or {none(L_LAYER)}", f"{{{{{L_LAYER}}}}}"),
            width=THIRD,
        ),
    ]


def until_then() -> Panels:
    """First chunk, gaps, durations, tokens."""
    tokens = label(sc.GEN_AI_OUTPUT_TOKENS)
    return [
        lines(
            "Time to the first chunk",
            "95th percentile by layer.",
            SECONDS,
            ask(quantile(0.95, FIRST_CHUNK, L_LAYER), f"{{{{{L_LAYER}}}}}", exemplars=True),
            width=THIRD,
        ),
        lines(
            "Longest gap between two items",
            "95th percentile by layer; what comes near a limit on silence is about to be cut by it.",
            SECONDS,
            ask(quantile(0.95, LONGEST_GAP, L_LAYER), f"{{{{{L_LAYER}}}}}", exemplars=True),
            width=THIRD,
        ),
        lines(
            "Duration of model streams, streamed beside unstreamed",
            "95th percentile of those that completed, and of the others.",
            SECONDS,
            *(
                ask(
                    quantile(
                        0.95, DURATION, L_STREAMED, where=(f'{L_LAYER}="model"', f'{L_STREAMED}=~"$streamed"', matcher)
                    ),
                    f"{what}, streamed {{{{{L_STREAMED}}}}}",
                )
                for what, matcher in (("completed", f'{L_OUTCOME}="completed"'), ("early", f'{L_OUTCOME}!="completed"'))
            ),
            width=THIRD,
        ),
        by_outcome(
            counted_events(
                "Tokens spent on cut replies",
                "Output tokens that the provider reported for model streams that ended early, by outcome. "
                "Most cut replies lack "
                "the report.",
                f'sum by ({L_OUTCOME}) (sum_over_time({LOGS} | {EVENT}="{sc.E_END}" | {L_LAYER}="model" '
                f'| {L_EARLY}="true" | {tokens}!="" | unwrap {tokens} [$__auto]))',
                f"{{{{{L_OUTCOME}}}}}",
            )
        ),
        lines(
            "Tokens a second",
            "All that models have used, by kind.",
            "cps",
            ask(
                total(f"rate({select(f'{TOKENS}_sum')}[$__rate_interval])", L_TOKEN_TYPE),
                f"{{{{{L_TOKEN_TYPE}}}}}",
            ),
        ),
    ]
