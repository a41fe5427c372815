"""The dashboard *One stream's path*."""

from collections.abc import Iterator
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from autogen_streamtrace.core import semconv as sc

from .common import CHOICES, PATH_UID, Panels, board, of_events
from .panels import COUNT, SECONDS, THIRD, WIDE, Query, ask, bars, by_outcome, events, lines, measured_traces, traces
from .promql import exact, mean, quantile, select, total
from .variables import framework, named, streamed, typed, whose
from .vocabulary import (
    AGENT_TURN,
    CALLER_TIME,
    DURATION,
    ENDED,
    FIRST_CHUNK,
    L_AGENT,
    L_CAUSE,
    L_EARLY,
    L_ERROR,
    L_FRAMEWORK,
    L_LAYER,
    L_MODEL,
    L_NAME,
    L_OUTCOME,
    L_STREAMED,
    L_TEAM,
    L_TOOL,
    LONGEST_GAP,
    MODEL_CALL,
    MODEL_FIRST_CHUNK,
    MODEL_PER_CHUNK,
    TEAM_RUN,
    TOOL_CALL,
)

TITLE: Final = "One stream's path"

OF_MODEL: Final = (f'{L_MODEL}=~"$model"',)
OF_AGENT: Final = (f'{L_AGENT}=~"$agent"',)
OF_FRAMEWORK: Final = f'{L_FRAMEWORK}=~"$framework"'

RESOURCE: Final = (
    'resource.service.name =~ "$service" && resource.service.instance.id =~ "$instance" '
    '&& ("$environment" = ".*" || resource.deployment.environment.name =~ "$environment") '
    '&& ("$version" = ".*" || resource.service.version =~ "$version")'
)
"""TraceQL for what the variables choose. What a resource lacks matches no pattern, so that "all" is said apart."""
WITHIN: Final = f'("$framework" = ".*" || span.{sc.A_FRAMEWORK} =~ "$framework")'
EARLY: Final = f"span.{sc.A_EARLY} = true && span.{sc.A_ORIGIN} = true && {WITHIN}"
TYPED: Final = (
    f'("$layer" = "" || span.{sc.A_LAYER} =~ "$layer.*") && ("$outcome" = "" || span.{sc.A_OUTCOME} =~ "$outcome.*") '
    f'&& ("$cause" = "" || span.{sc.A_CAUSE_TYPE} =~ "$cause.*")'
)
SHOWN: Final = ", ".join(
    f"span.{attribute}"
    for attribute in (
        sc.A_LAYER,
        sc.A_NAME,
        sc.A_OUTCOME,
        sc.A_ENDED_BY,
        sc.A_WAITING_ON_TYPE,
        sc.A_WAITING_ON_NAME,
        sc.A_CAUSE_TYPE,
        sc.A_LIMIT_ID,
        sc.A_LIMIT_VALUE,
        sc.A_SILENCE,
        sc.A_CHUNKS,
    )
)
CHOSEN: Final = " || ".join(
    f'(span.{sc.A_LAYER} = "{layer}" && span.{sc.A_NAME} =~ "${layer}")' for layer in (sc.AGENT, sc.MODEL)
)
"""Spans of the chosen agent or model."""


def dashboard() -> Dashboard:
    """The layers side by side, the chosen agent and model, and the streams themselves."""
    return board(
        TITLE,
        PATH_UID,
        "Where the time of a chosen agent's or model's streams goes, layer by layer, and its latest early endings.",
        {
            "Layer by layer, all streams": layers(),
            "The chosen agent and model": chosen(),
            "Layer by layer, traces of the chosen agent and model": sampled(),
            "Latest early endings": latest(),
        },
        variables=[
            *whose(),
            framework(),
            named("agent"),
            named("model"),
            streamed(),
            *(typed(name, heading) for name, heading in CHOICES.items()),
        ],
        datasources=("prometheus", "loki", "tempo"),
    )


def layers() -> Panels:
    """From the metrics: every stream, whatever was sampled."""
    by_layer = f"{{{{{L_LAYER}}}}}"
    return [
        lines(
            "Time to the first chunk",
            "Median by layer: the layers outside add theirs to the model's.",
            SECONDS,
            ask(quantile(0.5, FIRST_CHUNK, L_LAYER), by_layer, exemplars=True),
            width=THIRD,
        ),
        lines(
            "Longest gap",
            "Mean of each stream's longest wait between two items, by layer.",
            SECONDS,
            ask(mean(LONGEST_GAP, L_LAYER), by_layer),
            width=THIRD,
        ),
        lines(
            "Caller time",
            "Mean time that the reader of a stream held items before it asked for the next, by layer.",
            SECONDS,
            ask(mean(CALLER_TIME, L_LAYER), by_layer),
            width=THIRD,
        ),
        lines(
            "Duration",
            "Median by layer.",
            SECONDS,
            ask(quantile(0.5, DURATION, L_LAYER), by_layer, exemplars=True),
            width=THIRD,
        ),
        lines(
            "Tool time",
            "95th percentile of a tool call, by tool: without an error, and with one.",
            SECONDS,
            *by_error(TOOL_CALL, L_TOOL, exemplars=True),
            width=THIRD,
        ),
        by_outcome(
            lines(
                "HTTP",
                "95th percentile of an exchange, from sending the request to the end of its body, by outcome.",
                SECONDS,
                ask(
                    quantile(0.95, DURATION, L_OUTCOME, where=(f'{L_LAYER}="http"',)),
                    f"{{{{{L_OUTCOME}}}}}",
                    exemplars=True,
                ),
                width=THIRD,
            )
        ),
    ]


