"""The dashboard *Where streams end early*."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from autogen_streamtrace.core import semconv as sc

from . import limits
from .causes import without_a_timer
from .common import LOGS, Panels, board, logs_of_cause
from .panels import (
    COUNT,
    PERCENT,
    SECONDS,
    THIRD,
    WIDE,
    Panel,
    ask,
    ask_now,
    bars,
    counted_events,
    ladder,
    lines,
    number,
    ranking,
    rows_of_heat,
)
from .promql import edge, exact, quantile, select, share, total
from .recording import CAUSE, LOST, cuts, ended, faults
from .variables import named, streamed, whose
from .vocabulary import (
    CUT,
    DURATION,
    ENDED,
    EVENT,
    FIRST_CHUNK,
    L_CAUSE,
    L_EARLY,
    L_ENDED_BY,
    L_FAULT,
    L_LAYER,
    L_LIMIT,
    L_LOOP_BLOCKED,
    L_NAME,
    L_ORIGIN,
    L_OUTCOME,
    L_OUTERMOST,
    L_STREAMED,
    L_TOKEN_TYPE,
    L_WAITING_NAME,
    L_WAITING_TYPE,
    LONGEST_GAP,
    OLDEST,
    OPEN,
    SILENCE,
    STALLED,
    STARTED,
    TOKENS,
    VERSION,
    label,
)

UID: Final = "streamtrace-early"
TITLE: Final = "Where streams end early"

ORIGIN: Final = f'{L_ORIGIN}="true"'
FAULT: Final = f'{L_FAULT}="true"'
EARLY: Final = f'{L_OUTCOME}!="completed"'
OTHER_EARLY: Final = (f'{L_FAULT}="false"', EARLY)
KILLED: Final = f'{L_OUTCOME}="killed"'
NAMED: Final = (f'{L_NAME}=~"$agent|$model"',)
RANGE: Final = "$__range"
STEP: Final = "$__interval"


def dashboard() -> Dashboard:
    """Row by row: now, since when, after what silence, why, by no timer, where, what hangs, how it went until then."""
    return board(
        TITLE,
        UID,
        "Which streams end early, for whom, since when, and why.",
        {
            "Now": now(),
            "Since when": since_when(),
            "After what silence": silence(),
            "Why": why(),
            "Causes without a timer": without_a_timer(),
            "Where": where(),
            "What hangs": hanging(),
            "How it went until then": until_then(),
        },
        variables=[*whose(), named("agent"), named("model"), streamed()],
        datasources=("prometheus", "loki"),
    )


def endings(*matchers: str, window: str = RANGE) -> str:
    """Streams that ended, counted to the unit."""
    return exact(select(ENDED, *matchers), window)


def now() -> Panels:
    """Figures."""
    outermost = f'{L_OUTERMOST}="true"'
    all_turns = total(endings(outermost))
    return [
        number(
            "Faults",
            "Streams in the time range that ended with a fault, each counted once, in the layer where it arose.",
            COUNT,
            ask_now(total(endings(ORIGIN, FAULT))),
            bad_from=1,
        ),
        number(
            "Other early endings",
            "Streams that ended early without a fault: at the token limit, by the filter, or because the caller left.",
            COUNT,
            ask_now(total(endings(ORIGIN, *OTHER_EARLY))),
        ),
        number(
            "Turns with a fault",
            "Share of the outermost streams, those that the program itself reads, that ended with a fault.",
            PERCENT,
            ask_now(share(total(endings(outermost, FAULT)), all_turns)),
            bad_from=0.01,
        ),
        number(
            "Killed",
            "Streams that were open when their process died, as recovery has counted them.",
            COUNT,
            ask_now(f"{total(endings(ORIGIN, KILLED))} or vector(0)"),
            bad_from=1,
        ),
        number(
            "Lost",
            "Streams that started in processes that are gone, of which nobody has said how they ended.",
            COUNT,
            ask_now(f"{total(select(LOST))} or vector(0)"),
            bad_from=1,
        ),
        number(
            "Open",
            "Streams that are open at the end of the time range, of every layer.",
            COUNT,
            ask_now(total(select(OPEN))),
        ),
    ]


def since_when() -> Panels:
    """Over time."""
    causes = f"{{{{{L_LAYER}}}}} {{{{{L_OUTCOME}}}}} {{{{{L_CAUSE}}}}} {{{{{L_LIMIT}}}}}"
    return [
        bars(
            "Faults by layer of origin",
            "Streams that ended with a fault, by the layer in which it arose and how they ended; each "
            "bar counts its own time.",
            COUNT,
            ask(
                total(endings(ORIGIN, FAULT, window=STEP), L_LAYER, L_OUTCOME), f"{{{{{L_LAYER}}}}} {{{{{L_OUTCOME}}}}}"
            ),
        ),
        bars(
            "Other early endings, by who ended them",
            "Streams that ended early without a fault; each bar counts its own time.",
            COUNT,
            ask(
                total(endings(ORIGIN, *OTHER_EARLY, window=STEP), L_ENDED_BY, L_OUTCOME),
                f"{{{{{L_ENDED_BY}}}}} {{{{{L_OUTCOME}}}}}",
            ),
        ),
        bars(
            "Faults by who ended the stream",
            "The provider or anything between, a timeout of this process, a tool, an agent, or the process itself.",
            COUNT,
            ask(total(endings(ORIGIN, FAULT, window=STEP), L_ENDED_BY), f"{{{{{L_ENDED_BY}}}}}"),
            width=THIRD,
        ),
        lines(
            "Share of streams with a fault, by layer",
            "Of the streams of each layer that ended within five minutes; the alerts' recording rules count them.",
            PERCENT,
            ask(
                share(
                    total(select(ended("5m"), FAULT), L_LAYER),
                    total(select(ended("5m")), L_LAYER),
                ),
                f"{{{{{L_LAYER}}}}}",
            ),
            width=THIRD,
        ),
        lines(
            "Share of turns with a fault, by version",
            "Outermost streams, of each service.version: this release beside the last.",
            PERCENT,
            ask(
                share(
                    total(select(ended("1h"), FAULT, f'{L_OUTERMOST}="true"'), VERSION),
                    total(select(ended("1h"), f'{L_OUTERMOST}="true"'), VERSION),
                ),
                f"{{{{{VERSION}}}}}",
            ),
            width=THIRD,
        ),
        lines(
            "Faults within the hour before, by cause, as the alerts see them",
            "Read from the same recording rule as the alerts. An agent's or a model's name narrows it.",
            COUNT,
            ask(total(select(faults("1h"), f'{L_LAYER}!~"agent|model"'), *CAUSE), causes),
            ask(total(select(faults("1h"), f'{L_LAYER}=~"agent|model"', *NAMED), *CAUSE), causes),
        ),
        lines(
            "Early endings a second, each with its trace",
            "The points are exemplars: each leads to the trace of one stream that ended early.",
            "ops",
            ask(
                total(f"rate({select(CUT)}[$__rate_interval])", L_LAYER, L_OUTCOME),
                f"{{{{{L_LAYER}}}}} {{{{{L_OUTCOME}}}}}",
                exemplars=True,
            ),
        ),
    ]


def silence() -> Panels:
    """How long nothing had come before the end: a cluster at one limit is that limit's doing."""

    def below(le: float | None) -> str:
        bucket = f"{SILENCE}_bucket"
        return select(bucket, 'le="+Inf"' if le is None else edge(le))

    def between(low: float | None, high: float | None, window: str) -> str:
        upper = total(exact(below(high), window))
        return upper if low is None else f"{upper} - {total(exact(below(low), window))}"

    return [
        rows_of_heat(
            "Silence before the end",
            "Early endings by the seconds that nothing had come before; rows marked ◀ surround a limit "
            "that many deployments "
            "share. One dark row is one limit.",
            COUNT,
            [ask(between(low, high, STEP), row) for row, low, high in limits.rows()],
            width=16,
        ),
        ladder(
            "Early endings at a known limit",
            "How many streams ended in the narrow bucket around each known limit, in the time range.",
            COUNT,
            *(ask_now(between(low, high, RANGE), row) for row, low, high in limits.marked()),
            width=THIRD,
        ).height(16),
    ]


