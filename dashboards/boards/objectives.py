"""The dashboard *Objectives*."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from .alerts.budget import BURNS
from .common import Panels, board
from .panels import COUNT, PERCENT, WIDE, ask, ask_now, bars, lines, number, ranking
from .promql import exact, select, share, total
from .recording import CAUSE, OBJECTIVE, OBJECTIVE_SERIES, WINDOWS, faults, model_calls, turns
from .variables import whose
from .vocabulary import (
    ENDED,
    ENVIRONMENT,
    L_CAUSE,
    L_ENDED_BY,
    L_ERROR,
    L_FAULT,
    L_LAYER,
    L_LIMIT,
    L_MODEL,
    L_NAME,
    L_OUTCOME,
    L_OUTERMOST,
    L_PROVIDER,
    SERVICE,
    VERSION,
)

UID: Final = "streamtrace-objectives"
TITLE: Final = "Objectives"

FAULT: Final = f'{L_FAULT}="true"'
OUTERMOST: Final = f'{L_OUTERMOST}="true"'
BUDGET: Final = f"(1 - scalar(max({OBJECTIVE_SERIES})))"


def dashboard() -> Dashboard:
    """How the outermost streams do, how fast the budget goes, and who spends it."""
    return board(
        TITLE,
        UID,
        "Share of outermost streams, those that the program itself reads, that end without a fault; and "
        "the error budget.",
        {"In the time range": figures(), "Error budget": burning(), "Who spends it": spenders()},
        variables=whose(),
        datasources=("prometheus",),
    )


def ended_turns(*matchers: str, window: str = "$__range") -> str:
    return exact(select(ENDED, OUTERMOST, *matchers), window)


def figures() -> Panels:
    failing = share(total(ended_turns(FAULT)), total(ended_turns()))
    return [
        number(
            "Without a fault",
            "Share of the outermost streams in the time range that ended without a fault.",
            PERCENT,
            ask_now(f"1 - {failing}"),
            good_from=OBJECTIVE,
        ),
        number(
            "Objective",
            "The share that is aimed at; the recording rules hold it.",
            PERCENT,
            ask_now(f"max({OBJECTIVE_SERIES})"),
        ),
        number(
            "Error budget left",
            "Part of the faults that the objective allows in the time range that has not been used up; "
            "negative when overdrawn.",
            PERCENT,
            ask_now(f"1 - {failing} / {BUDGET}"),
            good_from=0,
        ),
        number(
            "Turns",
            "Outermost streams that ended in the time range.",
            COUNT,
            ask_now(total(ended_turns())),
        ),
        number(
            "Turns with a fault",
            "Outermost streams in the time range that ended with a fault.",
            COUNT,
            ask_now(total(ended_turns(FAULT))),
            bad_from=1,
        ),
        number(
            "Burn rate, 1 h",
            "How many times as fast as the objective allows the budget was used up in the last hour of the time range.",
            "none",
            ask_now(burn("1h")),
            bad_from=BURNS[0][0],
        ),
    ]


def burn(window: str, *by: str) -> str:
    """How many times as fast as allowed the error budget goes."""
    ratio = share(total(select(turns(window), FAULT), *by), total(select(turns(window)), *by))
    return f"{ratio} / {BUDGET}"


def burning() -> Panels:
    by = (ENVIRONMENT, SERVICE)
    failing = share(total(select(turns("1h"), FAULT), *by), total(select(turns("1h")), *by))
    levels = ", ".join(f"{factor:g} over {long}" for factor, long, *_ in BURNS)
    return [
        lines(
            "Burn rates",
            f"1 uses up the budget in exactly its period. Alerts fire above {levels}.",
            "none",
            *(ask(burn(window), window) for window in WINDOWS),
            width=WIDE,
        ),
        lines(
            "Turns without a fault, by environment and service",
            "Outermost streams within the hour before: production beside the others.",
            PERCENT,
            ask(f"1 - {failing}", f"{{{{{ENVIRONMENT}}}}} {{{{{SERVICE}}}}}"),
            from_zero=False,
        ),
        lines(
            "Burn rate by version",
            "Over one hour: this release beside the last.",
            "none",
            ask(burn("1h", VERSION), f"{{{{{VERSION}}}}}"),
        ),
        bars(
            "Turns",
            "Outermost streams that ended, with and without a fault; each bar counts its own time.",
            COUNT,
            ask(total(ended_turns(window="$__interval"), L_FAULT), f"fault {{{{{L_FAULT}}}}}"),
            width=WIDE,
        ),
    ]


def spenders() -> Panels:
    cause = {
        L_CAUSE: "Root cause",
        L_LAYER: "Layer of origin",
        L_OUTCOME: "Outcome",
        L_ENDED_BY: "Ended by",
        L_LIMIT: "Limit",
    }
    of_cause = total(select(faults("1h")), *CAUSE)
    whole = total(select(turns("1h")))
    return [
        ranking(
            "Burn rate of each cause",
            "Faults of the last hour at their origin, as multiples of what the objective allows for all together.",
            "none",
            ask_now(f"topk(25, {of_cause} / scalar({whole} > 0) / {BUDGET} > 0)"),
            cause,
            width=WIDE,
        ),
        ranking(
            "Turns with a fault, by name",
            "Outermost streams in the time range by agent or team.",
            COUNT,
            ask_now(f"topk(25, {total(ended_turns(FAULT), L_LAYER, L_NAME)} > 0)"),
            {L_LAYER: "Layer", L_NAME: "Name"},
        ),
        lines(
            "Calls that the provider refused",
            "Share of each model's calls that were answered with 429 (rate limit, quota) or 5xx, within "
            "the hour before.",
            PERCENT,
            ask(
                share(
                    total(select(model_calls("1h"), f'{L_ERROR}=~"429|5.."'), L_PROVIDER, L_MODEL),
                    total(select(model_calls("1h")), L_PROVIDER, L_MODEL),
                ),
                f"{{{{{L_PROVIDER}}}}} {{{{{L_MODEL}}}}}",
            ),
        ),
    ]
