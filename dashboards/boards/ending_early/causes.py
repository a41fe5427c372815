"""The row *Causes without a timer* of the dashboard *Where streams end early*.

Metrics do not carry what tells these causes; log events do.
"""

from typing import Final

from autogen_streamtrace.core import semconv as sc

from ..common import Panels, of_events
from ..panels import COUNT, PERCENT, THIRD, ask, bars, counted_events, lines, measured_events
from ..promql import edge, exact, select, share, total
from ..recording import CONNECTION_LOST
from ..vocabulary import (
    CUT,
    L_INTERMEDIARY,
    L_LAYER,
    L_LOOP_LATE,
    L_MODEL,
    L_NAME,
    L_OUTCOME,
    L_PAGE,
    L_REUSED,
    L_STATUS,
    L_TO_HEADERS,
    MODEL_PER_CHUNK,
    SERVICE,
    STARTED,
)

OF_HTTP: Final = f'{L_LAYER}="{sc.HTTP}"'
REFUSED: Final = (OF_HTTP, f'{L_OUTCOME}="{sc.REJECTED}"')
UNANSWERED: Final = of_events(OF_HTTP, f'{L_OUTCOME}="{sc.DISCONNECTED}"', f'{L_STATUS}=""', f'{L_REUSED}!=""')
"""Requests that were sent, and of whose answer no byte came."""
TIMED: Final = of_events(*REFUSED, f'{L_TO_HEADERS}!=""')
LATE: Final = of_events(f'{L_LOOP_LATE}!=""')
AT_ONCE: Final = 0.01
"""Seconds for each chunk, on average, below which hardly any model writes; an edge of the histogram."""


def without_a_timer() -> Panels:
    """One panel for each."""
    lost = exact(select(CUT, *CONNECTION_LOST), "$__interval")
    started = exact(select(STARTED, f'{L_LAYER}=~"{sc.HTTP}|{sc.SERVER}"'), "$__interval")
    at_once = rate(select(f"{MODEL_PER_CHUNK}_bucket", edge(AT_ONCE)))
    replies = rate(select(f"{MODEL_PER_CHUNK}_count"))
    return [
        bars(
            "Connections lost, beside streams started",
            "One high bar is one moment: a restart, a reload, a crash. Starts point down: where they go on, the other "
            "side went on too.",
            COUNT,
            ask(total(lost, L_LAYER, L_NAME), f"lost: {{{{{L_LAYER}}}}} {{{{{L_NAME}}}}}"),
            ask(f"-1 * {total(started, L_LAYER)}", f"started: {{{{{L_LAYER}}}}}"),
            width=THIRD,
            from_zero=False,
        ),
        counted_events(
            "Lost before any byte of an answer",
            "Requests on a connection that had been used before (true), or on a fresh one. True: the other side closed "
            "a kept connection as it was used again.",
            f"sum by ({L_REUSED}) (count_over_time({UNANSWERED} [$__auto]))",
            f"used before: {{{{{L_REUSED}}}}}",
            width=THIRD,
        ),
        counted_events(
            "Refusals, by whose page",
            "HTTP errors by the proxy whose own page it is, by the first one that the headers name, and by status. "
            "With a page the proxy answered itself.",
            f"sum by ({L_PAGE}, {L_INTERMEDIARY}, {L_STATUS}) (count_over_time({of_events(*REFUSED)} [$__auto]))",
            f"{{{{{L_STATUS}}}}}, page of {{{{{L_PAGE}}}}}, via {{{{{L_INTERMEDIARY}}}}}",
            width=THIRD,
        ),
        measured_events(
            "How long a refusal takes",
            "The longest by status. Milliseconds: nobody behind the proxy was asked. The same seconds each time: a "
            "queue was full, or a timer was up.",
            f"max by ({L_STATUS}) (max_over_time({TIMED} | unwrap {L_TO_HEADERS} [$__auto]))",
            f"{{{{{L_STATUS}}}}}",
            width=THIRD,
        ),
        lines(
            "Replies whose words came at once",
            f"Share of a model's streamed replies with {AT_ONCE * 1000:g} ms or less for each chunk after the first. "
            "Near 100 %, and a slow first chunk: the path holds them back. A very fast model looks alike.",
            PERCENT,
            ask(share(at_once, replies), f"{{{{{L_MODEL}}}}}"),
            width=THIRD,
        ),
        measured_events(
            "How late the event loop was",
            "The longest while any stream was open, where it was over 0.25 s. Times of those streams are blurred by "
            "as much: words had come that nobody read.",
            f"max by ({SERVICE}) (max_over_time({LATE} | unwrap {L_LOOP_LATE} [$__auto]))",
            f"{{{{{SERVICE}}}}}",
            width=THIRD,
        ),
    ]


def rate(selector: str) -> str:
    """By model."""
    return total(f"rate({selector}[$__rate_interval])", L_MODEL)