def why() -> Panels:
    """Causes, ranked."""
    cause_columns = {
        L_CAUSE: "Root cause",
        L_LAYER: "Layer of origin",
        L_OUTCOME: "Outcome",
        L_ENDED_BY: "Ended by",
        L_LIMIT: "Limit",
    }
    cut = exact(select(CUT), RANGE)
    explained = f'{L_LIMIT}!=""'
    return [
        ranking(
            "Root causes",
            "Early endings in the time range by the exception at the root, the layer where it arose and the limit that "
            "explains it; a click leads to the log events.",
            COUNT,
            ask_now(f"topk(25, {total(cut, *cause_columns)} > 0)"),
            cause_columns,
            width=WIDE,
            links=[logs_of_cause()],
        ),
        ranking(
            "What they waited for",
            "Early endings in the time range by the innermost operation that was open at the end, with its name.",
            COUNT,
            ask_now(f"topk(25, {total(cut, L_WAITING_TYPE, L_WAITING_NAME)} > 0)"),
            {L_WAITING_TYPE: "Waiting on", L_WAITING_NAME: "Name"},
        ),
        ranking(
            "Limits that explain them",
            "Early endings in the time range that a limit explains, configured in the process or "
            "suspected from the silence.",
            COUNT,
            ask_now(f"topk(25, {total(exact(select(CUT, explained), RANGE), L_LIMIT, L_LAYER)} > 0)"),
            {L_LIMIT: "Limit", L_LAYER: "Layer of origin"},
        ),
    ]


