"""The rows that say why and where."""

from autogen_streamtrace.core import semconv as sc

from ..common import Panels, logs_of_cause
from ..panels import COUNT, PERCENT, WIDE, Panel, ask, ask_now, lines, ranking
from ..promql import exact, select, share, total
from ..recording import cuts
from ..vocabulary import (
    CUT,
    L_CAUSE,
    L_ENDED_BY,
    L_LAYER,
    L_LIMIT,
    L_NAME,
    L_OUTCOME,
    L_STREAMED,
    L_WAITING_NAME,
    L_WAITING_TYPE,
    VERSION,
)
from .endings import EARLY, FAULT, RANGE, endings


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