def by_error(histogram: str, name: str, *where: str, exemplars: bool = False) -> Iterator[Query]:
    """The 95th percentile by name, without an error and with one: the types of errors would be too many lines."""
    for matcher, told in ((f'{L_ERROR}=""', ""), (f'{L_ERROR}!=""', ", error")):
        found = quantile(0.95, histogram, name, where=(*where, matcher))
        yield ask(found, f"{{{{{name}}}}}{told}", exemplars=exemplars)


def chosen() -> Panels:
    """From the metrics that carry names."""
    named_streams = tuple(f'{L_LAYER}="{layer}",{L_NAME}=~"${layer}"' for layer in (sc.AGENT, sc.MODEL))
    agent, model = named_streams
    return [
        by_outcome(
            bars(
                "How the agent's streams end",
                "Streams of the chosen agent by outcome; each bar counts its own time.",
                COUNT,
                ask(
                    total(exact(select(ENDED, agent, OF_FRAMEWORK), "$__interval"), L_OUTCOME),
                    f"{{{{{L_OUTCOME}}}}}",
                ),
            )
        ),
        by_outcome(
            bars(
                "How the model's streams end",
                "Calls of the chosen model by outcome; each bar counts its own time.",
                COUNT,
                ask(
                    total(
                        exact(select(ENDED, model, f'{L_STREAMED}=~"$streamed"', OF_FRAMEWORK), "$__interval"),
                        L_OUTCOME,
                    ),
                    f"{{{{{L_OUTCOME}}}}}",
                ),
            )
        ),
        lines(
            "Agent turns",
            "95th percentile of a turn of the chosen agent: without an error, and with one.",
            SECONDS,
            *by_error(AGENT_TURN, L_AGENT, *OF_AGENT),
            width=THIRD,
        ),
        lines(
            "Team runs",
            "95th percentile of a team's run: without an error, and with one.",
            SECONDS,
            *by_error(TEAM_RUN, L_TEAM),
            width=THIRD,
        ),
        lines(
            "Model calls",
            "95th percentile of a call of the chosen model: without an error, and with one.",
            SECONDS,
            *by_error(MODEL_CALL, L_MODEL, *OF_MODEL),
            width=THIRD,
        ),
        lines(
            "The model's first chunk",
            "Median and 95th percentile of the chosen model's time to its first chunk.",
            SECONDS,
            *(
                ask(quantile(q, MODEL_FIRST_CHUNK, L_MODEL, where=OF_MODEL), f"{{{{{L_MODEL}}}}} p{q * 100:g}")
                for q in (0.5, 0.95)
            ),
        ),
        lines(
            "The model's pace",
            "Mean time for each chunk after the first, median and 95th percentile of the chosen model's streams.",
            SECONDS,
            *(
                ask(quantile(q, MODEL_PER_CHUNK, L_MODEL, where=OF_MODEL), f"{{{{{L_MODEL}}}}} p{q * 100:g}")
                for q in (0.5, 0.95)
            ),
        ),
    ]


def sampled() -> Panels:
    """From the traces that were kept: early endings are over-represented there."""
    path = f"{{ {RESOURCE} && {WITHIN} && ({CHOSEN}) }} &>> {{ span.{sc.A_LAYER} != nil }}"

    def side_by_side(attribute: str) -> str:
        return f"{path} | quantile_over_time(span.{attribute}, 0.5) by (span.{sc.A_LAYER})"

    kept = "Median by layer in the traces that sampling has kept, early endings above all."
    return [
        measured_traces("First chunk in these traces", kept, side_by_side(sc.A_FIRST_CHUNK), width=THIRD),
        measured_traces("Longest gap in these traces", kept, side_by_side(sc.A_LONGEST_GAP), width=THIRD),
        measured_traces("Caller time in these traces", kept, side_by_side(sc.A_CALLER_TIME), width=THIRD),
    ]


def latest() -> Panels:
    """The streams themselves; traces lead to log lines and back."""
    by_name = f"{L_LAYER}!=`agent` or {L_NAME}=~`$agent`", f"{L_LAYER}!=`model` or {L_NAME}=~`$model`"
    by_choice = f"{L_LAYER}=~`$layer.*`", f"{L_OUTCOME}=~`$outcome.*`", f"{L_CAUSE}=~`$cause.*`"
    return [
        traces(
            "Streams that ended early",
            "One row for each early ending at its origin, with its evidence; the trace's id leads to the "
            "trace and to its log "
            "events.",
            f"{{ {RESOURCE} && {EARLY} && {TYPED} }} | select({SHOWN})",
        ),
        traces(
            "Streams of the chosen agent or model, with an early ending below",
            "Early endings in the traces of the chosen agent or model, with the layer where each arose.",
            f"({{ {RESOURCE} && {WITHIN} && ({CHOSEN}) }} &>> {{ {EARLY} && {TYPED} }}) | select({SHOWN})",
            width=WIDE,
        ),
        events(
            "Log events of early endings",
            "One sentence for each, also of what sampling dropped; the trace's id leads to the trace.",
            of_events(f"{L_EARLY}=`true`", f"{L_FRAMEWORK}=~`$framework`", *by_choice, *by_name),
        ),
    ]