def where() -> Panels:
    """By name."""
    found: list[Panel] = []
    for layer, title, matchers in (
        (sc.MODEL, "Models", (f'{L_NAME}=~"$model"', f'{L_STREAMED}=~"$streamed"')),
        (sc.AGENT, "Agents", (f'{L_NAME}=~"$agent"',)),
        (sc.TOOL, "Tools", ()),
        (sc.HTTP, "Hosts", ()),
    ):
        of_layer = (f'{L_LAYER}="{layer}"', *matchers)
        found.append(
            ranking(
                f"{title} whose streams end early",
                f"Early endings of the {layer} layer in the time range, also those that arose elsewhere.",
                COUNT,
                ask_now(f"topk(25, {total(endings(*of_layer, EARLY), L_NAME, L_OUTCOME)} > 0)"),
                {L_NAME: title[:-1], L_OUTCOME: "Outcome"},
            )
        )
    of_model = (f'{L_LAYER}="model"', f'{L_NAME}=~"$model"', f'{L_STREAMED}=~"$streamed"')
    found.append(
        lines(
            "Share of model streams with a fault, streamed beside unstreamed",
            "Of a model's calls that ended within each interval; false is an unstreamed call.",
            PERCENT,
            ask(
                share(
                    total(endings(*of_model, FAULT, window="$__rate_interval"), L_STREAMED),
                    total(endings(*of_model, window="$__rate_interval"), L_STREAMED),
                ),
                f"streamed {{{{{L_STREAMED}}}}}",
            ),
        )
    )
    found.append(
        ranking(
            "Early endings by version",
            "Early endings at their origin in the hour before the end of the time range, as the alerts count them.",
            COUNT,
            ask_now(f"{total(select(cuts('1h')), VERSION, L_OUTCOME)} > 0"),
            {VERSION: "Version", L_OUTCOME: "Outcome"},
        )
    )
    return found


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
            "Open streams whose items have stopped for longer than stall_after.",
            COUNT,
            ask(
                total(select(STALLED), L_LAYER, L_WAITING_TYPE, L_WAITING_NAME),
                f"{{{{{L_LAYER}}}}} on {{{{{L_WAITING_TYPE}}}}} {{{{{L_WAITING_NAME}}}}}",
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
        ),
        bars(
            "Streams killed with their process",
            "As recovery reports them; lost ones, which nobody has recovered, are among the figures above.",
            COUNT,
            ask(f"{total(endings(ORIGIN, KILLED, window=STEP), L_LAYER)} or vector(0)", f"{{{{{L_LAYER}}}}}"),
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
        counted_events(
            "Tokens spent on cut replies",
            "Output tokens that the provider reported for model streams that ended early, by outcome. "
            "Most cut replies lack "
            "the report.",
            f'sum by ({L_OUTCOME}) (sum_over_time({LOGS} | {EVENT}="{sc.E_END}" | {L_LAYER}="model" '
            f'| {L_EARLY}="true" | {tokens}!="" | unwrap {tokens} [$__auto]))',
            f"{{{{{L_OUTCOME}}}}}",
        ),
        lines(
            "Tokens a second",
            "All that models have used, by kind.",
            "ops",
            ask(
                total(f"rate({select(f'{TOKENS}_sum')}[$__rate_interval])", L_TOKEN_TYPE),
                f"{{{{{L_TOKEN_TYPE}}}}}",
            ),
        ),
    ]
